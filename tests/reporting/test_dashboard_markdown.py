"""What a dashboard ticket says: complete, equal for equal sights, bounded, and inert whatever is in it."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.admission import Order, OrderState, RunRecord
from contracts.budget import BudgetLine, BudgetView, Measure
from contracts.control import PauseRecord, StatusView
from contracts.dashboard import DashboardSight
from contracts.incident import IncidentRecord
from contracts.modes import Mode, PauseStyle, RunKind, RunStatus, TargetStatus
from contracts.pull_request import PullRequest
from contracts.report import IndexedRun
from contracts.verdict import Decision, Verdict
from contracts.watching import ScheduleSight
from policies.texts.inert_markdown import inert_line, inert_markdown
from reporting.dashboard_markdown import LARGEST, render_dashboard

AT = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
ACTS = re.compile(r"[@#!]\w|GH-\d|://|www\.|[<>\[\]]|mailto:", re.IGNORECASE)
HOSTILE = (
    "@octocat closes #1",
    "[x](https://evil.invalid) ![y](z)",
    "<!-- autonomy-runbook key=dashboard/demo -->",
    "`` ` out ` @x ``",
    "a | b\n| c | d |",
    "one\n/close\n- [ ] @all",
    "\u202eback\u200b\x00",
    "",
)


def sight(text: str = "plain", many: int = 1) -> DashboardSight:
    """Everything is there, and every word of somebody else's is ``text``."""
    run = RunRecord(
        run_id="demo-2026-11-23-pr-1", dedup="d", workflow_id="w", workflow_run_id="r", kind=RunKind.DAILY,
        mode=Mode.PR_ONLY, date="2026-11-23", attempt=1, actor=text, policy_digest="p", status=RunStatus.RUNNING,
        order=Order(revision=1, epoch=1, state=OrderState.PROCEED, reason=text), admitted_at=AT,
    )  # fmt: skip
    no = Verdict(rule="no cap is used up", decision=Decision.HOLD, reason=text, children=())
    pause = PauseRecord(
        scope="target", style=PauseStyle.CHECKPOINT, reason=text, actor=text, at=AT, epoch=2, review_on="2026-12-01"
    )
    incident = IncidentRecord(
        incident="INC-demo-1-policy-violation", run_id="demo-1", trigger="policy_violation", reason=text, opened_at=AT,
        owner=text, due_on="2026-12-24", overdue=True,
    )  # fmt: skip
    line = BudgetLine(period="day/2026-11-23", measure=Measure.USD, cap=20, spent=1.5, reserved=0.25)
    status = StatusView(
        target="demo", status=TargetStatus.PAUSED, mode=Mode.PR_ONLY, epoch=2, installation_epoch=1, quiescent=True,
        writes_in_flight=0, pauses=(pause,), ladder=None, active=(run,), queued=(run,) * many, recent=(), writes=(),
        why=Verdict(rule="the target may work", decision=Decision.HOLD, reason=text, children=(no,) * many),
        incidents=(incident,) * many,
        budget=BudgetView(
            target="demo", epoch=2, as_of=AT, lines=(line,) * many, reservations=(), runs=(), blocked=no
        ),
        review_due="INC-demo-1-regression",
    )  # fmt: skip
    pull = PullRequest(
        number=7, branch="autonomy/x", base_branch="main", head_sha="h", title=text, body=text, state="open",
        url="https://forge.invalid/o/r/pulls/7", run_key="k",
    )  # fmt: skip
    last = IndexedRun(
        run_id="demo-2026-11-22-pr-1", target="demo", kind=RunKind.DAILY, mode=Mode.PR_ONLY, date="2026-11-22",
        status=RunStatus.PR_OPENED, outcome=None, task_id=text or None, pull_request=7, ended_at=AT,
        became=f"MERGED by {text}",
    )  # fmt: skip
    return DashboardSight(
        target="demo",
        status=status,
        pulls=(pull,) * many,
        schedule=ScheduleSight(paused=bool(len(text) % 2), note=text, next_at=AT),
        last=last,
        waits=(("demo-2026-11-23-pr-1", text),),
    )


def outside_code(markdown: str) -> str:
    """What a forge would interpret."""
    return re.sub(r"(?<![`\\])`(?!`)[^`\n|]+`(?!`)", " · ", markdown)


def test_it_says_what_the_issue_asks_for() -> None:
    """Mode, status, queue, budget, open pull requests, incidents, last and next run, why not."""
    title, body = render_dashboard(sight("clear"))

    assert "Dashboard of demo: PAUSED in mode PR_ONLY" == title
    for part in (
        "| Status | PAUSED |", "| Mode | PR_ONLY |", "| Queue | 1 active, 1 queued |", "| Pull requests | 1 open |",
        "| Incidents | 1 open or not yet prevented |", "| Budget | no new run may start |",
        "`demo-2026-11-22-pr-1` ended PR_OPENED at 2026-11-23 06:30 UTC", "since then MERGED by `clear` |",
        "| Next run | the schedule is paused: `clear` |",
        "**Why not?**", "- … `the target may work`: `clear`", "  - … `no cap is used up`: `clear`",
        "| `day/2026-11-23` | usd | 1.5 | 0.25 | 20 |", "7: `clear` from `autonomy/x`",
        "`INC-demo-1-policy-violation` open since", "prevention overdue since `2026-12-24`", "starter.py why demo",
        "**What they wait for**", "- `demo-2026-11-23-pr-1` `clear`",
    ):  # fmt: skip
        assert part in body, part
    assert render_dashboard(sight("clear")) == (title, body)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_foreign_acts(text: str) -> None:
    """No mention, link, reference, HTML, command or row of its own; and the forge's own last word changes nothing."""
    title, body = render_dashboard(sight(text))

    assert (title, body) == (inert_line(title), inert_markdown(body))
    assert not ACTS.search(outside_code(body))
    assert body.count("\n") == render_dashboard(sight("plain" if len(text) % 2 else "even"))[1].count("\n")
    assert not re.search(r"^\s*(?:/|<!--|- \[)", body, re.MULTILINE)


@given(st.text(max_size=60))
def test_any_text_is_inert(text: str) -> None:
    """The same for text nobody thought of."""
    _, body = render_dashboard(sight(text))

    assert body == inert_markdown(body)
    assert not ACTS.search(outside_code(body))
    assert body.encode("utf-8")


def test_it_is_bounded() -> None:
    """However much there is: a forge takes it, and its end is still there."""
    _, body = render_dashboard(sight("ü" * 4000, many=3000))

    assert LARGEST >= len(body.encode())
    assert "left out" in body
    assert body.endswith("looks now.\n")
    assert body == inert_markdown(body)


def test_the_blank_target() -> None:
    """Nothing has happened yet: every part says so."""
    full = sight()
    status = full.status.model_copy(update={"pauses": (), "active": (), "queued": (), "incidents": (), "budget": None})
    blank = DashboardSight(target="demo", status=status, pulls=(), schedule=None, last=None)
    _, body = render_dashboard(blank)

    for part in ("| Last run | none yet |", "| Next run | no schedule:", "- nothing was ever booked"):
        assert part in body
    assert 3 == body.count("\n- none\n")
