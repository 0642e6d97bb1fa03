"""An idea's whole life with people: made by hand meanwhile, refused, merged and taken back (P12)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from world import World, git

from contracts.admission import RunResult
from contracts.modes import Role, RunStatus
from contracts.task import Finding
from ports.agents import Brief
from ports.measures import Detection, Look
from tests.workflows.quick import CHECK, FILES, Speller

NAME = "ideas"
WRONG, RIGHT = "You recieve names.\n", "You receive names.\n"


@dataclass
class Proofreader(Speller):
    """Finds and mends the word in every Markdown file."""

    def detect(self, look: Look) -> Detection:
        """One finding a file."""
        wrong = [path.name for path in sorted(look.tree.glob("*.md")) if "recieve" in path.read_text()]
        found = (
            Finding(fingerprint=name, tool="codespell", rule="docs", path=name, line=1, message="recieve", fixable=True)
            for name in wrong
        )
        return Detection(tuple(found), 1, ())

    def answer(self, brief: Brief) -> str:
        """Only what the contract allows."""
        if brief.role is not Role.CODING:
            return super().answer(brief)
        self.pay(brief)
        assert brief.contract is not None
        for name in brief.contract.scope.allowed_paths:
            place = (brief.tree or Path()) / name
            place.write_text(place.read_text().replace("recieve", "receive"))
        return json.dumps({"summary": "receive"})


@dataclass
class Person:
    """Somebody with a clone of the target."""

    world: World

    def commits(self, **files: str) -> None:
        """Write Markdown files, push the base."""
        for name, text in files.items():
            (self._work / f"{name}.md").write_text(text)
        git("add", "--all", cwd=self._work)
        git("commit", "--quiet", "--message=By hand", cwd=self._work)
        self._push()

    def merges_and_takes_back(self, branch: str) -> None:
        """A merge and its revert, pushed at once."""
        git("fetch", "--quiet", str(self._remote), branch, cwd=self._work)
        git("merge", "--quiet", "--no-ff", "--message=Merged", "FETCH_HEAD", cwd=self._work)
        git("revert", "--no-edit", "--mainline", "1", "HEAD", cwd=self._work)
        self._push()

    def closes(self, branch: str) -> None:
        """On a plain repository: by deleting the branch."""
        git("update-ref", "-d", f"refs/heads/{branch}", cwd=self._remote)

    @property
    def _work(self) -> Path:
        return self.world.root / f"{NAME}-work"

    @property
    def _remote(self) -> Path:
        return self.world.root / f"{NAME}.git"

    def _push(self) -> None:
        git("push", "--quiet", str(self._remote), "HEAD:refs/heads/main", cwd=self._work)


async def test_an_idea_is_remembered_file_by_file(world: World) -> None:
    """What a person did by hand is closed and counts no more; what a person refused or undid stays away, no more."""
    world.add_target(NAME, {**FILES, "README.md": WRONG}, CHECK)
    person = Person(world)
    async with world.worker(world.bench(Proofreader)):
        first = await _opened(world, {"README.md"})

        person.commits(README=RIGHT, SECOND=WRONG)
        second = await _opened(world, {"SECOND.md"})
        mine, open_now = world.pulls(NAME)
        assert ("closed", "open") == (mine["state"], open_now["state"])
        assert "`main` holds this change already" in mine["body"]
        assert first.pull_request is not None
        assert first.run_id in mine["body"]
        assert world.artifact(second.run_id, "state_snapshot.json")["openPullRequests"] == []

        person.closes(_branch(second))
        person.commits(THIRD=WRONG)
        third = await _opened(world, {"THIRD.md"})
        closed = "rejected on the forge: a person closed pull request 2; until it is open again"
        assert [closed] == _suppressed(world, third)

        person.merges_and_takes_back(_branch(third))
        last = await world.run(NAME, again=True)
        assert RunStatus.NOTHING_TO_DO is last.status, last.reason
        undone = "pull request 3 was merged, and a person took its change out of the base again; until the base holds "
        undone += "it once more"
        assert {closed, undone} == set(_suppressed(world, last))

        # Two noes in one place: a file that nobody was asked about is not proposed, until the owner lifts that.
        person.commits(FOURTH=WRONG)
        quiet = _suppressed(world, await world.run(NAME, again=True))
        said = "pull requests 2 and 3, the last of this kind in the root folder, were closed or undone; until one is "
        said += 'reopened, or improve.again."codespell docs" in targets/ideas.toml is a later day than theirs'
        assert f"quiet: {said}" in quiet
        file = world.settings.policies / "targets" / f"{NAME}.toml"
        tomorrow = date.today() + timedelta(days=1)  # noqa: DTZ011  # later than the runs' days, in any zone
        file.write_text(f'{file.read_text()}\n[improve.again]\n"codespell docs" = {tomorrow}\n')
        await _opened(world, {"FOURTH.md", "THIRD.md", "SECOND.md"})

        # As many as the cap are open: nothing more is opened, whatever else is found.
        policy = world.settings.policies / "autopilot.toml"
        policy.write_text(policy.read_text().replace("open_pull_requests = 5", "open_pull_requests = 1"))
        person.commits(FIFTH=WRONG)
        opened = len(world.pulls(NAME))
        full = await world.run(NAME, again=True)
        assert RunStatus.NOTHING_TO_DO is full.status, full.reason
        assert "1 pull request waits for a person, at most 1; until one is merged or closed" in _suppressed(world, full)
        assert opened == len(world.pulls(NAME))


async def _opened(world: World, files: set[str]) -> RunResult:
    result = await world.run(NAME, again=True)
    assert RunStatus.PR_OPENED is result.status, result.reason
    changed = git("diff", "--name-only", "main", _branch(result), cwd=world.root / f"{NAME}.git")
    assert files == set(changed.split())
    return result


def _branch(result: RunResult) -> str:
    assert result.pull_request is not None
    return result.pull_request.branch


def _suppressed(world: World, result: RunResult) -> list[str]:
    return [each["reason"] for each in world.artifact(result.run_id, "candidate_tasks.json")["suppressed"]]
