"""Real repositories to work on: an ordinary clone, its bare remote, and our mirror of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from adapters.git.mirror import Mirror

PERSON = {
    "GIT_AUTHOR_NAME": "P",
    "GIT_AUTHOR_EMAIL": "p@localhost.invalid",
    "GIT_COMMITTER_NAME": "P",
    "GIT_COMMITTER_EMAIL": "p@localhost.invalid",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "PATH": os.environ["PATH"],
}


@dataclass(frozen=True)
class Clone:
    """A person's clone and the bare remote it pushes to."""

    folder: Path
    bare: Path

    def git(self, *arguments: str, cwd: Path | None = None, **variables: str) -> str:
        """Run git as the person would."""
        argv = ["git", "-c", "protocol.file.allow=always", *arguments]
        env = PERSON | variables
        done = subprocess.run(argv, cwd=cwd or self.folder, env=env, capture_output=True, check=True, timeout=60)
        return done.stdout.decode(errors="surrogateescape").strip()

    def write(self, files: dict[str, str | bytes]) -> None:
        """Put files into the clone's folder."""
        for name, content in files.items():
            place = self.folder / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files: dict[str, str | bytes], message: str = "change") -> str:
        """Write, commit everything, push main; returns the commit."""
        self.write(files)
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        self.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def clone(tmp_path: Path) -> Clone:
    """A clone whose remote holds one commit."""
    made = Clone(tmp_path / "clone", tmp_path / "remote.git")
    made.folder.mkdir()
    made.git("init", "--quiet", "--bare", "-b", "main", str(made.bare), cwd=tmp_path)
    made.git("init", "--quiet", "-b", "main")
    made.git("remote", "add", "origin", str(made.bare))
    made.commit({"a.txt": "one\ntwo\nthree\n", "folder/b.txt": "b\n"}, "first")
    return made


@pytest.fixture
def mirror(clone: Clone, tmp_path: Path) -> Mirror:
    """Our mirror of the remote."""
    return Mirror(tmp_path / "mirrors" / "demo.git", str(clone.bare), "main")


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[], Path]:
    """Fresh empty folders."""
    made: list[Path] = []

    def fresh() -> Path:
        made.append(tmp_path / f"tree{len(made)}")
        made[-1].mkdir()
        return made[-1]

    return fresh
