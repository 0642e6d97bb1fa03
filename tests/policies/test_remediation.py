"""§6.2: the same failure has one fingerprint; its suspects are halved until the culprit is alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.artifact import ArtifactRef
from contracts.evidence import CheckResult, CheckStatus
from contracts.modes import Mode, RunKind, RunStatus
from contracts.release import Rejection
from contracts.remediation import FailureNote, Remediation, RemediationEnd
from contracts.task import CandidateTasks, Finding, FindingFacts, MeasureKind, StateSnapshot
from policies.release.rejection import CHECKS_RULE
from policies.task.asked import with_asked
from policies.task.candidates import rank
from policies.task.idea_memory import Memory, Place
from policies.task.planning import judge_contract, make_contract
from policies.task.remediation import (
    Papers,
    fingerprint,
    left_to_agents,
    part,
    queued_by,
    take_up,
    with_backlog,
    without_taken,
)
from tests.policies.sample_policy import policy
from tests.reporting.sample_run import CHANGE, CONTRACT, RED_TESTS, RUN, SLOW_TYPES, changed, checks_report, decision

POLICY = policy()
TODAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
PRINT = "ab" * 32
SAID = b"..F\nFAILED tests/test_a.py::test_names - assert 1 == 2\n1 failed in 0.31s\n"


def say(body: bytes) -> Callable[[ArtifactRef], bytes]:
    """Every attempt's output."""
    return lambda _ref: body


def printed(*, target: str = "demo", rule: str = "UP", said: bytes = SAID, **more: Any) -> str:
    """The fingerprint of red tests, some facts replaced."""
    return fingerprint(target, "ruff", rule, [RED_TESTS.model_copy(update=more)], say(said))


@pytest.mark.parametrize(
    "same",
    [
        {"said": SAID.replace(b"0.31s", b"12.02s")},
        {"said": b"....F...\n" + SAID},
        {"said": SAID.replace(b"1 == 2", b"3 == 4")},
        {"attempts": RED_TESTS.attempts[:1]},
        {"argv": ("python", "-m", "pytest")},
    ],
)
def test_the_same_failure_has_the_same_fingerprint(same: dict[str, Any]) -> None:
    """Deduplicated by what failed and how, not by when, where or how long."""
    assert printed() == printed(**same)


@pytest.mark.parametrize(
    "other",
    [
        {"target": "another"},
        {"rule": "SIM"},
        {"name": "types"},
        {"status": CheckStatus.TIMEOUT},
        {"said": SAID.replace(b"test_names", b"test_other")},
        {"said": SAID + b"FAILED tests/test_b.py::test_more\n"},
    ],
)
def test_another_failure_has_another(other: dict[str, Any]) -> None:
    """Target, idea, the set of checks, how they ended, what they said."""
    assert printed() != printed(**other)


def test_the_order_of_checks_does_not_matter() -> None:
    """A set."""
    checks: list[CheckResult] = [RED_TESTS, SLOW_TYPES]
    assert fingerprint("demo", "ruff", "UP", checks, say(SAID)) == fingerprint(
        "demo", "ruff", "UP", checks[::-1], say(SAID)
    )


@pytest.mark.parametrize(
    ("paths", "parts"),
    [
        ("", []),
        ("a", []),
        ("ab", ["a", "b"]),
        ("abc", ["ab", "c", "a", "b"]),
        ("abcd", ["ab", "cd", "a", "b", "c", "d"]),
        ("dcba", ["ab", "cd", "a", "b", "c", "d"]),
        ("abcde", ["abc", "de", "ab", "cd", "e", "a", "b", "c", "d"]),
        ("abcdefgh", ["abcd", "efgh", "ab", "cd", "ef", "gh", *"abcdefgh"]),
    ],
)
def test_halving(paths: str, parts: list[str]) -> None:
    """Both halves, then quarters, down to single files; then nothing: one file left is a person's."""
    tried = [part(tuple(paths), attempt) for attempt in range(len(parts) + 1)]
    assert [tuple(each) for each in parts] + [()] == tried


@given(st.sets(st.text(min_size=1, max_size=3), min_size=2, max_size=20), st.integers(0, 60))
def test_every_part_is_smaller_and_every_file_gets_its_turn(paths: set[str], attempt: int) -> None:
    """However many files there are."""
    given_paths = tuple(paths)
    assert len(part(given_paths, attempt)) < len(paths)
    assert set(part(given_paths, 0)) | set(part(given_paths, 1)) == paths
    assert paths == {path for tried in range(60) for path in part(given_paths, tried)}


def rejected(code: str = "check_failed", gate: str = CHECKS_RULE) -> Rejection:
    """The rejection of a release."""
    return Rejection(reason_code=code, failed_gate=gate, recommended_remediation="r", can_retry=True)


def papers(rejection: Rejection | None = None, *checks: CheckResult, **change: Any) -> Papers:
    """What the rejected run of the sample left behind."""
    made = decision().model_copy(update={"rejection": rejection or rejected()})
    inside = {"paths": tuple(changed(path, 1, 1) for path in CONTRACT.scope.allowed_paths)} | change
    return Papers(made, CONTRACT, CHANGE.model_copy(update=inside), checks_report(*(checks or (RED_TESTS,))), say(SAID))


def test_a_rejection_by_checks_queues_one() -> None:
    """§6.2: the idea, the files it touched, the failed checks in short."""
    one = queued_by(RUN, RunStatus.REJECTED, NOW, POLICY, papers())
    assert one is not None
    assert (CONTRACT.task_id, "ruff", "UP", RUN.run_id) == (one.task_id, one.tool, one.rule, one.run_id)
    assert CONTRACT.scope.allowed_paths == one.paths
    assert one.remediating_task == f"remediate-{one.fingerprint[:8]}"
    (note,) = one.failed
    assert ("pytest", CheckStatus.RED) == (note.check, note.status)
    assert "2 failed, 117 passed: FAILED tests/test_a.py::test_names - assert 1 == 2" == note.detail


@pytest.mark.parametrize(
    ("run", "status", "left"),
    [
        ({"mode": Mode.DRY_RUN}, RunStatus.REJECTED, papers()),
        ({"kind": RunKind.SMOKE, "mode": Mode.DRY_RUN}, RunStatus.REJECTED, papers()),
        ({}, RunStatus.FAILED, papers()),
        ({}, RunStatus.PR_OPENED, papers()),
        ({}, RunStatus.ESCALATED, papers(rejected("policy_violation", "every path may be touched"))),
        ({}, RunStatus.REJECTED, papers(rejected("review_refused", "the reviewer approves"))),
        ({}, RunStatus.REJECTED, papers(None, RED_TESTS.model_copy(update={"required": False}))),
        ({}, RunStatus.REJECTED, papers(None, RED_TESTS.model_copy(update={"status": CheckStatus.INFRASTRUCTURE}))),
        ({}, RunStatus.REJECTED, papers(paths=(changed("elsewhere.py", 1, 1),))),
    ],
)
def test_nothing_else_does(run: dict[str, Any], status: RunStatus, left: Papers) -> None:
    """DRY_RUN and smoke, other ends, other gates, checks nobody required or that could not be run."""
    assert queued_by(RUN.model_copy(update=run), status, NOW, POLICY, left) is None


B = Place("ruff", "UP", "src/b.py")


def booked(paths: str = "abcd", **more: Any) -> Remediation:
    """A remediation in Control's books."""
    facts: dict[str, Any] = {
        "fingerprint": PRINT,
        "task_id": "ruff-up-12345678",
        "tool": "ruff",
        "rule": "UP",
        "paths": tuple(f"src/{name}.py" for name in paths),
        "failed": (FailureNote(check="unit", status=CheckStatus.RED, detail="exit 1"),),
        "run_id": "example-2026-11-22-pr-1",
        "at": NOW,
        "most_attempts": 3,
    }
    return Remediation.model_validate(facts | more)


def snapshot(paths: str = "abcd", **more: Any) -> StateSnapshot:
    """Two findings in each file."""
    findings = tuple(
        Finding(
            fingerprint=f"{p}{n}",
            tool="ruff",
            rule="UP",
            path=f"src/{p}.py",
            line=n,
            message="old",
            fixable=True,
            facts=FindingFacts(confidence=0.9, may_change=("*.py",)),
        )
        for p in paths
        for n in (1, 2)
    )
    facts: dict[str, Any] = {
        "run_id": "r",
        "target": "example",
        "base_branch": "main",
        "base_sha": "b" * 40,
        "files": 9,
        "bytes": 9,
        "completeness": 1.0,
        "findings": findings,
    }
    return StateSnapshot.model_validate(facts | more)


def taken(one: Remediation, seen: StateSnapshot, **memory: Any) -> Any:
    """One remediation taken up."""
    return take_up((one,), seen, POLICY, Memory(today=TODAY, **memory))


@pytest.mark.parametrize(
    ("one", "seen", "paths", "needs_person"),
    [
        (booked(), snapshot(), "ab", False),
        (booked(attempts=1), snapshot(), "cd", False),
        (booked(attempts=2), snapshot(), "a", False),
        (booked(), snapshot("abd"), "ab", False),
        (booked(), snapshot("bd"), "b", False),
        (booked(), snapshot("d"), "d", True),
        (booked("a"), snapshot(), "a", True),
        (booked("ab", attempts=2), snapshot(), "ab", True),
        (booked(), snapshot("abcdxyz"), "ab", False),
    ],
)
def test_the_candidate_is_the_same_fix_on_the_part_whose_turn_it_is(
    one: Remediation, seen: StateSnapshot, paths: str, needs_person: bool
) -> None:
    """Measured anew on this base, only in its files; alone, or all tried, it is a person's."""
    (candidate,) = taken(one, seen).candidates
    assert tuple(f"src/{name}.py" for name in paths) == candidate.paths
    assert (2 * len(paths), 0) == (candidate.before, candidate.expected_after)
    assert (one.remediating_task, PRINT, needs_person) == (
        candidate.task_id,
        candidate.remediates,
        candidate.needs_person,
    )
    assert "unit was red in example-2026-11-22-pr-1: exit 1" == candidate.evidence[0]


@pytest.mark.parametrize(
    ("seen", "resolved"),
    [
        (snapshot(""), (PRINT,)),
        (snapshot("xyz"), (PRINT,)),
        (snapshot("", missing=("ruff: gone",)), ()),
        (snapshot("", truncated=1), ()),
        (snapshot("", unread=({"tool": "ruff", "path": "src/a.py", "reason": "odd"},)), ()),
        (snapshot("", unread=({"tool": "ruff", "path": "src/z.py", "reason": "odd"},)), (PRINT,)),
    ],
)
def test_nothing_left_is_resolved_only_if_everybody_could_look(seen: StateSnapshot, resolved: tuple[str, ...]) -> None:
    """P13: not having looked proves nothing."""
    found = taken(booked(), seen)
    assert ((), resolved) == (found.candidates, found.resolved)
    assert bool(resolved) != bool(found.suppressed)


CAPPED = "tried 3 times without success, at most 3; until caps.attempts_per_task is raised"


@pytest.mark.parametrize(
    ("one", "memory", "reason"),
    [
        (booked(), {"open_task_ids": frozenset({"ruff-up-12345678"})}, "a pull request is open for the same idea"),
        (booked(), {"open_task_ids": frozenset(f"x-{n}" for n in range(50))}, "pull requests wait for a person"),
        (booked(), {"refused_tasks": {f"remediate-{PRINT[:8]}": "closed by a person"}}, "closed by a person"),
        (booked(), {"refused": {B: "closed by a person"}, "by_people": {B}}, "closed by a person"),
        (booked(attempts=3), {}, CAPPED),
        (
            booked(attempts=3, ended=RemediationEnd.ATTEMPTS),
            {},
            CAPPED,
        ),
    ],
)
def test_suppressed_with_the_reason(one: Remediation, memory: dict[str, Any], reason: str) -> None:
    """P12, and caps.attempts_per_task."""
    found = taken(one, snapshot(), **memory)
    assert () == found.candidates
    assert [one.remediating_task] == [each.task_id for each in found.suppressed]
    assert reason in found.suppressed[0].reason


@pytest.mark.parametrize("end", [RemediationEnd.PULL_REQUEST, RemediationEnd.RESOLVED])
def test_what_has_ended_well_is_not_mentioned(end: RemediationEnd) -> None:
    """Its pull request is open, or nothing is left."""
    found = taken(booked(ended=end), snapshot())
    assert ((), ()) == (found.candidates, found.suppressed)


def test_an_open_remediation_holds_the_same_idea_back() -> None:
    """Two pull requests would touch the same lines; the remediation's id does not name its idea."""
    memory = Memory(
        today=TODAY, open_task_ids=frozenset({"remediate-abababab"}), ideas={"remediate-abababab": ("ruff", "UP")}
    )
    ranking = rank(snapshot().findings, POLICY, memory)
    assert () == ranking.candidates
    assert "open for the same idea: remediate-abababab" in ranking.suppressed[0].reason


def test_planning_never_takes_what_waits_for_a_person() -> None:
    """Whatever an agent proposes; it stands last in the list."""
    found = taken(booked("a"), snapshot())
    others = rank(snapshot("xy").findings, POLICY, Memory(today=TODAY))
    listed = with_backlog(CandidateTasks(run_id="r", base_sha="b" * 40, candidates=others.candidates), found)
    assert [False, True] == [each.needs_person for each in listed.candidates]
    contract = make_contract(listed.candidates[1], POLICY, "run")
    verdict = judge_contract(contract, POLICY, listed)
    assert not verdict.allowed
    assert "waits for a person" in verdict.reason
    assert {("ruff", "UP", "src/a.py")} == found.cornered


def test_the_remediation_has_its_turn_before_the_idea_on_drifted_files() -> None:
    """One more file makes another task id; the culprit would still be in it. Sound ideas are not held back."""
    found = taken(booked(), snapshot("abcdx"))
    memory = Memory(today=TODAY, suspects=found.suspects)
    (held,) = rank(snapshot("abcdx").findings, POLICY, memory).suppressed
    assert "a remediation of the same idea has its turn first, on src/a.py; until that has ended" == held.reason
    assert [("src/x.py", "src/y.py")] == [
        each.paths for each in rank(snapshot("xy").findings, POLICY, memory).candidates
    ]


@pytest.mark.parametrize(
    ("one", "memory", "paths"),
    [
        (booked("a"), {}, ("src/a.py",)),
        (booked(attempts=3, ended=RemediationEnd.ATTEMPTS), {}, ("src/a.py", "src/b.py")),
        (booked(attempts=3, ended=RemediationEnd.ATTEMPTS), {"by_people": {B}}, ("src/a.py",)),
        (booked(attempts=1), {}, ()),
        (booked(ended=RemediationEnd.PULL_REQUEST), {}, ()),
        (booked(ended=RemediationEnd.RESOLVED), {}, ()),
        (booked(), {}, ()),
        (booked("z"), {}, ()),
    ],
)
def test_what_no_part_of_a_fix_got_through_is_an_agents_task(
    one: Remediation, memory: dict[str, Any], paths: tuple[str, ...]
) -> None:
    """Measured by the tool's findings in those files; not while its own parts are tried, not against a person's no."""
    tasks = left_to_agents(taken(one, snapshot("ab"), **memory), most=5)
    assert [paths] * bool(paths) == [each.paths for each in tasks.values()]
    for task in tasks.values():
        assert ("ruff", "UP", MeasureKind.FINDINGS, 2 * len(paths)) == (task.tool, task.rule, task.measure, task.before)
        assert "where its own fix breaks unit" in task.title
        assert "exit 1" in task.text


def test_what_an_agent_is_asked_for_waits_for_no_person_beside_that() -> None:
    """One entry for one thing; it stays a person's where the agent may not take it now."""
    found = taken(booked("a"), snapshot("a"))
    listed = with_backlog(CandidateTasks(run_id="r", base_sha="b" * 40, candidates=()), found)
    tasks = left_to_agents(found, most=5)

    def shown(memory: Memory) -> list[bool]:
        both = with_asked(listed, tuple(tasks.values()), POLICY, memory)
        return [each.needs_person for each in without_taken(both, tasks).candidates]

    memory = Memory(today=TODAY)
    (taken_up,) = with_asked(listed, tuple(tasks.values()), POLICY, memory).candidates[:1]
    assert [False] == shown(memory)
    assert [True] == shown(memory.model_copy(update={"refused_tasks": {taken_up.task_id: "tried 3 times"}}))


def test_what_an_agent_was_asked_for_is_no_remediation() -> None:
    """There is no part of it that could be tried alone."""
    (task,) = left_to_agents(taken(booked("a"), snapshot()), 5).values()
    mine = replace(papers(), contract=CONTRACT.model_copy(update={"asked": task}))
    assert queued_by(RUN, RunStatus.REJECTED, NOW, POLICY, mine) is None


def test_what_is_not_listed_holds_nothing_back() -> None:
    """Suppressed or ended remediations do not block the idea."""
    for one in (booked(attempts=3), booked(ended=RemediationEnd.ATTEMPTS), booked(ended=RemediationEnd.PULL_REQUEST)):
        assert frozenset() == taken(one, snapshot()).suspects
