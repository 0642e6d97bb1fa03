"""What the policy says to Control: its terms, each period's caps, a step's worst case (runbook §3, §6.4)."""

from contracts.budget import Amounts, BudgetTerms, Caps, Measure, Period
from contracts.modes import Role
from contracts.rollback import RollbackCaps
from contracts.terms import ControlTerms
from policies.settings.charter import PAID_BY_EXCHANGE
from policies.settings.schema import EffectivePolicy

SPENDING = frozenset({Role.TRIAGING, Role.PLANNING, Role.CODING, Role.REVIEW})
"""Roles that ask an agent, whoever it is. Sensing measures, which is no agent's part."""


def spends(policy: EffectivePolicy, role: Role) -> bool:
    """Whether a step of this role reserves what it may cost before it begins."""
    role_policy = policy.charter.roles.get(role)
    return role in SPENDING or (role_policy is not None and role_policy.backend in PAID_BY_EXCHANGE)


def budget_terms(policy: EffectivePolicy) -> BudgetTerms:
    """Caps, thresholds and time zone of a target."""
    settings = policy.autopilot.caps
    run, day, week, month = (_amounts(policy, period) for period in Period)
    return BudgetTerms(
        caps=Caps(run=run, day=day, week=week, month=month),
        thresholds=tuple(sorted(set(settings.budget_thresholds))),
        time_zone=policy.target.time_zone,
    )


def control_terms(policy: EffectivePolicy) -> ControlTerms:
    """All that a target's Control goes by."""
    autopilot, rollback = policy.autopilot, policy.autopilot.rollback
    return ControlTerms(
        max_active=autopilot.control.max_active,
        queue_limit=autopilot.control.queue_limit,
        runs_per_day=autopilot.caps.runs_per_day,
        open_pull_requests=autopilot.caps.open_pull_requests,
        maximum_mode=policy.target.maximum_mode or autopilot.modes.maximum,
        first_mode=autopilot.modes.first,
        failures_in_a_row=autopilot.control.failures_in_a_row,
        grant_days=autopilot.control.grant_days,
        reap_seconds=autopilot.control.reap_seconds,
        rollback_caps=RollbackCaps(
            reverts_per_day=rollback.reverts_per_day,
            culprit_hours=rollback.culprit_hours,
            quarantine_days=rollback.quarantine_days,
        ),
        budget=budget_terms(policy),
    )


def worst_case(policy: EffectivePolicy, role: Role) -> Amounts:
    """What one step of a role may cost at most, as the charter says.

    Raises:
        KeyError: the charter has no such role.
    """
    role_policy = policy.charter.roles[role]
    return Amounts(usd=role_policy.usd, tokens=role_policy.tokens, agent_minutes=role_policy.minutes)


def held_for_step(policy: EffectivePolicy, role: Role) -> Amounts:
    """What is reserved before a step of a role: all that it may cost, or its minutes, where each exchange pays itself.

    Raises:
        KeyError: the charter has no such role.
    """
    worst = worst_case(policy, role)
    paid_by_exchange = policy.charter.roles[role].backend in PAID_BY_EXCHANGE
    return Amounts(agent_minutes=worst.agent_minutes) if paid_by_exchange else worst


def cap_name(period: Period, measure: Measure) -> str:
    """The setting's name in ``autopilot.toml``, for example ``usd_per_week``."""
    return f"{measure}_per_{period}"


def _amounts(policy: EffectivePolicy, period: Period) -> Amounts:
    caps = policy.autopilot.caps
    # One run is one run: no cap of that name.
    measures = [measure for measure in Measure if (period, measure) != (Period.RUN, Measure.RUNS)]
    return Amounts.model_validate({measure.value: getattr(caps, cap_name(period, measure)) for measure in measures})
