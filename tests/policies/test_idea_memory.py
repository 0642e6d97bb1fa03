"""Ideas are remembered per tool, rule and path, and only a judgement of the change suppresses one (P12)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from contracts.artifact import ArtifactRef
from contracts.handover import PinnedPolicy, RunRef
from contracts.modes import Mode, RunKind, RunStatus, StepName
from contracts.release import Rejection
from contracts.report import IndexedRun, ReportInput, StepRecord
from contracts.rollback import Idea
from contracts.verdict import Decision, Verdict
from policies.release.rejection import FailedGate, judged
from policies.release.release import judge_release
from policies.run.known_bad import good_facts
from policies.task.candidates import rank, told
from policies.task.idea_memory import Memory, PersonsNo, Place, remember
from tests.policies.sample_policy import policy
from tests.policies.test_candidates import found

POLICY = policy()
TODAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
A, B, C = (Place("ruff", "UP", f"src/{name}.py") for name in "abc")


def ended(status: RunStatus = RunStatus.REJECTED, paths: str = "a", day: str = "2026-11-20", **more: Any) -> IndexedRun:
    """A run of the index."""
    idea = Idea(task_id="t", title="t", tool="ruff", rule="UP", paths=tuple(f"src/{name}.py" for name in paths))
    facts: dict[str, Any] = {
        "run_id": f"example-{day}-pr-1", "target": "example", "kind": RunKind.DAILY, "mode": Mode.PR_ONLY, "date": day,
        "status": status, "outcome": None, "task_id": "t", "pull_request": None, "idea": idea, "judged": True,
        "ended_at": NOW,
    }  # fmt: skip
    return IndexedRun.model_validate(facts | more)


def remembered(*runs: IndexedRun, noes: tuple[PersonsNo, ...] = ()) -> Memory:
    """Of these runs, newest first."""
    return remember(TODAY, frozenset(), runs, noes, POLICY)


CAPPED = "tried 3 times without success, at most 3; until caps.attempts_per_task is raised"
NO = PersonsNo("t", frozenset({A}), "pull request 3 was closed by a person")


@pytest.mark.parametrize(
    ("memory", "refused"),
    [
        (remembered(ended()), {A: "rejected on 2026-11-20, suppressed until 2026-12-20"}),
        (remembered(ended(paths="ab")), dict.fromkeys((A, B), "rejected on 2026-11-20, suppressed until 2026-12-20")),
        (remembered(ended(judged=False)), {}),
        (remembered(ended(RunStatus.FAILED, judged=False)), {}),
        (remembered(ended(RunStatus.MERGED, judged=False)), {}),
        (remembered(ended(day="2026-10-24")), {}),
        (remembered(ended(day="2026-10-25")), {A: "rejected on 2026-10-25, suppressed until 2026-11-24"}),
        (remembered(*(ended(day=f"2026-0{n}-01") for n in (3, 2, 1))), {A: CAPPED}),
        (remembered(*(ended(day=f"2026-0{n}-01") for n in (2, 1))), {}),
        (remembered(*(ended(judged=False) for _ in range(9))), {}),
        (remembered(noes=(NO,)), {A: NO.what}),
        (remembered(ended(), noes=(NO,)), {A: NO.what}),
    ],
)  # fmt: skip
def test_what_suppresses_an_idea_in_a_file(memory: Memory, refused: dict[Place, str]) -> None:
    """Judged lately, judged too often, or a person's no; never a day on which nothing was judged."""
    assert refused == memory.refused


def test_a_line_from_before_ideas_were_listed_counts_by_its_task_id() -> None:
    """An update of the program forgets nothing, and takes nothing more for a judgement than it did."""
    old = ended(idea=None, judged=None)
    assert {"t": "rejected on 2026-11-20, suppressed until 2026-12-20"} == remembered(old).refused_tasks
    assert {} == remembered(ended(RunStatus.FAILED, idea=None, judged=None)).refused_tasks


def test_one_more_file_brings_nothing_back() -> None:
    """The rest of the idea is proposed without the refused file; an agent that lists it all the same is held back."""
    memory, findings = remembered(noes=(NO,)), (*found("src/a.py"), *found("src/b.py"))
    free = tuple(each for each in findings if Place(each.tool, each.rule, each.path) not in memory.refused)
    assert [("src/b.py",)] == [each.paths for each in rank(free, POLICY, memory).candidates]
    assert [NO.what] == [each.reason for each in rank(findings, POLICY, memory).suppressed]
    assert [("Modernize an outdated construct in `a.py`", NO.what)] == [
        (each.title, each.reason) for each in told(findings, POLICY, memory)
    ]


def test_what_was_tried_in_vain_lets_others_go_first() -> None:
    """It may be tried again, but not before everything else, day after day."""
    tried = remembered(*(ended(judged=False) for _ in range(3)))
    findings = (*found("src/a.py", 3), *found("src/b.py", 1, rule="F"))
    first = [each.rule for each in rank(findings, POLICY, remembered()).candidates]
    assert (["UP", "F"], ["F", "UP"]) == (first, [each.rule for each in rank(findings, POLICY, tried).candidates])


def run_end(status: RunStatus, step: StepName, decision: Decision = Decision.ALLOW, **more: Any) -> ReportInput:
    """How a run ended, with the last step's word."""
    kept = ArtifactRef(name="policy.json", sha256="0" * 64, size=0, media_type="", location="")
    run = RunRef(
        run_id="r", target="example", kind=RunKind.DAILY, mode=Mode.PR_ONLY, date="2026-11-23", attempt=1,
        workflow_id="w", started_at=NOW, started_by="", policy=PinnedPolicy(digest="0" * 64, artifact=kept),
    )  # fmt: skip
    verdict = Verdict(rule="rule", decision=decision, reason="reason")
    record = StepRecord(step=step, started_at=NOW, ended_at=NOW, handover=None, verdict=verdict)
    facts: dict[str, Any] = {"outcome": None, "writes": (), "artifacts": (), "ended_at": NOW, "task_id": "t"}
    return ReportInput(run=run, status=status, reason="", base_sha="b" * 40, steps=(record,), **facts | more)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (run_end(RunStatus.REJECTED, StepName.CODE, Decision.DENY), True),
        (run_end(RunStatus.REJECTED, StepName.PLAN, Decision.DENY), True),
        (run_end(RunStatus.REJECTED, StepName.PLAN, Decision.ASK), False),
        (run_end(RunStatus.REJECTED, StepName.PLAN, Decision.ASK, refused_by="alice"), True),
        (run_end(RunStatus.REJECTED, StepName.SENSE, Decision.DENY), False),
        (run_end(RunStatus.ESCALATED, StepName.CODE, Decision.ESCALATE), True),
        (run_end(RunStatus.FAILED, StepName.CODE), False),
        (run_end(RunStatus.CANCELLED, StepName.CODE, Decision.DENY), False),
        (run_end(RunStatus.PR_OPENED, StepName.RELEASE), False),
    ],
)
def test_which_ends_judge_the_change(given: ReportInput, expected: bool) -> None:
    """Nobody's answer is no answer; a person's no to the contract is one."""
    assert expected is judged(given, None)


@pytest.mark.parametrize("gate", list(FailedGate), ids=lambda gate: gate.name)
def test_a_rejection_suppresses_exactly_as_it_says(gate: FailedGate) -> None:
    """What it lets be tried again at once is not suppressed; what it keeps away is."""
    decision = judge_release(good_facts(POLICY))
    later = "2026-12-23" if gate.value.later else None
    said = Rejection(
        reason_code=gate.value.code, failed_gate="g", recommended_remediation="r", can_retry=True, retry_after=later
    )
    refused = decision.model_copy(update={"rejection": said})
    given = run_end(RunStatus.REJECTED, StepName.RELEASE, Decision.DENY)
    assert gate.value.later is judged(given, refused)
    # A write that the remote refused came after a decision that rejected nothing.
    assert not judged(run_end(RunStatus.REJECTED, StepName.RELEASE), decision.model_copy(update={"rejection": None}))


def test_what_an_agent_was_asked_for_is_one_task_whatever_files_it_touched() -> None:
    """The cap on attempts counts it, and a rejection holds for it, in whatever other files the next try would be."""

    def tried(day: str, path: str, status: RunStatus = RunStatus.REJECTED, *, judged: bool = True) -> IndexedRun:
        idea = Idea(task_id="t", title="t", tool="asked", rule="ci", paths=(path,))
        return ended(status, day=day, idea=idea, judged=judged)

    everywhere = Place("asked", "ci", "")
    late = remembered(tried("2026-11-20", "a"))
    assert {everywhere: "rejected on 2026-11-20, suppressed until 2026-12-20"} == late.refused
    assert {everywhere: CAPPED} == remembered(*(tried(f"2026-0{n}-01", f"{n}") for n in (3, 2, 1))).refused
    unjudged = (tried(f"2026-0{n}-01", "a", judged=False) for n in (3, 2, 1))
    assert {everywhere: CAPPED} == remembered(*unjudged).refused
    mended = tried("2026-02-15", "a", RunStatus.PR_OPENED, judged=False)
    march, february = tried("2026-03-01", "a"), tried("2026-02-01", "a")
    assert {} == remembered(march, mended, february, february).refused
    assert {everywhere: CAPPED} == remembered(march, february, february, mended).refused
    lost = (tried(f"2026-0{n}-01", "a", RunStatus.FAILED, judged=False) for n in (3, 2, 1))
    assert {} == remembered(*lost).refused
