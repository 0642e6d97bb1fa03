"""An agent that is interrupted: what it left is kept, gone on from, and judged when it is done (issue 14.3)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from temporalio.exceptions import CancelledError

from activities.run.checking import CheckRunner
from activities.run.coding import Coding
from contracts.exchange import AgentOutcome
from contracts.forge_facts import FORGE_RESTS
from contracts.handover import StepResult
from contracts.modes import Role
from contracts.verdict import Decision
from ports.agents import AgentStopped, Brief
from tests.attacks.stage import PATH, RIGHT, TYPO, PlayedAgent, Stage, done, make_stage


def stopping(outcome: AgentOutcome, retry_after: float | None = None) -> Callable[[Brief], str]:
    """Mends the typo, and is interrupted."""

    def coding(brief: Brief) -> str:
        assert brief.tree is not None
        file = brief.tree / PATH
        file.write_text(file.read_text().replace(TYPO, RIGHT))
        brief.keep("record.json", b"{}", "application/json")
        raise AgentStopped(outcome, "played: it was interrupted", retry_after)

    return coding


def code(
    stage: Stage, coding: Callable[[Brief], str], after: StepResult | None = None, times: int = 1, **contract: str
) -> StepResult:
    """The coding step, once; ``after``: in the round that follows the one of this result."""
    task = stage.contract.model_copy(update=contract)
    bench = stage.with_agent(PlayedAgent({Role.CODING: coding}))
    given = stage.to_code(task).model_copy(update={"round": times})
    if after:
        # As a run's ledger has them: the newest of each name.
        known = {ref.name: ref for ref in (*given.artifacts, *after.handover.output_artifacts)}
        given = given.model_copy(update={"artifacts": tuple(known.values())})
    return done(Coding(bench, CheckRunner(bench.environments, bench.sandbox)).code, given)


@pytest.mark.parametrize(
    ("outcome", "decision", "words"),
    [
        (AgentOutcome.RATE_LIMITED, Decision.HOLD, "The run goes on by itself"),
        (AgentOutcome.ENDPOINT_DOWN, Decision.HOLD, "see whether the provider"),
        (AgentOutcome.BUDGET, Decision.HOLD, "raise the cap"),
        (AgentOutcome.SPENT, Decision.DENY, "raise the role's usd"),
        (AgentOutcome.UNAUTHORISED, Decision.HOLD, "renew the key"),
        (AgentOutcome.PAUSED, Decision.HOLD, "paused: played"),
        (AgentOutcome.DEADLINE, Decision.DENY, "played: it was interrupted"),
        (AgentOutcome.REFUSED, Decision.DENY, "played: it was interrupted"),
    ],
)
def test_what_waits_holds_and_what_failed_is_a_no(
    stage: Stage, outcome: AgentOutcome, decision: Decision, words: str
) -> None:
    """Each says what to do; the record and the tree are kept either way, and named by the audit log."""
    result = code(stage, stopping(outcome, 90.0))
    assert decision is result.verdict.decision
    assert words in result.verdict.reason
    assert (90.0 if outcome is AgentOutcome.RATE_LIMITED else None) == result.verdict.facts.get(FORGE_RESTS)
    kept = {ref.name for ref in result.handover.output_artifacts}
    assert {"agent/record.json", "agent/partial.bundle", "agent/partial.json"} == kept
    digests = {ref.sha256 for ref in result.handover.output_artifacts}
    records = stage.bench.audit.records(f"run/{stage.run.run_id}")
    assert any(digests <= set(record.artifacts) for record in records)


def test_the_same_step_goes_on_from_what_is_kept(stage: Stage) -> None:
    """It finds the tree as it was left, is told so, and its change is judged whole, against the base."""
    code(stage, stopping(AgentOutcome.PAUSED))
    seen = []

    def going_on(brief: Brief) -> str:
        assert brief.tree is not None
        brief.keep("record.json", b"{}", "application/json")
        seen.append((brief.resumed, (brief.tree / PATH).read_text()))
        return "{}"

    result = code(stage, going_on)
    assert [(True, True)] == [(resumed, RIGHT in text) for resumed, text in seen]
    assert result.verdict.allowed, result.verdict
    change = stage.kept_json("change.json")
    assert ([PATH], 2, 0) == (
        [each["path"] for each in change["paths"]],
        change["metricBefore"],
        change["metricAfter"],
    )


def test_another_contract_begins_from_the_base(stage: Stage) -> None:
    """What was left was left for its own task."""
    code(stage, stopping(AgentOutcome.PAUSED))
    seen = []

    def anew(brief: Brief) -> str:
        seen.append((brief.resumed, TYPO in (brief.tree / PATH).read_text()))
        return "{}"

    code(stage, anew, title="Another task")
    assert [(False, True)] == seen


def test_a_forged_tree_is_not_gone_on_from(stage: Stage) -> None:
    """Only what the run's own audit log names (P6)."""
    code(stage, stopping(AgentOutcome.PAUSED))
    forged = stage.kept("agent/partial.json") + b"\n"
    stage.bench.store.put(stage.run.run_id, "agent/partial.json", forged)
    seen = []

    def anew(brief: Brief) -> str:
        seen.append(brief.resumed)
        return "{}"

    code(stage, anew)
    assert [False] == seen


def test_what_no_commit_can_hold_is_not_kept(stage: Stage) -> None:
    """A pipe in the tree: the next attempt begins from the base."""

    def hostile(brief: Brief) -> str:
        assert brief.tree is not None
        os.mkfifo(brief.tree / "pipe")
        raise AgentStopped(AgentOutcome.DEADLINE, "its time was over")

    result = code(stage, hostile)
    assert Decision.DENY is result.verdict.decision
    assert [] == [ref.name for ref in result.handover.output_artifacts]


@pytest.mark.parametrize("stopped", [False, True])
def test_what_nobody_could_look_at_is_no_change(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, *, stopped: bool
) -> None:
    """A no of the step, and nothing of it is held in memory or kept: not an error, after which it is asked again."""
    monkeypatch.setattr("activities.run.coding._LARGEST_WORK", 1)

    def coding(brief: Brief) -> str:
        assert brief.tree is not None
        (brief.tree / PATH).write_bytes(b"x\n" * (2 << 20))
        if stopped:
            raise AgentStopped(AgentOutcome.DEADLINE, "played: it was interrupted")
        return "{}"

    result = code(stage, coding)
    assert result.verdict.decision is Decision.DENY
    assert stopped or "beyond the limits" in result.verdict.reason
    assert not [ref.name for ref in result.handover.output_artifacts if ref.name.endswith((".bundle", ".diff"))]


@pytest.fixture
def asked(tmp_path: Path, environments: Path) -> Stage:
    """Somebody codes who is asked, and paid, again where something is refused."""
    charter = '[providers.lab]\nurl = "http://127.0.0.1:9"\n[prices.small]\ninput = 3\noutput = 15\n'
    coder = 'backend = "command"\nargv = ["/usr/bin/true"]\nprovider = "lab"\nmodels = ["small"]\nrounds = 3\n'
    coder += "usd = 1.0\ntokens = 100_000"
    return make_stage(tmp_path / "asked", environments, coder=coder, charter=charter)


@dataclass
class Rounds:
    """A coder that writes what a test says, by turns, and how it found its tree."""

    stage: Stage
    found: list[tuple[str, bool, bool]] = field(default_factory=list)

    def write(self, text: str | None, ends: AgentOutcome | None = None) -> Callable[[Brief], str]:
        """One answer; ``ends``: it is interrupted after it wrote."""

        def coding(brief: Brief) -> str:
            assert brief.tree is not None
            place = brief.tree / "README.md"
            self.found.append((place.read_text().splitlines()[-1], brief.resumed, brief.again))
            if text is not None:
                place.write_text(f"# pkg\n\n{text}\n")
            if ends is not None:
                raise AgentStopped(ends, "played")
            return "{}"

        return coding


BASE = "You recieve names."


def test_a_round_begins_from_what_the_one_before_handed_over(asked: Stage) -> None:
    """An attempt of it from what it has left itself; who ended it decides whether leaving it so is no progress."""
    rounds = Rounds(asked)
    first = code(asked, rounds.write("one"))
    code(asked, rounds.write("two", AgentOutcome.PAUSED), first, 2)
    second = code(asked, rounds.write(None), first, 2)
    third = code(asked, rounds.write("three", AgentOutcome.CUT), second, 3)
    code(asked, rounds.write(None), third, 4)
    assert rounds.found == [
        (BASE, False, False),
        ("one", False, True),
        ("two", True, False),
        ("two", False, True),
        ("three", True, False),
    ]


def test_an_attempt_that_did_nothing_more_leaves_a_refused_tree_refused(asked: Stage) -> None:
    """What was handed over and refused is not progress since a pause came in between."""
    rounds = Rounds(asked)
    first = code(asked, rounds.write("one"))
    code(asked, rounds.write(None, AgentOutcome.PAUSED), first, 2)
    code(asked, rounds.write(None), first, 2)
    assert [("one", False, True)] * 2 == rounds.found[1:]


def test_what_was_handed_over_is_not_asked_for_again(asked: Stage) -> None:
    """Its worker died while it was measured: the same round goes on to measure it; the next one asks."""
    rounds = Rounds(asked)
    first = code(asked, rounds.write("one"))
    died = code(asked, rounds.write("two"), first, 2)
    again = code(asked, rounds.write("never"), first, 2)
    assert died.pins.head_sha == again.pins.head_sha
    assert 2 == len(rounds.found)
    code(asked, rounds.write("three"), again, 3)
    assert ("two", False, True) == rounds.found[-1]


def test_a_round_that_is_taken_back_begins_where_it_began(asked: Stage) -> None:
    """A reset: what later rounds left is not what this one is given."""
    rounds = Rounds(asked)
    first = code(asked, rounds.write("one"))
    second = code(asked, rounds.write("two"), first, 2)
    code(asked, rounds.write("three"), second, 3)
    code(asked, rounds.write("other", AgentOutcome.CUT), first, 2)
    assert ("one", False, True) == rounds.found[-1]


def test_a_forged_tree_is_not_a_round_s_either(asked: Stage) -> None:
    """It goes on from what the run's history names."""
    rounds = Rounds(asked)
    first = code(asked, rounds.write("one"))
    code(asked, rounds.write("two", AgentOutcome.PAUSED), first, 2)
    asked.bench.store.put(asked.run.run_id, "agent/partial.json", asked.kept("agent/partial.json") + b"\n")
    code(asked, rounds.write(None), first, 2)
    assert ("one", False, True) == rounds.found[-1]


def test_whoever_dies_has_named_what_it_left(asked: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The audit log has the tree, the record and the transcript before the step ends, and the next attempt's, too."""
    rounds = Rounds(asked)

    def keeping(name: str) -> Callable[[Brief], str]:
        def coding(brief: Brief) -> str:
            brief.keep(name, b"{}", "application/json")
            return rounds.write("one", AgentOutcome.PAUSED)(brief)

        return coding

    def dies(_point: str) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("activities.step_session.crashpoint", dies)
        with pytest.raises(KeyboardInterrupt):
            code(asked, keeping("first.json"))
    code(asked, keeping("second.json"))
    assert ("one", True, False) == rounds.found[-1]
    named = {each.facts.get("artifact") for each in asked.bench.audit.records(f"run/{asked.run.run_id}")}
    assert {"agent/first.json", "agent/second.json", "agent/partial.json"} <= named


def test_a_worker_that_leaves_keeps_the_tree(asked: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A deploy in the middle of an agent's work; of a step that was cancelled nothing is gone on from."""
    rounds = Rounds(asked)

    def interrupted(text: str) -> Callable[[Brief], str]:
        def coding(brief: Brief) -> str:
            rounds.write(text)(brief)
            raise CancelledError("the step was cancelled")

        return coding

    with pytest.raises(CancelledError):
        code(asked, interrupted("cancelled"))
    monkeypatch.setattr("activities.run.coding.activity.is_worker_shutdown", lambda: True)
    with pytest.raises(CancelledError):
        code(asked, interrupted("one"))
    code(asked, rounds.write(None))
    assert [(BASE, False, False), (BASE, False, False), ("one", True, False)] == rounds.found
