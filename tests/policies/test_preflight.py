"""Six receipts or no run (runbook §3); a gate never seen to refuse is not trusted."""

from datetime import date, timedelta

import pytest

from contracts.budget import Amounts
from contracts.evidence import Receipt
from contracts.modes import Role
from contracts.verdict import Decision
from policies.run.preflight import CHECKS, budget_caps, gates_refuse, judge_preflight, policy_current, protected_loaded
from policies.verdicts import allow, deciding, deny, escalate, explain, hold
from tests.policies.sample_policy import auto_policy, policy

POLICY = policy()
GOOD = tuple(Receipt(name=name, verdict=allow(name, "fine")) for name in CHECKS)
REVIEWED = POLICY.target.review.on


def test_six_good_receipts_open_the_way():
    """Exactly the runbook's six."""
    assert judge_preflight(GOOD).allowed
    assert len(CHECKS) == 6


@pytest.mark.parametrize("index", range(6))
@pytest.mark.parametrize("verdict", [deny("r", "no"), hold("r", "wait"), escalate("r", "stop")])
def test_each_receipt_is_needed(index, verdict):
    """One missing, doubled or failed: DENY, whatever the others say."""
    failed = GOOD[index].model_copy(update={"verdict": verdict})

    assert judge_preflight(GOOD[:index] + GOOD[index + 1 :]).decision is Decision.DENY
    assert judge_preflight((*GOOD, GOOD[index])).decision is Decision.DENY
    assert judge_preflight((*GOOD[:index], failed, *GOOD[index + 1 :])).decision is Decision.DENY


def test_an_unknown_receipt_is_refused():
    """A seventh means that list and step disagree."""
    assert not judge_preflight((*GOOD, Receipt(name="extra", verdict=allow("extra", "fine")))).allowed


@pytest.mark.parametrize(
    ("days", "allowed"), [(0, True), (90, True), (91, False), (-1, False)], ids=["today", "last", "old", "future"]
)
def test_a_policy_is_current_while_somebody_looked_at_it_lately(days, allowed):
    """Neither an old stamp nor one from the future counts."""
    assert policy_current(POLICY, POLICY.digest, REVIEWED + timedelta(days=days)).allowed is allowed


def test_an_edited_policy_is_not_current():
    """Neither another pin, nor content that does not match its own digest (P6)."""
    today = date.fromisoformat(REVIEWED.isoformat())
    forged = POLICY.model_copy(update={"autopilot": auto_policy().autopilot})

    assert not policy_current(POLICY, "0" * 64, today).allowed
    assert not policy_current(forged, forged.digest, today).allowed


def test_caps_must_make_sense():
    """A run that may outspend its day has no daily cap."""
    assert budget_caps(POLICY, {}).allowed
    assert not budget_caps(policy({"caps": {"usd_per_run": 30.0}}), {}).allowed


def test_the_shipped_gates_refuse_every_known_bad_case():
    """With the shipped policy, and with SELECTIVE_AUTO enabled."""
    for each in (POLICY, auto_policy()):
        assert protected_loaded(each).allowed, explain(protected_loaded(each))
        assert gates_refuse(each).allowed, explain(gates_refuse(each))


@pytest.mark.parametrize("gap", ["secrets", "pipeline", "git itself"])
def test_a_denylist_with_a_gap_is_found(gap):
    """Removing a rule is seen before the run it would serve."""
    rules = tuple(rule for rule in POLICY.protected_paths.protected if gap not in rule.reason)
    open_ = POLICY.model_copy(
        update={"protected_paths": POLICY.protected_paths.model_copy(update={"protected": rules})}
    )

    found = protected_loaded(open_)
    assert found.decision is Decision.DENY
    assert "leaves this gate open" in deciding(found).reason


def test_a_gate_that_lets_everything_pass_is_found(monkeypatch):
    """The trial itself can fail: with the path gate off, preflight refuses."""
    monkeypatch.setattr("policies.run.preflight.judge_paths", lambda *_: allow("paths", "all fine"))
    monkeypatch.setattr("policies.run.preflight.judge_budget", lambda *_: allow("budget", "all fine"))
    monkeypatch.setattr("policies.release.release.judge_paths", lambda *_: allow("paths", "all fine"))

    assert not protected_loaded(POLICY).allowed
    refused = [child.rule for child in gates_refuse(POLICY).children if not child.allowed]
    assert "known-bad is refused: one line too many" in refused
    assert "known-bad is refused: protected path" in refused


@pytest.mark.parametrize(
    ("usd", "tokens", "fits"),
    [(3.0, 800_000, True), (0.25, 60_000, True), (0.249, 60_000, False), (3.0, 59_999, False)],
)
def test_a_run_whose_agent_could_ask_nothing_is_not_begun(usd: float, tokens: int, fits: bool) -> None:
    """With the number, and what to do; it is told either way."""
    known = policy()
    role = known.charter.roles[Role.CODING].model_copy(update={"backend": "command", "usd": usd, "tokens": tokens})
    roles = {**known.charter.roles, Role.CODING: role}
    said = known.model_copy(update={"charter": known.charter.model_copy(update={"roles": roles})})
    verdict = budget_caps(said, {Role.CODING: Amounts(usd=0.25, tokens=60_000)})
    assert fits is verdict.allowed
    told = explain(verdict)
    assert "the first exchange of coding may cost 0.25 USD and 60000 tokens" in told
    assert fits is ("Raise usd and tokens in [roles.coding]" not in told)
