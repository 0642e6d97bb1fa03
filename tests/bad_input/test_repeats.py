"""What is open, rejected or tried too often is not proposed again; nothing to do is no failure."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from world import PACKAGE, World, git

from activities.run.triaging import Triaging
from contracts.handover import StepResult
from contracts.modes import Mode, Role, RunKind, RunStatus
from contracts.report import IndexedRun
from tests.attacks.stage import PlayedAgent, Stage, candidate, done
from tests.workflows.quick import quick

ONE_TYPO = PACKAGE | {
    "pkg/__init__.py": 'def names():\n    return ["a", "b"]\n',
    "pkg/other.py": "",
    "README.md": "# pkg\n",
}
ONE_TYPO["README.md"] = "# pkg\n\nYou recieve names.\n"


async def test_an_idea_is_proposed_once_and_not_after_a_person_closed_it(world: World) -> None:
    """Open: not again. Branch deleted without a merge: suppressed, with the reason. Both end NOTHING_TO_DO."""
    world.add_target("one", ONE_TYPO)
    async with world.worker(quick(world)):
        first = await world.run("one")
        second = await world.run("one", again=True)
        (branch,) = world.autonomy_branches("one")
        git("update-ref", "-d", branch, cwd=world.root / "one.git")
        third = await world.run("one", again=True)

    assert [RunStatus.PR_OPENED, RunStatus.NOTHING_TO_DO, RunStatus.NOTHING_TO_DO] == [
        first.status, second.status, third.status
    ]  # fmt: skip
    assert 1 == len(world.pulls("one"))
    open_, closed = (world.artifact(run.run_id, "candidate_tasks.json")["suppressed"] for run in (second, third))
    assert "a pull request is open for the same idea" in open_[0]["reason"]
    assert "rejected on" in closed[0]["reason"]
    assert [] == world.autonomy_branches("one")


async def test_nothing_worth_doing_is_a_good_end(world: World) -> None:
    """A clean repository: NOTHING_TO_DO, and no outcome, alert or pull request."""
    world.add_target("clean", ONE_TYPO | {"README.md": "# pkg\n"})
    async with world.worker(quick(world)):
        result = await world.run("clean")

    assert (RunStatus.NOTHING_TO_DO, "") == (result.status, result.outcome)
    assert "nothing worth doing" in result.reason
    assert not (world.settings.home / "alerts.jsonl").exists()
    assert [] == world.pulls("clean")


def ended(stage: Stage, number: int, status: RunStatus, mode: Mode = Mode.PR_ONLY) -> None:
    """Add an ended run to the index, as Audit does."""
    entry = IndexedRun(
        run_id=f"demo-old-{number}",
        target="demo",
        kind=RunKind.DAILY,
        mode=mode,
        date=stage.run.date,
        status=status,
        outcome=None,
        task_id=candidate().task_id,
        pull_request=None,
        ended_at=datetime.now(UTC),
    )
    index = stage.world.settings.artifacts / "runs" / "index.jsonl"
    with index.open("a", encoding="utf-8") as file:
        file.write(entry.model_dump_json() + "\n")


def triage(stage: Stage) -> StepResult:
    """Propose the one idea again."""
    agent = PlayedAgent({Role.TRIAGING: lambda brief: stage.candidates.model_dump_json()})
    step = Triaging(stage.with_agent(agent), stage.adapters.index).triage
    return done(step, stage.given(("state_snapshot.json", stage.snapshot)))


HISTORIES = {
    "failed three times": ((RunStatus.FAILED, Mode.PR_ONLY), 3, "tried 3 times without success, at most 3"),
    "cancelled three times": ((RunStatus.CANCELLED, Mode.PR_ONLY), 3, "tried 3 times"),
    "rejected once": ((RunStatus.REJECTED, Mode.PR_ONLY), 1, "rejected on"),
    "escalated once": ((RunStatus.ESCALATED, Mode.PR_ONLY), 1, "rejected on"),
    "failed twice": ((RunStatus.FAILED, Mode.PR_ONLY), 2, ""),
    "rejected in a dry run": ((RunStatus.REJECTED, Mode.DRY_RUN), 3, ""),
}


@pytest.mark.parametrize("name", HISTORIES)
def test_attempts_are_capped_across_runs(name: str, stage: Stage) -> None:
    """Caps and rejections suppress, with the reason; a DRY_RUN uses nothing up."""
    (status, mode), times, says = HISTORIES[name]
    for number in range(times):
        ended(stage, number, status, mode)
    result = triage(stage)
    reasons = [each["reason"] for each in stage.kept_json("candidate_tasks.json")["suppressed"]]
    assert bool(says) is result.nothing_to_do
    assert ([says] if says else []) == [says for reason in reasons if says in reason]
