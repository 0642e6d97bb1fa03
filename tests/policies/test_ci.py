"""What the forge's CI lets pass: every rule, as the whole verdict it gives (runbook §3, §6.2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from contracts.alert import AlertKind
from contracts.ci import CiState
from contracts.forge_facts import CheckState, CommitCheck
from contracts.modes import Mode, Outcome, RunStatus
from contracts.pull_request import PullRequest
from contracts.release import Rejection
from contracts.verdict import Decision, Verdict
from policies.release.ci import (
    CiFacts,
    ci_state,
    ci_terms,
    counted,
    failed_in_ci,
    fingerprint_in_ci,
    judge_base,
    judge_ci,
    likely_cause,
    note_in_ci,
    rejected_by_ci,
    to_blame,
)
from policies.release.rejection import CI_RULE
from policies.run.alerts import alerts_of
from policies.settings.merging import CiPolicy
from policies.task.remediation import Papers, queued_by
from policies.texts.inert_markdown import inert_markdown
from policies.texts.pull_request import not_released
from policies.verdicts import allow, ask, deny, hold
from tests.policies.sample_policy import policy
from tests.reporting.sample_run import CHANGE, CI, CONTRACT, GREEN_TESTS, INPUT, RUN, changed, checks_report, decision

HEAD = "c" * 40
BEGAN = datetime(2026, 11, 23, 9, tzinfo=UTC)
OPEN = PullRequest(
    number=7, branch="autonomy/x", base_branch="main", head_sha=HEAD, title="t", body="b", state="open", url="u",
    run_key="r/open_pull_request",
)  # fmt: skip
GREEN, OTHER = CommitCheck(name="test", state=CheckState.GREEN), CommitCheck(name="lint", state=CheckState.GREEN)
RED = CommitCheck(name="test", state=CheckState.RED, link="https://ci/1", detail="1 failed")
PENDING, MISSING = (
    CommitCheck(name="lint", state=CheckState.PENDING),
    CommitCheck(name="docs", state=CheckState.MISSING),
)
GREEN_TEST = allow("test is green in CI", "green")
RED_TEST = deny("test is green in CI", "test is red: 1 failed", link="https://ci/1")
LINT_WAITS, DOCS_WAIT = hold("lint is green in CI", "pending"), hold("docs is green in CI", "missing")


def facts(*checks: CommitCheck, **more: Any) -> CiFacts:
    """One look."""
    given: dict[str, Any] = {
        "commit_sha": HEAD, "named": (), "checks": checks, "pull": OPEN, "branch_head": HEAD, "began_at": BEGAN,
        "looked_at": BEGAN + timedelta(minutes=61), "over": False,
    }  # fmt: skip
    return CiFacts(**(given | more))


def whole(decided: Decision, reason: str, *children: Verdict) -> Verdict:
    """The verdict on all checks."""
    return Verdict(rule=CI_RULE, decision=decided, reason=reason, children=children)


def taken(reason: str) -> Verdict:
    """A person took it over."""
    return ask("the pull request is still the run's", f"{reason} while its CI was awaited")


@pytest.mark.parametrize(
    ("seen", "verdict", "state"),
    [
        (facts(pull=None, checks=None, problem="down"), whole(Decision.HOLD, "unknown: down"), CiState.PENDING),
        (
            facts(pull=None, checks=None, problem="down", over=True),
            whole(Decision.DENY, "CI is not green after 61 minutes: unknown: down"),
            CiState.PENDING,
        ),
        (
            facts(RED, pull=OPEN.model_copy(update={"state": "merged"})),
            taken("a person merged pull request 7"),
            CiState.RED,
        ),
        (
            facts(GREEN, pull=OPEN.model_copy(update={"state": "closed"})),
            taken("a person closed pull request 7"),
            CiState.GREEN,
        ),
        (
            facts(GREEN, pull=OPEN.model_copy(update={"head_sha": "d" * 40}), branch_head="e" * 40),
            taken("somebody moved the branch of pull request 7 to eeeeeeeeeeee"),
            CiState.GREEN,
        ),
        (
            facts(GREEN, pull=OPEN.model_copy(update={"head_sha": "d" * 40})),
            whole(Decision.ALLOW, "the condition holds", GREEN_TEST),
            CiState.GREEN,
        ),
        (
            facts(checks=None),
            allow(CI_RULE, "the forge has no CI, and no check is named"),
            CiState.NONE,
        ),
        (facts(), whole(Decision.HOLD, "the forge mentions no check"), CiState.PENDING),
        (
            facts(checks=None, named=("docs",)),
            whole(Decision.HOLD, "missing: docs", DOCS_WAIT),
            CiState.PENDING,
        ),
        (
            facts(GREEN, named=("test", "docs")),
            whole(Decision.HOLD, "missing: docs", GREEN_TEST, DOCS_WAIT),
            CiState.PENDING,
        ),
        (
            facts(GREEN, named=("te*",)),
            whole(Decision.ALLOW, "the condition holds", GREEN_TEST),
            CiState.GREEN,
        ),
        (
            facts(RED, PENDING),
            whole(Decision.HOLD, "red: test; pending: lint", RED_TEST, LINT_WAITS),
            CiState.PENDING,
        ),
        (
            facts(RED, PENDING, over=True),
            whole(Decision.DENY, "CI is not green: red: test; pending: lint", RED_TEST, LINT_WAITS),
            CiState.RED,
        ),
        (
            facts(RED, MISSING),
            whole(Decision.DENY, "CI is not green: red: test; missing: docs", RED_TEST, DOCS_WAIT),
            CiState.RED,
        ),
        (
            facts(GREEN, PENDING, MISSING, over=True),
            whole(
                Decision.DENY,
                "CI is not green after 61 minutes: missing: docs; pending: lint",
                GREEN_TEST,
                LINT_WAITS,
                DOCS_WAIT,
            ),
            CiState.PENDING,
        ),
        (
            facts(GREEN, pull=None),
            whole(Decision.HOLD, "the forge does not show the pull request", GREEN_TEST),
            CiState.GREEN,
        ),
        (facts(GREEN), whole(Decision.ALLOW, "the condition holds", GREEN_TEST), CiState.GREEN),
    ],
)
def test_one_look(seen: CiFacts, verdict: Verdict, state: CiState) -> None:
    """Whole verdicts: nothing missing, pending or unknown is ever green."""
    assert (verdict, state) == (judge_ci(seen), ci_state(seen, judge_ci(seen)))


@pytest.mark.parametrize("over", [False, True])
def test_only_green_goes_on(over: bool) -> None:
    """Whatever else is said, and whenever: a single check that is not green keeps the run from going on."""
    for state in set(CheckState) - {CheckState.GREEN}:
        assert not judge_ci(facts(GREEN, CommitCheck(name="x", state=state), over=over)).allowed


@pytest.mark.parametrize(
    ("checks", "required", "soon", "late", "said"),
    [
        (None, (), Decision.ALLOW, Decision.ALLOW, ""),
        ((GREEN,), (), Decision.ALLOW, Decision.ALLOW, "all 1 green"),
        ((), (), Decision.HOLD, Decision.DENY, "the forge mentions no check: nobody reported it. Let CI report it"),
        (None, ("docs",), Decision.HOLD, Decision.DENY, "missing: docs: nobody reported it. Let CI report it, or take"),
        ((RED, PENDING), (), Decision.DENY, Decision.DENY, "red: test; pending: lint. Mend main, then run again"),
        ((GREEN, PENDING), (), Decision.HOLD, Decision.DENY, "pending: lint: not finished after 60 minutes. Run again"),
    ],
)
def test_a_run_starts_from_a_green_base_only(
    checks: tuple[CommitCheck, ...] | None, required: tuple[str, ...], soon: Decision, late: Decision, said: str
) -> None:
    """§3: what is not finished is waited for, until the deadline; then the reason says what to do."""
    target = policy(target={"forge": "gitea", "ci": {"required": required}}).target
    early, over = (judge_base(checks, "b" * 40, target, over=over) for over in (False, True))
    assert (soon, late) == (early.decision, over.decision)
    assert said in over.reason


STOPPED = CommitCheck(name="test", state=CheckState.MISSING, detail="cancelled", stopped=True)
GONE_LINT = CommitCheck(name="lint", state=CheckState.MISSING, detail="it reported on the base")
PUSHED, ASKED = (CommitCheck(name=f"CI / test ({event})", state=CheckState.GREEN) for event in ("push", "pull_request"))
SKIPPED = CommitCheck(name="deploy", state=CheckState.MISSING, detail="skipped", idle=True)
SKIPPED_TEST = SKIPPED.model_copy(update={"name": "test"})
RELEASED = CommitCheck(name="CI / ship (release)", state=CheckState.GREEN)


@pytest.mark.parametrize(
    ("reported", "before", "ignored", "demanded", "expected"),
    [
        (None, (), (), (), None),
        ((), (), (), (), ()),
        ((GREEN,), (GREEN,), (), (), (GREEN,)),
        (None, (OTHER,), (), (), (GONE_LINT,)),
        ((GREEN,), (GREEN, OTHER), (), (), (GREEN, GONE_LINT)),
        ((GREEN,), (MISSING,), (), (), (GREEN,)),
        # Cancelled is neither skipped nor finished, whether or not it ran on the base.
        ((STOPPED, OTHER), (), (), (), (STOPPED, OTHER)),
        ((STOPPED, OTHER), (GREEN, OTHER), (), (), (STOPPED, OTHER)),
        ((OTHER,), (STOPPED, OTHER), (), (), (OTHER, GONE_LINT.model_copy(update={"name": "test"}))),
        ((ASKED,), (PUSHED, RELEASED), (), (), (ASKED,)),
        ((GREEN,), (OTHER,), ("li*",), (), (GREEN,)),
        ((RED, OTHER), (), ("test",), (), (OTHER,)),
        ((RED, OTHER), (), ("test",), ("te*",), (RED, OTHER)),
        ((RED,), (), ("test",), (), None),
        # Skipped, and never run on the base either: a job that no change starts keeps nobody waiting for ever.
        ((GREEN, SKIPPED), (GREEN,), (), (), (GREEN,)),
        ((GREEN, SKIPPED), (GREEN, SKIPPED), (), (), (GREEN,)),
        ((SKIPPED,), (), (), (), None),
        # It ran there, and was skipped here: it did not run.
        ((SKIPPED_TEST,), (GREEN,), (), (), (SKIPPED_TEST,)),
        ((OTHER, SKIPPED_TEST), (GREEN, OTHER), (), (), (OTHER, SKIPPED_TEST)),
        # Everything was skipped here: what ran on the base is missed, by whatever name.
        ((SKIPPED,), (OTHER,), (), (), (GONE_LINT,)),
        # Demanded by somebody, a skipped one counts.
        ((SKIPPED.model_copy(update={"idle": False}),), (), (), (), (SKIPPED.model_copy(update={"idle": False}),)),
        # A job of two events, skipped in one of them, ran.
        ((ASKED, SKIPPED.model_copy(update={"name": "CI / test (push)"})), (ASKED,), (), (), (ASKED,)),
    ],
)
def test_a_check_that_was_there_is_missed_when_it_is_gone(
    reported: tuple[CommitCheck, ...] | None,
    before: tuple[CommitCheck, ...],
    ignored: tuple[str, ...],
    demanded: tuple[str, ...],
    expected: tuple[CommitCheck, ...] | None,
) -> None:
    """What reported on the base counts on the head, by whatever event; an owner may ignore what the forge lets go."""
    assert expected == counted(reported, before, ignored=ignored, demanded=demanded)


def test_a_check_that_was_cancelled_is_waited_for_and_blames_nobody() -> None:
    """A person or the forge ended it (item 34): held with what to do, and at the deadline not finished, not red."""
    early, late = facts(STOPPED, OTHER), facts(STOPPED, OTHER, over=True)
    assert [Decision.HOLD, Decision.DENY] == [judge_ci(seen).decision for seen in (early, late)]
    assert CiState.PENDING is ci_state(late, judge_ci(late))
    assert likely_cause((STOPPED, OTHER), "main").startswith("test was cancelled, or waits for somebody's leave: ")
    # Jobs beside a red one are cancelled by it: that is no reason to wait.
    assert CiState.RED is ci_state(facts(RED, STOPPED), judge_ci(facts(RED, STOPPED)))


def test_a_silent_forge_has_no_ci_only_after_a_while() -> None:
    """An external CI says its first word seconds after the push; nothing is concluded from a look before that."""
    soon = facts(checks=None, settling=True)
    verdict = judge_ci(soon)
    assert (Decision.HOLD, "the forge has said nothing of this commit yet") == (verdict.decision, verdict.reason)
    assert CiState.PENDING is ci_state(soon, verdict)
    assert judge_ci(facts(checks=None)).allowed
    assert judge_ci(facts(checks=None, settling=True, over=True)).allowed


def test_a_base_without_a_word_is_waited_for_where_the_commits_before_it_had_one() -> None:
    """Pushed a moment ago; a commit that CI skips is let go at the deadline, and says so."""
    target = policy(target={"forge": "gitea", "ci": {"every_seconds": 20}}).target
    early, late = (judge_base(None, "b" * 40, target, over=over, before=("test",)) for over in (False, True))
    assert (Decision.HOLD, Decision.ALLOW, 20) == (early.decision, late.decision, early.facts["lookAgainSeconds"])
    assert "nobody has reported test, as on earlier commits" in early.reason
    assert "in 60 minutes; the change's own commit has to show it" in late.reason


@pytest.mark.parametrize(
    ("checks", "said"),
    [
        ((PENDING.model_copy(update={"detail": "Waiting to run"}), MISSING), "no runner has taken lint"),
        ((PENDING.model_copy(update={"detail": "queued"}),), "no runner has taken lint"),
        ((GREEN, GONE_LINT), "lint reported on main and has not begun here: a slow CI, or one that is down; if it"),
        ((MISSING, PENDING), "nobody has begun docs here: a slow CI, one that is down, or a name that no check has"),
        ((GREEN, PENDING), "they have begun and are running"),
        ((), "a slow CI, one that is down, or none"),
        ((GREEN,), ""),
    ],
)
def test_the_likely_cause_of_waiting(checks: tuple[CommitCheck, ...], said: str) -> None:
    """One cause, the one a person can mend first."""
    assert likely_cause(checks, "main").startswith(said)
    assert bool(said) == bool(likely_cause(checks, "main"))


def test_a_held_base_names_deadline_and_cause_a_refused_one_who_asks_for_the_check() -> None:
    """What to do stands where it helps: `[ci] required` only for a name that is there."""
    target = policy(target={"forge": "gitea", "ci": {"required": ("docs",), "every_seconds": 20}}).target
    until = BEGAN + timedelta(hours=1)
    held = judge_base((MISSING,), "b" * 40, target, over=False, until=until)
    assert "missing: docs: not finished yet; waits until 2026-11-23 10:00:00 UTC. Likely: nobody has" in held.reason
    assert 20 == held.facts["lookAgainSeconds"]
    ours = judge_base((MISSING,), "b" * 40, target, over=True)
    assert ours.reason.endswith("or take it out of [ci] required of targets/example.toml")
    plain = policy(target={"forge": "gitea"}).target
    assert judge_base((MISSING,), "b" * 40, plain, over=True).reason.endswith("of the branch protection of main")


def test_a_plain_repository_never_reports() -> None:
    """Nobody is waited for who cannot come."""
    target = policy(target={"ci": {"required": ["docs"]}}).target
    verdict = judge_base(None, "b" * 40, target, over=False)
    assert (Decision.DENY, True) == (verdict.decision, "A repository without a forge has no CI" in verdict.reason)


@pytest.mark.parametrize(
    ("seen", "rejection"),
    [
        (
            facts(RED, OTHER),
            Rejection(
                reason_code="ci_failed",
                failed_gate=CI_RULE,
                recommended_remediation="test is red: 1 failed. Read the failing check's log behind its link, and fix "
                "what it names.",
                can_retry=True,
                retry_after="2026-12-23",
            ),
        ),
        (
            facts(GREEN, PENDING, over=True),
            Rejection(
                reason_code="ci_not_finished",
                failed_gate=CI_RULE,
                recommended_remediation="CI is not green after 61 minutes: pending: lint. See why the forge's CI "
                "reported nothing, or raise [ci] minutes; the pull request is still open: a person may merge it once "
                "it is green.",
                can_retry=True,
            ),
        ),
    ],
)
def test_a_no_makes_the_release_void(seen: CiFacts, rejection: Rejection) -> None:
    """REJECT with the contract's fields; what release said before stays in the tree."""
    before, verdict = decision(), judge_ci(seen)
    after = rejected_by_ci(before, verdict, ci_state(seen, verdict), policy(), date(2026, 11, 23))
    assert (Outcome.REJECT, rejection) == (after.outcome, after.rejection)
    assert (*before.verdict.children, verdict) == after.verdict.children


def test_where_there_is_nothing_to_wait_for_nobody_waits() -> None:
    """A repository without a forge and without named checks has no terms; the others have the policy's."""
    assert ci_terms(policy()) is None
    named = ci_terms(policy(target={"ci": {"required": ("a",), "minutes": 5, "every_seconds": 2}}))
    assert named is not None
    assert (("a",), 5, 2) == (named.named, named.minutes, named.every_seconds)
    access = {"account": "bot", "write": {"variable": "T"}}
    assert ci_terms(policy(target={"forge": "gitea", "remote": "https://x.invalid/a/b", "forge_access": access}))


@pytest.mark.parametrize(
    "wrong",
    [
        {"minutes": 0}, {"minutes": 1441}, {"every_seconds": 0}, {"minutes": 600, "every_seconds": 30},
        {"required": ("a", "a")}, {"required": ("a",), "ignore": ("a",)}, {"first_seconds": -1}, {"required": ("",)},
        {"required": (" a",)}, {"required": ("a\nb",)}, {"speed": 1},
    ],
)  # fmt: skip
def test_only_sane_values(wrong: dict[str, Any]) -> None:
    """A deadline of never, a look every instant, an empty or a doubled name are mistakes."""
    with pytest.raises(ValidationError):
        CiPolicy.model_validate(wrong)
    assert CiPolicy.model_validate({"required": ("CI / test (push)",)})


def test_what_is_told_of_a_failure() -> None:
    """Name, link and the end of the log; what was not reported blames nobody."""
    test, docs = failed_in_ci(CI)
    assert ("test", "red", "https://ci/1", ("E   assert 1 == 2", "FAILED test_names")) == (
        test.name, test.status.value, test.link, test.last_lines,
    )  # fmt: skip
    assert ("docs", "infrastructure", "missing") == (docs.name, docs.status.value, docs.detail)
    [blamed] = to_blame(CI)
    note = note_in_ci(blamed)
    assert ("CI test", "1 failed in 0.3 s; https://ci/1") == (note.check, note.detail)
    assert [] == to_blame(CI.model_copy(update={"state": CiState.PENDING})) == to_blame(None)


@pytest.mark.parametrize(
    ("same", "more"),
    [
        (True, {"link": "https://ci/2"}),
        (True, {"detail": "1 failed in 12 s"}),
        (True, {"log": "E   assert 5 == 2\nsee https://ci/9/log\nFAILED test_names\n"}),
        (False, {"name": "tests"}),
        (False, {"log": "FAILED test_other\n"}),
    ],
)
def test_one_failure_has_one_fingerprint(same: bool, more: dict[str, str]) -> None:
    """Names and complaints; no times, ids, links."""
    [blamed] = to_blame(CI)
    prints = [fingerprint_in_ci("demo", "ruff", "UP", [check]) for check in (blamed, blamed.model_copy(update=more))]
    assert same == (prints[0] == prints[1])


def test_a_red_ci_queues_a_remediation_and_is_heard() -> None:
    """The same rules as for our own checks: daily, not a DRY_RUN, and only when CI is the gate that rejected."""
    rejection = Rejection(reason_code="ci_failed", failed_gate=CI_RULE, recommended_remediation="r", can_retry=True)
    decided = decision().model_copy(update={"rejection": rejection})
    inside = CHANGE.model_copy(update={"paths": tuple(changed(path, 1, 1) for path in CONTRACT.scope.allowed_paths)})
    papers = Papers(decided, CONTRACT, inside, checks_report(GREEN_TESTS), lambda _ref: b"", CI)
    late = replace(papers, ci=CI.model_copy(update={"state": CiState.PENDING}))

    queued = queued_by(RUN, RunStatus.REJECTED, BEGAN, policy(), papers)
    assert queued is not None
    assert (CONTRACT.task_id, ("CI test",)) == (queued.task_id, tuple(note.check for note in queued.failed))
    dry = RUN.model_copy(update={"mode": Mode.DRY_RUN})
    assert [None] * 3 == [
        queued_by(run, status, BEGAN, policy(), these)
        for run, status, these in (
            (dry, RunStatus.REJECTED, papers),
            (RUN, RunStatus.PR_OPENED, papers),
            (RUN, RunStatus.REJECTED, late),
        )
    ]
    ended = INPUT.model_copy(update={"status": RunStatus.REJECTED, "steps": ()})
    [alert] = alerts_of(ended, checks_report(GREEN_TESTS), CI)
    assert AlertKind.REQUIRED_CHECK_FAILED is alert.kind
    assert "the forge's CI: red: test; missing: docs" in alert.summary
    assert () == alerts_of(ended, None, CI.model_copy(update={"verdict": judge_ci(facts(GREEN))}))


def test_why_it_was_closed_does_not_act() -> None:
    """What a CI writes is data: in code spans, where forges ping, link and close nothing."""
    hostile = CommitCheck(name="@owner `x` closes #1", state=CheckState.RED, link="javascript:y", detail="<img src=x>")
    text = not_released(CI.model_copy(update={"checks": (hostile, GREEN)}))
    assert text == inert_markdown(text)
    assert "- `@owner 'x' closes #1`: red, `<img src=x>`, `javascript:y`" in text
    assert "lint" not in text
