"""A remote, our mirror of it holding a change, and the runner that may push it."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from adapters.effects.runner import EffectRunner
from adapters.git.mirror import Mirror, open_mirror
from contracts.clearance import Clearance
from contracts.effect import Effect, EffectResult
from contracts.modes import WriteAction, WriteClass
from policies.settings.schema import ReviewStamp, Target
from ports.clock import since_boot

BRANCH = "autonomy/demo/1"
PERSON = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": "p@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    "PATH": os.environ["PATH"],
}


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, env=PERSON, capture_output=True, check=True, timeout=60)
    return done.stdout.decode().strip()


@dataclass(frozen=True)
class Place:
    """A remote, our mirror of it holding a change, and a runner."""

    home: Path
    remote: Path
    mirror: Mirror
    target: Target
    base: str
    head: str

    @property
    def mirrors(self) -> Path:
        return self.home / "mirrors"

    def effect(self, action: WriteAction = WriteAction.PUSH_BRANCH, **fields: str) -> Effect:
        given = {
            "run_key": f"demo-1/{action.value}",
            "run_id": "demo-1",
            "task_id": "t1",
            "branch": BRANCH,
            "base_branch": "main",
            "head_sha": self.head,
            "base_sha": self.base,
            "title": "A title",
        }
        return Effect(action=action, **(given | fields))

    def perform(
        self, effect: Effect, seconds: float = 60, look_only: bool = False, **changed: str | WriteAction
    ) -> EffectResult:
        runner = EffectRunner(self.mirrors, self.home)
        permitted = self.clearance(effect).model_copy(update=changed)
        return runner.perform(self.target, effect, permitted, since_boot() + seconds, look_only)

    @staticmethod
    def clearance(effect: Effect) -> Clearance:
        return Clearance(
            key=effect.run_key,
            attempt="a1",
            action=effect.action,
            write_class=WriteClass.ADVANCE,
            branch=effect.branch,
            head_sha=effect.head_sha,
            base_sha=effect.base_sha,
            policy_digest="p",
            epoch=1,
            seconds=60,
            deadline=datetime.now(UTC),
        )

    def remote_head(self, branch: str = BRANCH) -> str:
        return git(self.remote, "for-each-ref", "--format=%(objectname)", f"refs/heads/{branch}")

    def person_moves(self, branch: str, to: str) -> None:
        git(self.remote, "update-ref", f"refs/heads/{branch}", to)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    remote = tmp_path / "remote.git"
    git(tmp_path, "init", "--quiet", "--bare", "-b", "main", str(remote))
    git(tmp_path, "init", "--quiet", "-b", "main", "clone")
    clone = tmp_path / "clone"
    (clone / "a.txt").write_text("a\n")
    git(clone, "add", "--all")
    git(clone, "commit", "--quiet", "-m", "first")
    git(clone, "push", "--quiet", str(remote), "main")
    target = Target(
        name="demo", remote=str(remote), base_branch="main", review=ReviewStamp(on=date(2026, 1, 1), by="p")
    )
    home = tmp_path / "home"
    mirror = open_mirror(home / "mirrors")(target)
    base = mirror.fetch_base()
    mirror.checkout(base, tmp_path / "work")
    (tmp_path / "work" / "a.txt").write_text("better\n")
    head = mirror.commit_tree(base, tmp_path / "work", "improve")
    return Place(home, remote, mirror, target, base, head)
