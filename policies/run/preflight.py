"""The six checks before any run (runbook §3), as far as they are pure."""

from collections.abc import Iterator, Mapping
from datetime import date

from contracts.budget import Amounts, Measure, Period
from contracts.evidence import Receipt
from contracts.modes import Outcome, Role
from contracts.verdict import Decision, Verdict
from policies.counted import counted
from policies.digests import policy_digest
from policies.paths.diff_budget import judge_budget, within_auto_merge
from policies.paths.rules import judge_paths
from policies.release.release import judge_release
from policies.run import known_bad
from policies.run.caps import SPENDING, budget_terms, cap_name, worst_case
from policies.run.known_bad import KnownBad
from policies.settings.schema import EffectivePolicy
from policies.task.compliance import judge_compliance
from policies.verdicts import all_of, allow, concluded, deny

CHECKS = (
    "policy_current",
    "required_checks_green",
    "budget_caps",
    "audit_logging",
    "protected_paths_loaded",
    "rollback_tested",
)
"""Exactly these six, in the runbook's order."""

_COSTS = (Measure.USD, Measure.TOKENS, Measure.AGENT_MINUTES)
_SEVERITY = (Decision.ALLOW, Decision.ASK, Decision.HOLD, Decision.DENY, Decision.ESCALATE)


def judge_preflight(receipts: tuple[Receipt, ...]) -> Verdict:
    """A run may start only on six good receipts (runbook §3).

    Rules, in order: each of the six is there once and says ALLOW (else DENY) · there is no seventh (DENY: a receipt
    nobody asked for means that this list and the step disagree).
    """
    children = [_receipt(name, [r for r in receipts if r.name == name]) for name in CHECKS]
    children += [
        deny(f"preflight {r.name} is known", f"preflight {r.name} is not one of {', '.join(CHECKS)}")
        for r in receipts
        if r.name not in CHECKS
    ]
    return all_of("all six preflight checks passed", children)


def policy_current(policy: EffectivePolicy, pinned_digest: str, today: date) -> Verdict:
    """Policy files are present and current (runbook §3).

    Rules, in order (DENY): the policy is the one that was pinned, and its digest is of its own content (P6) · a person
    reviewed it, not in the future, and at most ``preflight.reviewed_within_days`` ago.
    """
    rule, stamp = "policy is the pinned one", policy.target.review
    own = policy_digest(policy)
    same = policy.digest == pinned_digest == own
    digests = (allow if same else deny)(
        rule,
        "digest matches" if same else "the policy's digest differs: it was edited",
        pinned=pinned_digest,
        found=own,
    )
    age, most = (today - stamp.on).days, policy.autopilot.preflight.reviewed_within_days
    reason = f"{stamp.by} reviewed the policy on {stamp.on}, {counted(age, 'day')} ago; at most {most}"
    if not 0 <= age <= most:
        reason += f". Look at it (`policy explain`), then set [review] on in targets/{policy.target.name}.toml"
    reviewed = (allow if 0 <= age <= most else deny)("policy was reviewed lately", reason, days=age, most=most)
    return all_of("policy files are present and current", [digests, reviewed])


def budget_caps(policy: EffectivePolicy, first: Mapping[Role, Amounts]) -> Verdict:
    """Budget caps are configured (runbook §3, §6.4).

    Rules, in order (DENY): each cap has a finite value · one run cannot outspend its day, week or month · what a step
    may cost at worst fits into a run: it could never be reserved · the first exchange of each role that asks a model
    (``first``, at worst) fits what the charter gives the role: else it would ask nothing.
    """
    caps = policy.autopilot.caps
    set_ = allow("every cap has a value", "no cap is unlimited", **caps.model_dump(exclude={"budget_thresholds"}))
    return all_of(
        "budget caps are configured", [set_, *_runs_fit(policy), *_steps_fit(policy), *_first_fits(policy, first)]
    )


def _runs_fit(policy: EffectivePolicy) -> Iterator[Verdict]:
    caps = budget_terms(policy).caps
    for period, most in ((Period.DAY, caps.day), (Period.WEEK, caps.week), (Period.MONTH, caps.month)):
        above = [measure for measure in _COSTS if getattr(caps.run, measure) > getattr(most, measure)]
        names = ", ".join(f"{cap_name(Period.RUN, each)} > {cap_name(period, each)}" for each in above)
        yield (deny if above else allow)(
            f"a run fits into its {period}",
            f"a run does not fit into its {period}: {names}" if above else "no cap of a run is larger",
        )


def _steps_fit(policy: EffectivePolicy) -> Iterator[Verdict]:
    most = budget_terms(policy).caps.run
    for role in sorted(SPENDING & set(policy.charter.roles)):
        worst = worst_case(policy, role)
        above = [measure for measure in _COSTS if getattr(worst, measure) > getattr(most, measure)]
        names = ", ".join(
            f"roles.{role}.{'minutes' if each is Measure.AGENT_MINUTES else each} > {cap_name(Period.RUN, each)}"
            for each in above
        )
        yield (deny if above else allow)(
            f"a {role} step fits into a run",
            f"a {role} step does not fit into a run: {names}" if above else "its worst case is within the caps",
        )


def _first_fits(policy: EffectivePolicy, first: Mapping[Role, Amounts]) -> Iterator[Verdict]:
    for role, worst in sorted(first.items()):
        role_policy, rule = policy.charter.roles[role], f"the first exchange of {role} can be paid"
        costs = f"the first exchange of {role} may cost {worst.usd:.4g} USD and {counted(worst.tokens, 'token')}"
        allowance = (
            f"the charter gives it {role_policy.usd:.4g} USD and {counted(role_policy.tokens, 'token')} for one run"
        )
        if worst.usd <= role_policy.usd and worst.tokens <= role_policy.tokens:
            yield allow(rule, f"{costs}; {allowance}", usd=worst.usd, tokens=worst.tokens)
        else:
            advice = f"Raise usd and tokens in [roles.{role}], or lower its output_tokens"
            yield deny(rule, f"{costs}, and {allowance}. {advice}", usd=worst.usd, tokens=worst.tokens)


def protected_loaded(policy: EffectivePolicy) -> Verdict:
    """The denylist is loaded (runbook §3): every known-bad change is refused, the protected ones as violations (P5)."""
    contract = known_bad.contract(policy)
    paths = [
        _refuses(case, judge_paths(case.change, policy, contract, known_bad.BASE_PATHS))
        for case in known_bad.bad_paths()
    ]
    licences = [_refuses(case, judge_compliance(case.change, b"", policy)) for case in known_bad.bad_licences(policy)]
    return all_of("the protected-path denylist refuses", [*paths, *licences])


def gates_refuse(policy: EffectivePolicy) -> Verdict:
    """The budget and release gates refuse what they must: every known-bad size, and every known-bad release."""
    return all_of("the gates refuse", [*_budgets_refuse(policy), *_release_refuses(policy)])


def _budgets_refuse(policy: EffectivePolicy) -> Iterator[Verdict]:
    contract = known_bad.contract(policy)
    for case in known_bad.bad_sizes(policy):
        yield _refuses(case, judge_budget(case.change, contract, policy))
    limits = policy.autopilot.auto_merge
    large = known_bad.change(known_bad.entry("src/module.py", lines=limits.lines + 1))
    case = KnownBad("auto-merge of one line too many", large, Decision.ASK)
    yield _refuses(case, within_auto_merge(large, policy))


def _release_refuses(policy: EffectivePolicy) -> Iterator[Verdict]:
    for name, facts in known_bad.bad_releases(policy):
        decision = judge_release(facts)
        refused = decision.outcome is Outcome.REJECT and decision.rejection is not None
        yield _seen(name, refused, decision.outcome.value)
    for name, facts in known_bad.unmerged_releases(policy):
        outcome = judge_release(facts).outcome
        stopped = outcome is not Outcome.AUTO_MERGE_ALLOWED
        yield _seen(f"merged by itself: {name}", stopped, outcome.value)


def _refuses(case: KnownBad, verdict: Verdict) -> Verdict:
    refused = _SEVERITY.index(verdict.decision) >= _SEVERITY.index(case.expected)
    return _seen(case.name, refused, verdict.decision.value)


def _seen(name: str, refused: bool, found: str) -> Verdict:
    rule = f"known-bad is refused: {name}"
    return allow(rule, found) if refused else deny(rule, f"{name} got {found}: the policy leaves this gate open")


def _receipt(name: str, receipts: list[Receipt]) -> Verdict:
    rule = f"preflight {name} passed"
    if len(receipts) != 1:
        return deny(
            rule,
            f"{name} has no receipt: the check was not made"
            if not receipts
            else f"{name} has {len(receipts)} receipts, not one",
        )
    verdict = receipts[0].verdict
    decision = Decision.ALLOW if verdict.allowed else Decision.DENY
    return concluded(decision, rule, verdict.reason, verdict)
