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

LINKS = (
    ("#7", "https://forge.invalid/o/r/pulls/7"),
    ("demo-2026-11-22-pr-1", "https://pages.invalid/demo-2026-11-22-pr-1/run_report.html"),
    ("demo-2026-11-23-pr-1", "https://ui.invalid/namespaces/default/workflows/demo%2F2026-11-23"),
    ("INC-demo-1-policy-violation", "https://pages.invalid/INC-demo-1-policy-violation/post_incident_report.md"),
)
ADDRESSES = tuple(address for _, address in LINKS)
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
        today="2026-11-23",
        links=LINKS,
    )


def outside_code(markdown: str) -> str:
    """What a forge would interpret."""
    code = re.sub(r"(?<![`\\])`(?!`)[^`\n|]+`(?!`)", " · ", markdown)
    ours = "|".join(re.escape(f"[{name}]({address})") for name, address in LINKS)
    return re.sub(rf"{ours}|^(?:</?details>|<summary>Budget</summary>)$", " · ", code, flags=re.MULTILINE)


def test_it_says_what_the_issue_asks_for() -> None:
    """Mode, status, queue, budget, open pull requests, incidents, last and next run, why not."""
    title, body = render_dashboard(sight("clear"))

    assert "Dashboard of demo: PAUSED in mode PR_ONLY" == title
    for part in (
        "| Status | PAUSED |", "| Mode | PR_ONLY |", "| Queue | 1 active, 1 queued |", "| Pull requests | 1 open |",
        "| Incidents | 1 open or not yet prevented |", "| Budget | no new run may start |",
        f"[demo-2026-11-22-pr-1]({ADDRESSES[1]}) ended PR_OPENED at 2026-11-23 06:30 UTC",
        "since then MERGED by `clear` |",
        "| Next run | the schedule is paused: `clear` |",
        "**Why not?**", "- … `the target may work`: `clear`", "  - … `no cap is used up`: `clear`",
        "| `day/2026-11-23` | usd | 1.5 | 0.25 | 20 |",
        "- [#7](https://forge.invalid/o/r/pulls/7) `clear` from `autonomy/x`",
        "| Budget left today | 18.25 of 20 USD |",
        f"- [INC-demo-1-policy-violation]({ADDRESSES[3]}) open since",
        "prevention overdue since `2026-12-24`", "starter.py why demo",
        "**What they wait for**", "- `demo-2026-11-23-pr-1` `clear`",
    ):  # fmt: skip
        assert part in body, part
    assert render_dashboard(sight("clear")) == (title, body)


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_foreign_acts(text: str) -> None:
    """No mention, link, reference, HTML, command or row of its own; and the forge's own last word changes nothing."""
    title, body = render_dashboard(sight(text))

    assert (title, body) == (inert_line(title), inert_markdown(body, addresses=ADDRESSES))
    assert not ACTS.search(outside_code(body))
    assert body.count("\n") == render_dashboard(sight("plain" if len(text) % 2 else "even"))[1].count("\n")
    assert not re.search(r"^\s*(?:/|<!--|- \[)", outside_code(body), re.MULTILINE)


@given(st.text(max_size=60))
def test_any_text_is_inert(text: str) -> None:
    """The same for text nobody thought of."""
    _, body = render_dashboard(sight(text))

    assert body == inert_markdown(body, addresses=ADDRESSES)
    assert not ACTS.search(outside_code(body))
    assert body.encode("utf-8")


def test_it_is_bounded() -> None:
    """However much there is: a forge takes it, and its end is still there."""
    _, body = render_dashboard(sight("ü" * 4000, many=3000))

    assert LARGEST >= len(body.encode())
    assert "left out" in body
    assert body.endswith("looks now.\n")
    assert body == inert_markdown(body, addresses=ADDRESSES)


def opening(**changes: object) -> str:
    """The first line, with these changes to the status; everything that waits for somebody is away."""
    empty = {"pauses": (), "active": (), "queued": (), "incidents": (), "budget": None, "status": TargetStatus.ACTIVE}
    sights = {name: changes.pop(name) for name in ("pulls", "waits", "schedule") if name in changes}
    bare = sight().model_copy(update={"pulls": (), "waits": (), "schedule": None, **sights})
    status = bare.status.model_copy(update={**empty, **changes})
    return render_dashboard(bare.model_copy(update={"status": status}))[1].split("\n", 1)[0]


FULL = sight("odd diff")


@pytest.mark.parametrize(
    ("said", "first"),
    [
        (opening(), "`demo` is idle, and nothing starts its next run by itself; nothing waits for you."),
        (opening(schedule=ScheduleSight(paused=False, note="", next_at=AT)),
         "`demo` is idle until its next run at 2026-11-23 06:30 UTC; nothing waits for you."),
        (opening(active=FULL.status.active, pulls=FULL.pulls),
         f"works on [demo-2026-11-23-pr-1]({ADDRESSES[2]}) since 2026-11-23 06:30 UTC; waiting for you: 1 pull re"),
        (opening(pulls=FULL.pulls), f"; waiting for you: 1 pull request to review ([#7]({ADDRESSES[0]}))."),
        (opening(pulls=FULL.pulls * 9), "9 pull requests to review ("),
        (opening(budget=FULL.status.budget), "`demo` starts nothing new: `odd diff`; nothing waits for you."),
        (opening(status=TargetStatus.RESUMING), "`demo` is being resumed: it works again once its dry run is green; "),
        (opening(status=TargetStatus.PAUSED, pauses=FULL.status.pauses, incidents=FULL.status.incidents),
         "`demo` is paused since 2026-11-23 06:30 UTC: `odd diff`; waiting for you: 1 incident to work through and"),
        (opening(status=TargetStatus.PAUSED), "; waiting for you: the resume (`starter.py resume demo --cause … --e"),
    ],
)  # fmt: skip
def test_it_opens_with_one_sentence(said: str, first: str) -> None:
    """What it does now, and what waits for a person."""
    assert first in said


def test_a_new_day_has_its_whole_budget() -> None:
    """The books are brought up to date by the next run; until then their last day says nothing of this one."""
    _, body = render_dashboard(sight().model_copy(update={"today": "2026-11-24"}))
    assert "| Budget left today | 20 of 20 USD |" in body


def test_what_is_not_on_the_web_is_no_link() -> None:
    """A folder of this machine, or nothing: its name alone."""
    _, body = render_dashboard(sight().model_copy(update={"links": ()}))
    assert "- `#7` `plain` from" in body
    assert "](" not in body


def test_the_blank_target() -> None:
    """Nothing has happened yet: what is zero is not there."""
    full = sight()
    status = full.status.model_copy(update={"pauses": (), "active": (), "queued": (), "incidents": (), "budget": None})
    blank = DashboardSight(target="demo", status=status, pulls=(), schedule=None, last=None)
    _, body = render_dashboard(blank)

    for part in ("| Last run | none yet |", "| Next run | no schedule:"):
        assert part in body
    for part in ("Queue", "Pull requests", "Incidents", "Budget", "none\n", "0 "):
        assert part not in body.replace("`no cap", ""), part


def test_a_target_that_is_being_born_is_not_called_paused() -> None:
    """Its first look comes before the Installation knows it; nobody has to resume anything then."""
    born = sight()
    status = born.status.model_copy(update={"registered": False, "pauses": (), "incidents": ()})
    _, body = render_dashboard(born.model_copy(update={"status": status}))

    assert body.startswith("`demo` is starting: nothing runs before the Installation knows it")
    assert "starter.py resume" not in body


def test_a_cap_that_nothing_was_taken_of_is_not_there() -> None:
    """But money, which is what people ask for; large numbers can be read."""
    born = sight()
    assert born.status.budget is not None
    tokens = BudgetLine(period="day/2026-11-23", measure=Measure.TOKENS, cap=5_000_000, spent=0, reserved=0)
    used = tokens.model_copy(update={"spent": 40_000})
    for line, shown in ((tokens, False), (used, True)):
        budget = born.status.budget.model_copy(update={"lines": (*born.status.budget.lines, line)})
        status = born.status.model_copy(update={"budget": budget})
        _, body = render_dashboard(born.model_copy(update={"status": status, "today": "2026-11-23"}))
        assert shown is ("4,960,000 of 5,000,000 tokens" in body)
        assert "18.25 of 20 USD" in body
