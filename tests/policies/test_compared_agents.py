"""Which coder is worth its money: what people took, what they did not, what it cost."""

from types import SimpleNamespace

import pytest

from contracts.modes import Mode, RunStatus
from contracts.rollback import ROLLED_BACK
from policies.agents.compared import Coded, compared, turned_down, who_coded
from policies.settings.charter import RolePolicy


def ran(status=RunStatus.PR_OPENED, became="", usd: float | None = 0.5, mode=Mode.PR_ONLY, who="codex, m", **more):
    """A run of one coder."""
    said = {"pull_request": True, "closed_by_us": False, "reverted": False, "turned_down": False}
    return Coded(who=who, mode=mode, status=status, became=became, usd=usd, **(said | more))


@pytest.mark.parametrize(
    ("run", "column"),
    [
        (ran(became="MERGED by ann"), "accepted"),
        (ran(RunStatus.MERGED), "accepted"),
        (ran(became="MERGED by ann", reverted=True), "rejected"),
        (ran(RunStatus.MERGED, became=ROLLED_BACK), "rejected"),
        (ran(became="CLOSED by ann"), "rejected"),
        (ran(became="CLOSED by us", closed_by_us=True), "nothing"),
        (ran(RunStatus.REJECTED, turned_down=True), "rejected"),
        (ran(RunStatus.ESCALATED, turned_down=True), "rejected"),
        # Nobody and nothing decided on a change: there was none, or the day, the machinery ended the run.
        (ran(RunStatus.REJECTED), "nothing"),
        (ran(RunStatus.REFUSED), "nothing"),
        (ran(), "waiting"),
        (ran(RunStatus.DRY_RUN_COMPLETE, mode=Mode.DRY_RUN), "tried"),
        # A trial proposes nothing to anybody.
        (ran(RunStatus.REJECTED, mode=Mode.DRY_RUN, turned_down=True), "tried_in_vain"),
        (ran(RunStatus.REJECTED, mode=Mode.DRY_RUN), "nothing"),
        (ran(RunStatus.FAILED), "nothing"),
        (ran(RunStatus.NOTHING_TO_DO, mode=Mode.DRY_RUN), "nothing"),
        (ran(RunStatus.PAUSED), "nothing"),
    ],
)
def test_each_run_counts_once(run, column):
    """In one column."""
    (row,) = compared([run])
    columns = {"accepted", "rejected", "waiting", "tried", "tried_in_vain", "nothing"}
    assert {name: getattr(row, name) for name in columns} == dict.fromkeys(columns, 0) | {column: 1}
    assert row.runs == 1


@pytest.mark.parametrize(
    ("judged", "artifacts", "expected"),
    [(True, ("change.json",), True), (True, ("task_contract.json",), False), (False, ("change.json",), False)],
)
def test_only_a_change_can_be_turned_down(judged, artifacts, expected):
    """Not a coder that crashed, nor a day on which nobody could judge."""
    report = SimpleNamespace(judged=judged, artifacts=[SimpleNamespace(name=name) for name in artifacts])
    assert turned_down(report) is expected


def test_the_cost_of_an_accepted_change_is_all_that_was_spent():
    """Failures cost, too; trials are told apart. With a cost that nobody knows there is no figure, nor of nothing."""
    runs = [ran(became="MERGED by ann", usd=0.3), ran(RunStatus.REJECTED, usd=0.5), ran(who="tools", usd=0)]
    runs.append(ran(RunStatus.DRY_RUN_COMPLETE, mode=Mode.DRY_RUN, usd=4.0))
    codex, tools = compared(runs)
    assert (codex.who, codex.usd, codex.usd_tried, codex.usd_per_accepted) == ("codex, m", 4.8, 4.0, 0.8)
    assert (tools.who, tools.usd_per_accepted) == ("tools", None)
    (row,) = compared([*runs[:2], ran(usd=None)])
    assert (row.unknown, row.usd_per_accepted) == (1, None)


def test_a_coder_is_named_by_its_charter():
    """Program and models; the tools by their name."""
    assert who_coded(RolePolicy()) == "tools"
    agent = RolePolicy(backend="command", agent="codex", models=("a", "b"))
    assert who_coded(agent) == "codex, a, b"
    assert who_coded(RolePolicy(backend="command", argv=("./mine", "x"), models=("a",))) == "./mine x, a"
