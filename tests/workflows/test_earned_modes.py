"""Earned modes (issue 12 §4): Control lets a kind of task merge by itself where it earned that, or a person says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from shell import shell_of
from world import World

from contracts.alert import AlertKind
from contracts.clearance import WriteAnswerKind
from contracts.incident import IncidentReport, Trigger
from contracts.modes import Mode, RunStatus, WriteAction
from contracts.task import TaskType
from tests.workflows import auto
from tests.workflows.books import DAY, Books
from tests.workflows.money import Till, terms
from workflows.control import earning, incident_records

DOCS, TESTS = TaskType.DOCUMENTATION_UPDATE, TaskType.TEST_HARDENING
EARNED = {DOCS: "", TESTS: "19 pull requests of test_hardening in PR_ONLY, of 20"}
MAY: dict[str, Any] = {"maximum": Mode.SELECTIVE_AUTO, "probes": 1}
BY_RULES = MAY | {"override_days": 0}


def books(earned: dict[str, str] | None, **asked: Any) -> Books:
    """An open target whose person set SELECTIVE_AUTO."""
    made = Books(maximum_mode=Mode.SELECTIVE_AUTO, earned=earned).opened()
    assert made.set_mode(Mode.SELECTIVE_AUTO, **asked).accepted
    return made


def cleared(made: Books, run_id: str, kind: str, action: WriteAction = WriteAction.MERGE) -> str:
    """Why a merge of this kind may not begin; empty: it may."""
    answer = made.begin(run_id, action=action, task_type=kind, key=f"{run_id}/{action}-{kind}")
    return "" if answer.answer is WriteAnswerKind.GO else answer.verdict.reason


def wait_days(days: float) -> Callable[[Books], None]:
    """So much time passes."""
    return lambda made: made.wait(days * 86_400)


def opens(trigger: Trigger) -> Callable[[Books], None]:
    """An incident is opened."""
    report = IncidentReport(incident=f"INC-{trigger}", run_id="r", trigger=trigger, reason="why")
    return lambda made: incident_records.open_incident(made.state, report, made.now) and None


@pytest.mark.parametrize(
    ("earned", "asked", "then", "kind", "reason"),
    [
        # By the rules alone.
        (EARNED, BY_RULES, None, DOCS, ""),
        (EARNED, BY_RULES, None, TESTS, "test_hardening has not earned SELECTIVE_AUTO: 19 pull requests"),
        (EARNED, BY_RULES, None, TaskType.RELIABILITY_FIX, "no run of this kind of task has ended yet"),
        (EARNED, BY_RULES, None, "", "it has not earned SELECTIVE_AUTO"),
        (EARNED, BY_RULES, opens(Trigger.BUDGET_EXHAUSTED), DOCS, ""),
        # Lost at once, whatever the latest look said; and earned anew after the cooldown.
        (EARNED, BY_RULES, opens(Trigger.REGRESSION), DOCS, "INC-regression was opened on 2026-03-02: earned anew 30"),
        (EARNED, BY_RULES, opens(Trigger.POLICY_VIOLATION), DOCS, "INC-policy_violation was opened"),
        (EARNED, BY_RULES, lambda made: (opens(Trigger.REGRESSION)(made), wait_days(30)(made)), DOCS, ""),
        # A person's override: for everything, for one kind, until its end.
        (EARNED, MAY, None, TESTS, ""),
        (EARNED, MAY, None, "", ""),
        (EARNED, MAY | {"override_types": (TESTS,)}, None, TESTS, ""),
        (EARNED, MAY | {"override_types": (TESTS,)}, None, TaskType.RELIABILITY_FIX, "no run of this kind"),
        (EARNED, MAY, wait_days(29.99), TESTS, ""),
        (EARNED, MAY, wait_days(30), TESTS, "test_hardening has not earned"),
        (EARNED, MAY | {"override_days": 2}, wait_days(2), TESTS, "test_hardening has not earned"),
        # Of a worker from before, or under a ceiling that is lower: as ever.
        (None, BY_RULES, None, TESTS, ""),
    ],
)
def test_who_merges_alone(
    earned: dict[str, str] | None, asked: dict[str, Any], then: Callable[[Books], None] | None, kind: str, reason: str
) -> None:
    """At the clearance of the merge and of its canary alike; what opens a pull request is asked no such thing."""
    made = books(earned, **asked)
    run_id = made.admit().run_id
    if then:
        then(made)
    for action in (WriteAction.MERGE, WriteAction.PUSH_BRANCH):
        said = cleared(made, run_id, kind, action)
        if action is WriteAction.PUSH_BRANCH and not kind:
            assert not said
        else:
            assert (reason in said) if reason else not said, said
    verdict = earning.merges_alone(made.state, kind, made.now)
    assert bool(reason) != verdict.allowed


@pytest.mark.parametrize(
    ("earned", "asked", "then", "mode"),
    [
        (EARNED, BY_RULES, None, Mode.SELECTIVE_AUTO),
        ({DOCS: "too few"}, BY_RULES, None, Mode.PR_ONLY),
        ({}, BY_RULES, None, Mode.PR_ONLY),
        ({}, MAY, None, Mode.SELECTIVE_AUTO),
        ({}, MAY, wait_days(31), Mode.PR_ONLY),
        (EARNED, BY_RULES, opens(Trigger.REGRESSION), Mode.PR_ONLY),
        (None, BY_RULES, None, Mode.SELECTIVE_AUTO),
    ],
)
def test_what_a_run_is_admitted_as(
    earned: dict[str, str] | None, asked: dict[str, Any], then: Callable[[Books], None] | None, mode: Mode
) -> None:
    """Where nothing merges by itself, a run is PR_ONLY, and one that asks for more is refused with the reason."""
    made = books(earned, **asked)
    if then:
        then(made)
    assert mode is made.admit().mode
    more = made.admit("w2", mode=Mode.SELECTIVE_AUTO, again=True)
    refused = "mode SELECTIVE_AUTO asked, but" in more.verdict.reason
    assert (mode is Mode.PR_ONLY) == refused, more.verdict.reason


def test_a_budget_that_is_overspent_takes_it_away_at_once() -> None:
    """Whatever the latest look said; a person's override is a person's."""
    said = []
    for asked in (BY_RULES, MAY):
        made = books(EARNED, **asked)
        made.terms = terms(usd=1)
        run_id = f"{made.state.target}-{DAY}-auto-1"
        Till(made).settle(usd=2, run=run_id)
        said.append(cleared(made, run_id, DOCS))
    assert ["usd of day/2026-03-02 are beyond their cap", ""] == said


def test_an_override_ends_with_the_mode() -> None:
    """Lowered by whoever: raising it again states a new one, with actor, reason and end in the log."""
    made = books(EARNED, **MAY)
    made.admit()
    made.set_mode(Mode.PR_ONLY)
    made.state.mode = Mode.SELECTIVE_AUTO
    assert not earning.merges_alone(made.state, TESTS, made.now).allowed
    made.set_mode(Mode.SELECTIVE_AUTO, **MAY, override_types=(TESTS,))
    event = made.state.to_log[-1]
    assert ("mode set", "bob", "as agreed", "2026-04-01T09:00:00+00:00", "test_hardening") == (
        event.event,
        *(event.facts[name] for name in ("actor", "reason", "overrideUntil", "overrideFor")),
    )


def test_what_was_earned_and_lost_is_logged_once() -> None:
    """From one admission to the next."""
    made = books(None, **MAY)
    seen = []
    for turn, earned in enumerate(({DOCS: ""}, {DOCS: "", TESTS: ""}, {DOCS: "", TESTS: ""}, {TESTS: "", DOCS: "x"})):
        made.earned = earned
        made.admit(f"w{turn}", again=True)
        seen += [event.facts for event in made.state.to_log if event.event == "earned modes changed"][len(seen) :]
    assert [(DOCS, ""), (TESTS, ""), ("", DOCS)] == [(each["earned"], each["lost"]) for each in seen]


LESS = {DOCS: "2 of 12 merges broke the base", TESTS: "too few"}


def lowers(mode: Mode) -> Callable[[Books], None]:
    """A person lowers the mode."""
    return lambda made: made.set_mode(mode) and None


def looks(earned: dict[str, str]) -> Callable[[Books], None]:
    """The next admission brings another look at what was earned."""

    def look(made: Books) -> None:
        made.earned = earned
        made.admit(f"look-{len(made.state.runs)}", again=True)

    return look


@pytest.mark.parametrize(
    ("asked", "then", "said"),
    [
        (BY_RULES, [opens(Trigger.REGRESSION)], ["INC-regression was opened on 2026-03-02: earned anew 30 days later"]),
        # What the next looks say of the same loss is no news; regained and lost again is.
        (BY_RULES, [opens(Trigger.REGRESSION), looks({DOCS: "INC-regression was opened"}), looks(LESS)], ["INC-reg"]),
        (BY_RULES, [looks(LESS), looks(EARNED), looks(LESS)], ["2 of 12 merges broke the base"] * 2),
        (BY_RULES, [looks({TESTS: "too few"})], ["no run of this kind of task has ended yet"]),
        (BY_RULES, [looks(EARNED)], []),
        (MAY, [looks(LESS)], ["2 of 12 merges broke the base. bob's override stands until 2026-04-01"]),
        # Nothing merged by itself any more: a person said so.
        (BY_RULES, [lowers(Mode.PR_ONLY), opens(Trigger.REGRESSION), looks(LESS)], []),
        (BY_RULES, [opens(Trigger.BUDGET_EXHAUSTED)], []),
    ],
)
def test_what_is_lost_is_told_once_for_each_change(
    asked: dict[str, Any], then: list[Callable[[Books], None]], said: list[str]
) -> None:
    """An alert of its own, with the reason; in the log, too."""
    made = books(EARNED, **asked)
    made.state.tell_losses()
    made.admit()
    for each in then:
        each(made)
    alerts = [each for each in made.state.to_alert if each.kind is AlertKind.MODE_LOST]
    assert len(said) == len(alerts) == len([each for each in made.state.to_log if each.event == "earned mode lost"])
    for reason, alert in zip(said, alerts, strict=True):
        assert f"documentation_update merges by itself no more: {reason}" in alert.summary


def test_money_that_is_lost_is_told_at_once_and_nothing_by_a_control_from_before() -> None:
    """P15: what began before this has no such command in its history."""
    told = []
    for tells in (True, False):
        made = books(EARNED, **BY_RULES)
        if tells:
            made.state.tell_losses()
        made.terms = terms(usd=1)
        made.admit()
        Till(made).settle(usd=2, run=f"{made.state.target}-{DAY}-auto-1")
        told += [(tells, each.summary) for each in made.state.to_alert if each.kind is AlertKind.MODE_LOST]
    [(tells, summary)] = told
    assert (True, True) == (tells, "usd of day/2026-03-02 are beyond their cap" in summary)


async def test_a_run_of_a_kind_that_has_not_earned_it_ends_with_a_pull_request(world: World) -> None:
    """No canary, no merge; the pull request says what is missing, and so does the command that set the mode."""
    shell = shell_of(world)
    auto.permit(world)
    auto.add_target(world)
    async with world.worker(auto.quick(world)):
        await world.run("auto", mode="DRY_RUN")
        asked = ("mode", "auto", "SELECTIVE_AUTO", "--reason", "as agreed")
        only = await shell.typed(*asked, "--only-earned")
        assert "accepted: mode is SELECTIVE_AUTO\n" == only.out
        refused = await shell.typed("run", "auto", "--mode", "SELECTIVE_AUTO")
        assert "no kind of task has earned SELECTIVE_AUTO" in refused.err + refused.out
        other = await shell.typed(*asked, "--for", "2d", "--task-type", "test_hardening")
        assert "for test_hardening, then for what has been earned" in other.out
        run = await world.run("auto")
        assert (Mode.SELECTIVE_AUTO, RunStatus.PR_OPENED) == (Mode(run.mode), run.status), run.reason
        missing = "documentation_update has not earned SELECTIVE_AUTO: runs ended in DRY_RUN on 1 day, of 14"
        (pull,) = world.pulls("auto")
        assert missing in pull["body"]
        assert not [ref for ref in world.refs("auto") if "canary" in ref]
        told = "override for test_hardening by"
        assert told in (await shell.typed("status", "auto")).out
        assert told in (await shell.typed("mode", "auto", "--why")).out
