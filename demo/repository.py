"""The package under git, behind a bare remote."""

import os
import subprocess
from pathlib import Path

from demo.source_distribution import FetchFailed

_WHO = {
    "GIT_AUTHOR_NAME": "demo",
    "GIT_AUTHOR_EMAIL": "demo@localhost",
    "GIT_COMMITTER_NAME": "demo",
    "GIT_COMMITTER_EMAIL": "demo@localhost",
}
# The package brings its own attributes and the user's configuration may bring hooks: neither takes effect.
_CLOSED = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_ATTR_NOSYSTEM": "1"}
_FLAGS = ("-c", "core.autocrlf=false", "-c", "core.hooksPath=/dev/null", "-c", "init.templateDir=")


def publish(package: Path, remote: Path, title: str) -> None:
    """Commit the folder's every byte to ``main`` and make a bare repository of it."""
    git(package, "init", "--quiet", "--initial-branch=main")
    (package / ".git" / "info").mkdir(exist_ok=True)
    (package / ".git" / "info" / "attributes").write_text("* -text -eol -filter -ident -working-tree-encoding\n")
    git(package, "add", "--all", "--force", ".")
    git(package, "commit", "--quiet", "--message", title)
    git(package.parent, "clone", "--quiet", "--bare", str(package), str(remote))


def diffstat(remote: Path, branch: str) -> str:
    """What a branch changes, as people read it."""
    return git(remote, "diff", "--stat", f"main...{branch}").rstrip()


def git(folder: Path, *arguments: str) -> str:
    """Run git; raises FetchFailed with git's words."""
    environment = {**os.environ, **_WHO, **_CLOSED}
    answer = subprocess.run(
        ["git", *_FLAGS, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if answer.returncode:
        raise FetchFailed(f"git {arguments[0]} failed: {answer.stderr.strip()}")
    return answer.stdout
