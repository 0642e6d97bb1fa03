"""The references of a run: as many steps that do nothing; and ones that keep artifacts and do a run's git, plainly.

No sandbox, no checks, no policy, no audit chain, no clearances, no reports: what those cost is what is measured.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from temporalio import activity, workflow

STEPS = 13
_ARTIFACT = b"x" * 10_000
"""A run keeps 17 to 20 files, 250 kB together."""


@activity.defn(name="nothing")
def nothing() -> None:
    """A step that does nothing."""


@workflow.defn(name="Raw")
class Raw:
    """One after the other."""

    @workflow.run
    async def run(self) -> None:
        """All of them."""
        for _ in range(STEPS):
            await workflow.execute_activity("nothing", start_to_close_timeout=timedelta(seconds=10))


@workflow.defn(name="RawWithGit")
class RawWithGit:
    """The same with artifacts and git; ``writes`` as PR_ONLY."""

    @workflow.run
    async def run(self, place: str, writes: bool) -> None:  # a workflow's arguments have places
        """All of them."""
        for step in range(STEPS):
            await workflow.execute_activity(
                "work", args=[place, step, writes], start_to_close_timeout=timedelta(seconds=60)
            )


class PlainSteps:
    """What the steps of ``RawWithGit`` do, in a folder with ``remote.git`` and, kept over runs, ``mirror.git``."""

    def __init__(self, plain: Callable[..., str]) -> None:
        """``plain`` runs a git command."""
        self._plain = plain

    @activity.defn(name="work")
    def work(self, place: str, step: int, writes: bool) -> None:
        """An artifact and a line in a log, both on the disk when it ends; and git, where a run does some."""
        run = Path(place) / activity.info().workflow_id
        run.mkdir(exist_ok=True)
        git = {0: self._fetch, 4: self._change, 6: self._merge, 9: self._push if writes else None}.get(step)
        if git is not None:
            git(Path(place), run)
        kept = run / f"{step}.json"
        _durable(kept.with_suffix(".new"), _ARTIFACT, os.O_CREAT | os.O_EXCL)
        kept.with_suffix(".new").rename(kept)
        _durable(run / "log.jsonl", b"{}\n" * 3, os.O_CREAT | os.O_APPEND)
        if step == STEPS - 1:
            shutil.rmtree(run)

    def _fetch(self, place: Path, run: Path) -> None:
        mirror = str(place / "mirror.git")
        if not Path(mirror).exists():
            self._plain("init", "--quiet", "--bare", mirror)
        remote = str(place / "remote.git")
        self._plain("fetch", "--quiet", "--no-tags", remote, "+main:refs/remotes/origin/main", GIT_DIR=mirror)
        (run / "base").write_text(self._plain("rev-parse", "refs/remotes/origin/main", GIT_DIR=mirror))

    def _change(self, place: Path, run: Path) -> None:
        base, work, ref = (run / "base").read_text(), run / "work", f"refs/heads/{run.name}"
        places = {"GIT_DIR": str(place / "mirror.git"), "GIT_WORK_TREE": str(work)}
        work.mkdir()
        self._plain("read-tree", "--reset", "-u", base, **places, GIT_INDEX_FILE=str(run / "i1"))
        (work / "README.md").write_text(f"{uuid.uuid4()}\n")
        places["GIT_INDEX_FILE"] = str(run / "i2")
        self._plain("read-tree", base, **places)
        self._plain("add", "--all", "--", ":/", **places)
        head = self._plain("commit-tree", self._plain("write-tree", **places), "-p", base, "-m", "change", **places)
        self._plain("diff-tree", "-r", "-z", "--raw", "--numstat", "--no-renames", base, head, **places)
        self._plain("update-ref", ref, head, **places)
        self._plain("bundle", "create", "-q", str(run / "change.bundle"), ref, f"^{base}", **places)
        (run / "head").write_text(head)

    def _merge(self, place: Path, run: Path) -> None:
        base, head, check = (run / "base").read_text(), (run / "head").read_text(), run / "check"
        places = {"GIT_DIR": str(place / "mirror.git"), "GIT_WORK_TREE": str(check)}
        tree = self._plain("merge-tree", "--write-tree", base, head, **places)
        merged = self._plain("commit-tree", tree, "-p", base, "-p", head, "-m", "merge", **places)
        check.mkdir()
        self._plain("read-tree", "--reset", "-u", merged, **places, GIT_INDEX_FILE=str(run / "i3"))

    def _push(self, place: Path, run: Path) -> None:
        branch = f"{(run / 'head').read_text()}:refs/heads/{run.name}"
        self._plain("push", "--quiet", str(place / "remote.git"), branch, GIT_DIR=str(place / "mirror.git"))


def _durable(place: Path, body: bytes, how: int) -> None:
    descriptor = os.open(place, os.O_WRONLY | how, 0o600)
    try:
        os.write(descriptor, body)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
