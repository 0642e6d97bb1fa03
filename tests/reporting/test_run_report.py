"""A report shows what happened, on a page and in a terminal, and obeys nothing that it quotes."""

from __future__ import annotations

import html
import io
import re

import pytest
from rich.console import Console

from contracts.exchange import AgentOutcome, AgentRecord
from contracts.modes import RunKind, RunStatus, StepName
from contracts.report import RunReport
from contracts.task import TaskType
from contracts.verdict import Decision
from policies.agents.outcome import judge_ended
from policies.release.checks import failed_checks
from policies.release.ci import failed_in_ci
from policies.texts.run_report import build_report
from reporting.run_report_html import render_html
from reporting.run_report_text import print_report, short_verdict
from reporting.wording import in_one_sentence, named_steps, unsaid, untold
from tests.reporting.sample_run import (
    CHANGE,
    CI,
    CONTRACT,
    FLAKY_LINT,
    INPUT,
    OPENED,
    PUSHED,
    RED_TESTS,
    SLOW_TYPES,
    changed,
    checks_report,
    decision,
    verdict,
)

CHECKS = checks_report(RED_TESTS, FLAKY_LINT, SLOW_TYPES)
REPORT = build_report(INPUT, decision(), CONTRACT, CHANGE, CHECKS, "ab" * 32)
HOSTILE = "<script>alert(1)</script> \" onload='x' {{ 7 * 7 }} [bold red]x[/] \x1b[2J \u202egnp \udc80"


def page_of(report: RunReport, **parts: object) -> str:
    return render_html(
        report, **{"change": CHANGE, "checks": CHECKS, "decision": decision(), "contract": CONTRACT} | parts
    )


def terminal_of(report: RunReport, *parts: object) -> str:
    out = io.StringIO()
    print_report(Console(file=out, width=140, force_terminal=False), report, *parts)
    return out.getvalue()


def hostile_report() -> RunReport:
    bad = verdict(HOSTILE, HOSTILE, verdict(HOSTILE, HOSTILE, x=HOSTILE), decision=Decision.DENY, x=HOSTILE)
    pull = OPENED.pull_request.model_copy(update={"url": "javascript:alert(1)", "branch": HOSTILE})
    steps = (INPUT.steps[0].model_copy(update={"verdict": bad}), *INPUT.steps[1:])
    return REPORT.model_copy(update={"reason": HOSTILE, "steps": steps, "pull_request": pull, "task_id": HOSTILE})


HOSTILE_CONTRACT = CONTRACT.model_copy(update={"title": HOSTILE, "objective": HOSTILE, "rationale": HOSTILE})
HOSTILE_CHANGE = CHANGE.model_copy(update={"paths": (changed(HOSTILE, 1, 1),)})


FACTS = (
    "Modernise syntax in src/itsdangerous (ruff UP)",
    "REJECTED",
    "Did not release “",
    "pytest is red on the merge result",
    "Read checks/output.txt",
    "all 6 conditions hold",
    "src/itsdangerous/signer.py",
    "2 failed, 117 passed",
    "red twice on the same commit",
    "the target is PAUSED since 05:01 by mia",
    "underestimated: scored LOW (0.12)",
    "unknown; Control has no record",
    "state_snapshot.json",
    "abababababab",
    "wrote this report",
)


def plain(page: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", page)).split())


@pytest.mark.parametrize("fact", FACTS)
def test_the_page_tells_what_matters(fact: str) -> None:
    """What an engineer asks after an incident is on the page."""
    assert fact in plain(page_of(REPORT))


@pytest.mark.parametrize("fact", FACTS)
def test_the_terminal_tells_what_matters(fact: str) -> None:
    """The same facts, in the terminal."""
    assert fact in " ".join(terminal_of(REPORT, decision(), CONTRACT, CHANGE, CHECKS).split())


def test_what_decided_is_open_and_what_agreed_is_folded() -> None:
    """A refusing verdict lies open down to its reason; an allowing one is one click away."""
    page = page_of(REPORT)
    tree = page[page.index('id="why"') :]

    assert re.search(r"<details open><summary>(?:(?!</summary>).)*the change may be released", tree, re.DOTALL)
    assert re.search(r"<details><summary>(?:(?!</summary>).)*the change is within its budget", tree, re.DOTALL)


def test_a_page_asks_the_network_for_nothing() -> None:
    """One file: no script, no address, no import; links lead to the artifacts beside it only."""
    page = page_of(REPORT)

    assert "default-src 'none'" in page
    assert not re.search(r"<(script|link|img|iframe|object|embed|base|form)\b|\bsrc=|@import|url\(|//\w", page)
    assert all(href.startswith(("./", "#")) for href in re.findall(r'href="([^"]*)"', page))


def test_hostile_words_stay_words_on_the_page() -> None:
    """Markup, template code, control characters and a script address in agents' text are shown, never obeyed."""
    page = page_of(hostile_report(), contract=HOSTILE_CONTRACT, change=HOSTILE_CHANGE)

    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "{{ 7 * 7 }}" in page
    assert 'href="javascript:' not in page
    assert not re.search(r"<[^>]*\bonload=", page)
    assert {"\x1b", "\u202e", "\udc80"}.isdisjoint(page)
    assert r"\u{1b}[2J \u{202e}gnp \u{dc80}" in page


def test_hostile_words_stay_words_in_the_terminal() -> None:
    """No escape reaches the terminal, and square brackets are no styles."""
    said = terminal_of(hostile_report(), decision(), HOSTILE_CONTRACT, HOSTILE_CHANGE, CHECKS)

    assert {"\x1b", "\u202e", "\udc80"}.isdisjoint(said)
    assert "[bold red]x[/]" in said


def test_a_pull_request_on_a_web_forge_is_a_link() -> None:
    """The address of a real forge can be clicked; it is the only one on the page."""
    pull = OPENED.pull_request.model_copy(update={"url": "http://127.0.0.1:3000/demo/pulls/7"})
    page = page_of(REPORT.model_copy(update={"pull_request": pull}))

    assert ["http://127.0.0.1:3000/demo/pulls/7"] == re.findall(r'href="(http[^"]*)"', page)


@pytest.mark.parametrize("status", RunStatus)
def test_every_end_of_a_run_can_be_shown(status: RunStatus) -> None:
    """However early a run ended, it has a report, and each end state has its sentence."""
    given = INPUT.model_copy(
        update={"status": status, "steps": (), "writes": (), "artifacts": (), "outcome": None, "base_sha": ""}
    )
    report = build_report(given, None, None, None, None, "")
    sentence = in_one_sentence(status, "", report.reason)

    assert sentence in plain(render_html(report))
    assert " ".join(sentence.split()[:6]) in terminal_of(report)


def test_an_empty_change_can_be_shown() -> None:
    """A coder that changed nothing has a report too, and what was adopted is told apart."""
    report = build_report(INPUT.model_copy(update={"writes": (PUSHED, OPENED)}), None, None, None, None, "")
    nothing = CHANGE.model_copy(update={"paths": ()})

    assert "0 files, 0 lines" in plain(render_html(report, change=nothing))
    assert "found done by an earlier attempt" in plain(render_html(report, change=nothing))
    assert "adopted" in terminal_of(report, None, None, nothing)


def test_6_2_failing_checks_are_told_on_the_page_and_in_the_terminal():
    """§6.2: name, kind, exit status, seconds, output, what was queued; as text, never obeyed."""
    failed = failed_checks(
        RunStatus.REJECTED, CHECKS, None, lambda _ref: f"{HOSTILE}\nE assert 0\n".encode("utf-8", "replace")
    )
    report = build_report(INPUT, decision(), CONTRACT, CHANGE, CHECKS, "ab" * 32, failed, "remediate-abababab")
    page, terminal = page_of(report), terminal_of(report)
    assert "<script>" not in page
    assert "\x1b[2J" not in page + terminal
    for text in (plain(page), terminal):
        assert "Failing checks" in text
        assert "remediate-abababab" in text
        assert "E assert 0" in text
        for fact in ("tests, on the merge result, exit status 1, 3.0 s, 2 attempts", "checks/output.txt"):
            assert fact in text


def test_what_did_not_run_is_read_first() -> None:
    """Before the status's own sentence (P18)."""
    report = REPORT.model_copy(update={"cautions": ("No tests ran: compile checked the change instead.",)})
    for shown in (plain(page_of(report)), terminal_of(report)):
        assert shown.index("No tests ran: compile") < shown.index(in_one_sentence(report.status, "", "")[:12])
    named = report.model_copy(update={"cautions": ("let `prepare` install it",)})
    assert "let <code>prepare</code> install it" in page_of(named)


def test_the_forges_ci_is_shown_everywhere() -> None:
    """Each check with state and link; of a failing one what its log said last; a link that is no address is text."""
    bad = CI.checks[0].model_copy(update={"link": "javascript:alert(1)", "name": HOSTILE})
    for ci in (CI, CI.model_copy(update={"checks": (bad, *CI.checks[1:])})):
        report = REPORT.model_copy(update={"ci": ci, "failed_checks": failed_in_ci(ci)})
        page, shown = page_of(report), terminal_of(report)
        assert "CI of the forge" in page
        assert "CI of the forge on cccccccccccc: RED, awaited since 2026-" in " ".join(shown.split())
        assert "the deadline was 2026-" in page
        for words in ("FAILED test_names", "docs", "missing", "in the forge&#39;s CI"):
            assert words in page
            assert html.unescape(words) in shown
        assert ci.checks[0].link in shown
        assert ('href="https://ci/1"' in page) == (ci is CI)
        assert "<script>alert" not in page


DIFF = b"""diff --git a/x.py b/x.py
index 1..2 100644
--- a/x.py
+++ b/x.py
@@ -1,2 +1,2 @@
 same
-old <script>alert(1)</script>
+new \xe2\x80\xae \x1b[2J \xff
--- a line that was removed, and begins so
"""


def test_the_page_shows_the_diff_coloured() -> None:
    """Each line as what it is; whatever is in it stays text."""
    page = page_of(REPORT, diff=DIFF)

    for kind, line in (
        ("file", "--- a/x.py"), ("hunk", "@@ -1,2 +1,2 @@"), ("same", " same"), ("add", r"+new \u{202e} \u{1b}[2J"),
        ("del", "-old &lt;script&gt;alert(1)&lt;/script&gt;"), ("del", "--- a line that was removed, and begins so"),
    ):  # fmt: skip
        assert f'<span class="{kind}">{line}' in page, line
    assert "more line" not in page
    assert 'class="diff"' not in page_of(REPORT)


@pytest.mark.parametrize(
    ("diff", "more"),
    [
        (b"+x\n" * 2001, 1),
        (b"+x\n" * 5_000_000, 5_000_000 - 2000),
        (b"+" * 10_000_000, 1),
        (b"+y\n+" + b"x" * 10**7, 1),
    ],
)
def test_a_large_diff_is_bounded_and_says_so(diff: bytes, more: int) -> None:
    """The page stays small; the whole lies beside it."""
    page = page_of(REPORT, diff=diff)

    assert 400_000 > len(page)
    assert f"{more} more line" in page


def test_a_long_line_is_cut() -> None:
    """One line is no page."""
    assert 100_000 > len(page_of(REPORT, diff=b"+" + b"x" * 100_000))


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (RunStatus.DRY_RUN_COMPLETE, "feast-1 passed, 3 of 3 fetches good; proposed as feast-1-days"),
        (RunStatus.REJECTED, "feast-1 did not pass: compliance of feast is refused"),
    ],
)
def test_a_sources_trial_is_told_as_such(status: RunStatus, reason: str) -> None:
    """Not as a change that was tried or not released; its own page is one click away."""
    contract = CONTRACT.model_copy(update={"type": TaskType.SOURCE_TRIAL, "title": "Try the source feast"})
    run = REPORT.run.model_copy(update={"kind": RunKind.SOURCE})
    report = REPORT.model_copy(update={"status": status, "reason": reason, "run": run, "rejection": None})
    page = page_of(report, contract=contract, change=None, checks=None, decision=None)
    for shown in (plain(page), " ".join(terminal_of(report, None, contract).replace("│", "").split())):
        assert f"The trial {reason}." in shown
        assert "The change did not pass" not in shown
        assert "Everything was tried" not in shown
    assert 'href="./source_trial.html"' in page


@pytest.mark.parametrize("status", list(RunStatus))
def test_every_run_is_told_in_one_sentence(status: RunStatus) -> None:
    """On the page and in the terminal, as one would say it."""
    said = in_one_sentence(status, "Fix a typo", "tests are red.", 7)
    report = REPORT.model_copy(update={"status": status})

    assert said.endswith(".")
    assert "\n" not in said
    assert in_one_sentence(status, CONTRACT.title, report.reason) in plain(page_of(report))
    assert in_one_sentence(status, CONTRACT.title, report.reason)[:60] in " ".join(
        terminal_of(report, None, CONTRACT).split()
    )


def test_a_title_shows_its_file_as_code() -> None:
    """And nothing in it acts."""
    for title, shown in (
        ("Fix `a.py`", "Fix <code>a.py</code>"),
        ("`<b>` x", "<code>&lt;b&gt;</code> x"),
        ("a`b", "a`b"),
    ):
        assert shown in page_of(REPORT, contract=CONTRACT.model_copy(update={"title": title}))


@pytest.mark.parametrize(
    ("became", "said"),
    [
        ("", "Opened pull request #7, “Fix a typo”; it waits for a person."),
        ("MERGED by Ann", "Opened pull request #7, “Fix a typo”; since then it is merged by Ann."),
        ("ROLLED BACK", "Opened pull request #7, “Fix a typo”; since then it is rolled back."),
        ("waiting for ann", "Opened pull request #7, “Fix a typo”; since then it is waiting for ann."),
    ],
)
def test_the_sentence_knows_what_became_of_a_pull_request(became: str, said: str) -> None:
    """One that was merged or undone waits for nobody."""
    assert said == in_one_sentence(RunStatus.PR_OPENED, "Fix a typo", "", 7, became)


def test_a_verdict_in_short_shows_what_said_no() -> None:
    """Of a yes one line, and what is none below it; of a no the rule and its facts; bounded, and it says so."""
    noes = [verdict(f"rule {number}", f"no {number}", decision=Decision.DENY, seen=number) for number in range(7)]
    whole = verdict("all of it", "done", verdict("fine", "as it should be"), verdict("inner", "mixed", *noes))
    out = io.StringIO()
    Console(file=out, width=100).print(short_verdict("release", whole, 10))
    said = out.getvalue()

    assert said.startswith("✓ release     done\n")
    assert "✗ rule 4: no 4 [seen=4]" in said
    assert "and 2 more: --full" in said
    assert "as it should be" not in said
    assert "rule 5" not in said


def test_a_steps_later_round_says_its_number() -> None:
    """On the page, in the terminal and in short; what comes once, or in the first round, has its plain name."""
    steps = [StepName.PLAN, StepName.CODE, StepName.CODE, StepName.REVIEW, StepName.CHECK, StepName.RELEASE]
    assert ["plan", "code", "code, round 2", "review, round 2", "check, round 2", "release"] == named_steps(steps)

    records = tuple(INPUT.steps[0].model_copy(update={"step": each}) for each in steps)
    twice = REPORT.model_copy(update={"steps": records})
    for said in (plain(page_of(twice)), terminal_of(twice)):
        assert ("code, round 2" in said, "plan, round" in said, "code, round 1" in said) == (True, False, False)
    out = io.StringIO()
    Console(file=out, width=100).print(short_verdict("code, round 2", verdict("a rule", "done")))
    assert "✓ code, round 2  done\n" == out.getvalue()


def test_an_agent_that_did_nothing_is_told_as_a_person_would() -> None:
    """Not by the code of how it ended; with what to do; nothing twice."""
    reason = judge_ended(AgentOutcome.NOTHING_DONE, "codex 0.169.0: it changed nothing; it asked no model", None).reason
    said = in_one_sentence(RunStatus.REJECTED, "Handle an empty basket", reason)
    assert said == (
        "The agent did not get “Handle an empty basket” done: it changed nothing; it asked no model (codex 0.169.0). "
        "To mend it: read why in its transcript, say the task in more detail, or let another agent code."
    )
    assert unsaid(reason, said) == ""
    assert in_one_sentence(RunStatus.REJECTED, "", "crashed: x").startswith("The agent did not get its part done: x")
    assert in_one_sentence(RunStatus.REJECTED, "A", "a gate: no") == "Did not release “A”: a gate: no."


def test_the_run_is_a_link_where_people_have_the_ui() -> None:
    """By its workflow; without an address of the UI, its name alone."""
    assert 'href="https://ui.invalid/namespaces/x/workflows/' in page_of(REPORT, ui="https://ui.invalid/namespaces/x/")
    assert "ui.invalid" not in page_of(REPORT)


def test_a_verdict_in_short_says_nothing_twice() -> None:
    """A step of the tree that only hands on the reason above it, and facts that are nothing or quoted, are left out."""
    low = verdict("it has probes", "none", decision=Decision.ASK, looks=0, state="none")
    other = verdict("it may merge", "mode is PR_ONLY", decision=Decision.ASK, mode="PR_ONLY", sure=False)
    handed = verdict("without a person", "mode is PR_ONLY", low, other, decision=Decision.ASK)
    out = io.StringIO()
    Console(file=out, width=100).print(short_verdict("release", verdict("r", "a person: mode is PR_ONLY", handed)))

    assert ["✓ release  a person: mode is PR_ONLY", "├── ? it has probes: none"] == out.getvalue().splitlines()[:2]
    assert "└── ? it may merge: mode is PR_ONLY [sure=False]" in out.getvalue()


def test_a_reason_that_the_sentence_says_is_not_said_again() -> None:
    """What it adds is."""
    assert "" == unsaid("pull request opened, outcome REQUIRES_HUMAN_REVIEW", "Opened pull request #1.")
    assert "" == unsaid("checks are red.", "Did not release its change: checks are red.")
    assert "2 writes refused" == unsaid("2 writes refused", "Tried it.")
    blind = "could not look: advisories: no program; nothing worth doing: 3 findings wait"
    said = in_one_sentence(RunStatus.NOTHING_TO_DO, "", blind)
    assert said == "Found nothing worth doing, but could not look everywhere: advisories: no program."
    assert "nothing worth doing: 3 findings wait" == unsaid(blind, said)
    cautions = ("Could not look: advisories: no program.", "Could not look: CI.")
    assert cautions[1:] == untold(cautions, said)
    assert cautions == untold(cautions, "Opened pull request #1.")


def test_the_page_says_what_agents_did_and_cost() -> None:
    """By our own record, with the transcript; what it holds of others' words is text."""
    record = AgentRecord(
        run_id=REPORT.run.run_id,
        role="coding",
        backend="command",
        agent="codex 1.0",
        outcome=AgentOutcome.DEADLINE,
        reason=HOSTILE,
        usd=0.125,
        bound=True,
        transcript="agent/coding-1.transcript.jsonl",
        dropped=("CLAUDE.md",),
        reached_out=2,
        hosts_refused=("other.example:443",),
    )
    page = page_of(REPORT, agents=(record,))
    assert "<script>alert" not in page
    assert all(each in page for each in ("codex 1.0", "deadline", "at most 0.1250", "dropped: CLAUDE.md"))
    assert "other machines, in vain: 2 times" in page
    assert "hosts refused: other.example:443" in page
    assert re.search(r'href="[./]*agent/coding-1.transcript.jsonl"', page)
    assert "By the gateway" not in page_of(REPORT)
