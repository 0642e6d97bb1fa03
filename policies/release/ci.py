"""Whether the forge's own CI lets a commit pass (runbook §3, §6.2): a missing result is not green."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from fnmatch import fnmatchcase

from contracts.ci import LOOK_AGAIN, CiReport, CiState, CiTerms
from contracts.evidence import CheckStatus, FailedCheck
from contracts.forge_facts import CheckState, CommitCheck
from contracts.modes import Outcome
from contracts.pull_request import PullRequest
from contracts.release import ReleaseDecision
from contracts.remediation import FailureNote
from contracts.verdict import Decision, Verdict
from policies.counted import counted as number_of
from policies.counted import shortened
from policies.digests import digest
from policies.release.checks import complaints, first_complaint
from policies.release.rejection import CI_RULE, FailedGate, reject
from policies.settings.schema import EffectivePolicy, Target
from policies.verdicts import all_of, allow, ask, concluded, deny, hold

NO_CI = "the forge has no CI, and no check is named"
SILENT = "the forge has said nothing of this commit yet"
GONE = "it reported on the base"
"""What is said of a check that is missing only because it was there before."""
_NAMED = 10
_BY_CHANGE = re.compile(r" \((?:push|pull_request|pull_request_target)\)$")
"""Gitea's own CI: a job of both events has two names for one thing."""
_BY_OTHERS = re.compile(r" \((?:release|schedule|workflow_dispatch)\)$")
"""The same for jobs that no change starts."""
_QUEUED = re.compile(r"waiting to run|queued|blocked|no runner", re.IGNORECASE)
_OPEN = frozenset({CheckState.PENDING, CheckState.MISSING})


def ci_terms(policy: EffectivePolicy) -> CiTerms | None:
    """How a run of this target waits for CI; None where there is none: no forge, and no check is named."""
    ci = policy.target.ci
    if policy.target.forge == "local" and not ci.required:
        return None
    return CiTerms(
        named=ci.required,
        minutes=ci.minutes,
        every_seconds=ci.every_seconds,
        ignored=ci.ignore,
        first_seconds=ci.first_seconds,
    )


def counted(
    reported: tuple[CommitCheck, ...] | None,
    before: Iterable[CommitCheck] = (),
    *,
    ignored: Iterable[str] = (),
    demanded: Iterable[str] = (),
) -> tuple[CommitCheck, ...] | None:
    """Every check that counts for a commit; None: there is none.

    Rules, in order: an ignored check does not count, unless the forge itself demands it · what was skipped and nobody
    demands does not count, unless it ran on the base · what reported on the base (``before``) counts; without a word on
    this commit it is missing. Jobs that no change starts are not expected.
    """
    before = tuple(before)
    ran = {_job(check.name) for check in before if heard(check)}
    # A job of two events that one of them skips has run.
    ran -= {_job(check.name) for check in reported or () if heard(check)}
    kept = [
        check
        for check in reported or ()
        if not _ignored(check.name, ignored, demanded) and not (check.idle and _job(check.name) not in ran)
    ]
    known = {_job(check.name) for check in kept}
    gone = {
        _job(check.name): CommitCheck(name=check.name, state=CheckState.MISSING, detail=GONE)
        for check in before
        if heard(check)
        and _job(check.name) not in known
        and not _BY_OTHERS.search(check.name)
        and not _ignored(check.name, ignored, demanded)
    }
    return (*kept, *gone.values()) or (() if reported == () else None)


def heard(check: CommitCheck) -> bool:
    """Whether it began on the commit, however it ended."""
    return check.stopped or check.state is not CheckState.MISSING


def awaits_a_runner(check: CommitCheck) -> bool:
    """Whether the forge says that nobody has taken the job yet."""
    return check.state is CheckState.PENDING and _QUEUED.search(check.detail) is not None


def likely_cause(checks: tuple[CommitCheck, ...] | None, base_branch: str) -> str:
    """What most likely keeps the checks that are awaited, the one that a person can mend first."""
    awaited = [check for check in checks or () if check.state in _OPEN]
    queued = [check.name for check in awaited if awaits_a_runner(check)]
    if queued:
        return f"no runner has taken {_few(queued)}: see whether one is registered, free, and has the label it asks for"
    if stopped := [check.name for check in awaited if check.stopped]:
        return f"{_few(stopped)} was cancelled, or waits for somebody's leave: see its page, and run it again"
    gone = [check.name for check in awaited if check.detail == GONE]
    if gone:
        only = f"if it runs on {base_branch} alone, name it in [ci] ignore"
        return f"{_few(gone)} reported on {base_branch} and has not begun here: a slow CI, or one that is down; {only}"
    if unheard := [check.name for check in awaited if check.state is CheckState.MISSING]:
        return f"nobody has begun {_few(unheard)} here: a slow CI, one that is down, or a name that no check has"
    if awaited:
        return "they have begun and are running"
    return "" if checks else "a slow CI, one that is down, or none"


@dataclass(frozen=True)
class CiFacts:
    """One look, all of it read from the forge."""

    commit_sha: str
    named: tuple[str, ...]
    checks: tuple[CommitCheck, ...] | None
    """None: there is no CI."""
    pull: PullRequest | None
    """None: the forge does not show it."""
    branch_head: str
    """Where the pull request's branch is."""
    began_at: datetime
    looked_at: datetime
    over: bool
    """The deadline has passed."""
    problem: str = ""
    """Why the forge could not be asked; then nothing else is known."""
    settling: bool = False
    """So soon after the push that a CI may not have said its first word."""


def judge_ci(facts: CiFacts) -> Verdict:
    """Go on, look again, leave it to a person, or reject.

    Rules, in order; the first that concludes decides:

    1. The pull request is merged or closed, or its branch is not at this commit: a person took it over (ASK).
    2. Nothing counts: a forge that may still say its first word is looked at again (HOLD); else there is no CI, and
       nothing to wait for (ALLOW).
    3. A check is still running before the deadline: look again (HOLD), also when another is red already, so that a
       rejection names everything that failed.
    4. A check is red: rejected (DENY).
    5. A check is missing or pending, the pull request is not shown, or the forge could not be asked: before the
       deadline look again (HOLD), after it rejected (DENY). A named check that the forge does not mention is missing; a
       forge that mentions none at all has not said that it has no CI.
    6. Every check is green (ALLOW).
    """
    if facts.problem:
        return _not_yet(facts, f"unknown: {facts.problem}", ())
    if taken := _taken_over(facts):
        return ask("the pull request is still the run's", taken)
    if facts.checks is None and not facts.named:
        return hold(CI_RULE, SILENT) if facts.settling and not facts.over else allow(CI_RULE, NO_CI)
    checks = complete(facts.checks, facts.named)
    children = tuple(_one(check) for check in checks)
    running = [check for check in checks if check.state is CheckState.PENDING]
    if running and not facts.over:
        return concluded(Decision.HOLD, CI_RULE, not_green(checks), *children)
    if any(check.state is CheckState.RED for check in checks):
        return concluded(Decision.DENY, CI_RULE, f"CI is not green: {not_green(checks)}", *children)
    unseen = "" if facts.pull else "the forge does not show the pull request"
    if not checks or unseen or any(check.state in _OPEN for check in checks):
        reason = "; ".join(filter(None, (unseen, not_green(checks) if checks else "the forge mentions no check")))
        return _not_yet(facts, reason, children)
    return all_of(CI_RULE, children)


def judge_base(
    checks: tuple[CommitCheck, ...] | None,
    base: str,
    target: Target,
    *,
    over: bool,
    until: datetime | None = None,
    before: tuple[str, ...] = (),
) -> Verdict:
    """Whether a run may start from this base (runbook §3): its required checks are green in CI.

    Rules, in order: with no CI and no check named there is nothing to ask (ALLOW), but where checks reported on an
    earlier commit (``before``), the forge may still speak, and the run waits (HOLD) until it is ``over`` · none is
    red (DENY) · a plain repository reports nothing, ever (DENY) · none is pending or missing, and something was said:
    the run waits (HOLD) until ``[ci] minutes`` are ``over``, then it is refused (DENY), and nothing is used up but the
    day's attempt.
    """
    rule, on = "required checks are green in the forge's CI", f"CI on {target.base_branch} at {base[:12]}"
    if checks is None and not target.ci.required:
        if not before:
            return allow(rule, NO_CI)
        silent = f"{on}: nobody has reported {_few(list(before))}, as on earlier commits"
        if over:
            return allow(
                rule, f"{silent}, in {number_of(target.ci.minutes, 'minute')}; the change's own commit has to show it"
            )
        return _held_base(rule, silent, "a slow CI, one that is down, or a commit that it skips", target, until)
    found = complete(checks, target.ci.required)
    states = {check.state for check in found}
    told = f"{on}: {not_green(found) or 'the forge mentions no check'}"
    if CheckState.RED in states:
        return deny(rule, f"{told}. Mend {target.base_branch}, then run again")
    mend = f"take it out of {_demanded_by(found, target)}"
    if target.forge == "local" and states <= {CheckState.GREEN, CheckState.MISSING} and states != {CheckState.GREEN}:
        return deny(rule, f"{told}: nobody reported it. A repository without a forge has no CI: {mend}")
    if states != {CheckState.GREEN} and not over:
        return _held_base(rule, f"{told}: not finished yet", likely_cause(found, target.base_branch), target, until)
    if CheckState.PENDING in states:
        late = f"{told}: not finished after {number_of(target.ci.minutes, 'minute')}. Run again when it is"
        return deny(rule, f"{late}. Likely: {likely_cause(found, target.base_branch)}")
    if CheckState.MISSING in states or not found:
        return deny(rule, f"{told}: nobody reported it. Let CI report it, or {mend}")
    return allow(rule, f"{on}: all {len(found)} green")


def ci_state(facts: CiFacts, verdict: Verdict) -> CiState:
    """What the report says in one word."""
    if facts.problem:
        return CiState.PENDING
    if facts.checks is None and not facts.named:
        return CiState.NONE if verdict.decision is not Decision.HOLD else CiState.PENDING
    states = {check.state for check in complete(facts.checks, facts.named)}
    if CheckState.RED in states and verdict.decision is not Decision.HOLD:
        return CiState.RED
    return CiState.GREEN if states == {CheckState.GREEN} else CiState.PENDING


def complete(checks: tuple[CommitCheck, ...] | None, named: tuple[str, ...]) -> tuple[CommitCheck, ...]:
    """All required checks, those that the forge forgot as MISSING; a name may be a pattern, as on GitHub."""
    found = tuple(checks or ())
    forgotten = (name for name in named if not any(_among(check.name, (name,)) for check in found))
    return found + tuple(CommitCheck(name=name, state=CheckState.MISSING) for name in forgotten)


def not_green(checks: tuple[CommitCheck, ...]) -> str:
    """Every check that is not green, by state, the worst first; empty when all are."""
    order = (CheckState.RED, CheckState.MISSING, CheckState.PENDING)
    found = [(state, [check.name for check in checks if check.state is state]) for state in order]
    return "; ".join(f"{state}: {_few(names)}" for state, names in found if names)


def rejected_by_ci(
    decision: ReleaseDecision, verdict: Verdict, state: CiState, policy: EffectivePolicy, today: date
) -> ReleaseDecision:
    """The release decision once CI said no: void, whatever it was (policy defaults: a failed gate blocks release)."""
    gate = FailedGate.CI if state is CiState.RED else FailedGate.CI_IN_TIME
    return decision.model_copy(
        update={
            "outcome": Outcome.REJECT,
            "verdict": all_of(decision.verdict.rule, [*decision.verdict.children, verdict]),
            "rejection": reject([(gate, verdict)], policy, today),
        }
    )


def _held_base(rule: str, told: str, cause: str, target: Target, until: datetime | None) -> Verdict:
    deadline = f" until {until:%Y-%m-%d %H:%M:%S} UTC" if until else ""
    reason = f"{told}; waits{deadline}. Likely: {cause}"
    return hold(rule, reason, **{LOOK_AGAIN: target.ci.every_seconds})


def _demanded_by(checks: tuple[CommitCheck, ...], target: Target) -> str:
    """Where the missing checks are asked for."""
    missing = {check.name for check in checks if check.state is CheckState.MISSING}
    ours, file = missing & set(target.ci.required), f"[ci] required of targets/{target.name}.toml"
    protection = f"the branch protection of {target.base_branch}"
    return file if missing and missing == ours else f"{file} or {protection}" if ours else protection


def _job(name: str) -> str:
    return _BY_CHANGE.sub("", name)


def _ignored(name: str, ignored: Iterable[str], demanded: Iterable[str]) -> bool:
    return _among(name, ignored) and not _among(name, demanded)


def _among(name: str, patterns: Iterable[str]) -> bool:
    return any(name == pattern or fnmatchcase(name, pattern) for pattern in patterns)


def _taken_over(facts: CiFacts) -> str:
    pull = facts.pull
    if pull is None:
        return ""
    if pull.state != "open":
        return f"a person {pull.state} pull request {pull.number} while its CI was awaited"
    if facts.commit_sha not in {pull.head_sha, facts.branch_head}:
        at = (facts.branch_head or pull.head_sha)[:12]
        return f"somebody moved the branch of pull request {pull.number} to {at} while its CI was awaited"
    return ""


def _not_yet(facts: CiFacts, reason: str, children: tuple[Verdict, ...]) -> Verdict:
    if not facts.over:
        return concluded(Decision.HOLD, CI_RULE, reason, *children)
    minutes = (facts.looked_at - facts.began_at).total_seconds() / 60
    return concluded(
        Decision.DENY, CI_RULE, f"CI is not green after {number_of(round(minutes), 'minute')}: {reason}", *children
    )


def _one(check: CommitCheck) -> Verdict:
    rule, facts = f"{check.name} is green in CI", {"link": check.link} if check.link else {}
    text = f": {check.detail}" if check.detail else ""
    if check.state is CheckState.GREEN:
        return allow(rule, f"green{text}", **facts)
    if check.state is CheckState.RED:
        return deny(rule, f"{check.name} is red{text}", **facts)
    return hold(rule, f"{check.state}{text}", **facts)


def _few(names: list[str]) -> str:
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + rest


# What is told of checks that failed in the forge's CI (runbook §6.2), and what of it makes two failures the same.

_LAST, _WIDTH = 15, 300
_LINK = re.compile(r"https?://\S+")


def failed_in_ci(ci: CiReport | None) -> tuple[FailedCheck, ...]:
    """Every check that is not green. What was not reported in time says nothing of the change."""
    return tuple(_shown(check) for check in ci.checks if check.state is not CheckState.GREEN) if ci else ()


def to_blame(ci: CiReport | None) -> list[CommitCheck]:
    """The checks a change can be blamed for: red ones, once CI has rejected it."""
    return [check for check in ci.checks if check.state is CheckState.RED] if ci and ci.state is CiState.RED else []


def fingerprint_in_ci(target: str, tool: str, rule: str, failed: list[CommitCheck]) -> str:
    """Digest of target, idea and the failing checks with what they said; no links: each run of a check has its own."""
    parts = [
        ["ci", check.name, check.state.value, list(complaints(_said(check)))]
        for check in sorted(failed, key=lambda each: each.name)
    ]
    return digest([target, tool, rule, parts])


def note_in_ci(check: CommitCheck) -> FailureNote:
    """One failing check in one line, for a remediation's evidence."""
    told = first_complaint(f"{check.detail}\n{check.log}".encode())
    detail = "; ".join(filter(None, (told, check.link)))
    return FailureNote(check=shortened(f"CI {check.name}", 200), status=CheckStatus.RED, detail=shortened(detail, 400))


def _said(check: CommitCheck) -> bytes:
    return _LINK.sub("<link>", f"{check.detail}\n{check.log}").encode()


def _shown(check: CommitCheck) -> FailedCheck:
    lines = [line[:_WIDTH].rstrip() for line in check.log.splitlines() if line.strip()]
    red = check.state is CheckState.RED
    return FailedCheck(
        name=check.name,
        kind="ci",
        tree="ci",
        required=True,
        status=CheckStatus.RED if red else CheckStatus.INFRASTRUCTURE,
        exit_code=None,
        seconds=0.0,
        attempts=1,
        detail=check.detail or check.state.value,
        first_lines=(),
        last_lines=tuple(lines[-_LAST:]),
        output="",
        link=check.link,
    )
