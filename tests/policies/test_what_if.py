"""A past decision made again from its facts: under the same policy the same, whatever the facts (runbook §11; P12)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.modes import Mode, Outcome
from contracts.release import KeptFacts
from policies.paths.rules import judge_paths, neighbours
from policies.release.rejection import CI_RULE
from policies.release.release import judge_release
from policies.release.what_if import compared, decided_under, kept
from policies.run import known_bad
from policies.run.known_bad import bad_releases, good_facts, unmerged_releases
from policies.verdicts import deny
from tests.policies.sample_policy import auto_policy, policy

AUTO = good_facts(auto_policy())
LIMITS = AUTO.policy.autopilot.auto_merge.model_copy(update={"lines": 0})
STRICTER = AUTO.policy.model_copy(
    update={"autopilot": AUTO.policy.autopilot.model_copy(update={"auto_merge": LIMITS}), "digest": "e" * 64}
)
CASES = [("good", AUTO), *bad_releases(auto_policy()), *unmerged_releases(auto_policy())]
NAMES = st.text(st.sampled_from("aAßﬁ/é."), min_size=1, max_size=6)


@pytest.mark.parametrize("facts", [facts for _, facts in CASES], ids=[name for name, _ in CASES])
def test_the_same_policy_changes_nothing(facts):
    """The whole decision, and not its outcome alone, from what was kept of its facts."""
    again = KeptFacts.model_validate_json(kept(facts).model_dump_json())
    recorded = judge_release(facts)
    assert recorded == decided_under(again, facts.policy)
    assert compared(recorded, again, facts.policy, facts.policy) is None


@given(st.lists(NAMES, max_size=8), st.lists(NAMES, min_size=1, max_size=3))
def test_of_the_base_enough_is_kept(base, added):
    """Twins by case and Unicode, of folders as well, are found from what is kept as from the whole tree."""
    change = known_bad.change(*(known_bad.entry(path, "A") for path in added))
    whole, left = (judge_paths(change, AUTO.policy, AUTO.contract, of) for of in (base, neighbours(change, base)))
    assert whole == left


def test_what_would_be_otherwise_is_told():
    """From what, to what, by which rule, and what a person made of it."""
    other = compared(judge_release(AUTO), kept(AUTO), AUTO.policy, STRICTER, "MERGED by ann")
    assert (Outcome.AUTO_MERGE_ALLOWED, Outcome.REQUIRES_HUMAN_REVIEW) == (other.decided, other.would_be)
    assert "1 line; at most 0 may be merged without a person" == other.because
    assert "MERGED by ann" == other.became


def test_a_policy_that_changed_under_the_run_stays_a_fact():
    """Another policy would have been voided by the same edit."""
    facts = replace(AUTO, policy_digest_now="f" * 64)
    assert Outcome.REJECT is decided_under(kept(facts), STRICTER).outcome


def test_what_ci_voided_stays_void():
    """Whatever a policy says before it."""
    recorded = judge_release(replace(AUTO, mode=Mode.PR_ONLY))
    tree = recorded.verdict.model_copy(update={"children": (*recorded.verdict.children, deny(CI_RULE, "red"))})
    voided = recorded.model_copy(update={"outcome": Outcome.REJECT, "verdict": tree})
    assert compared(voided, kept(AUTO), AUTO.policy, STRICTER) is None


def test_other_rules_are_told_from_another_policy():
    """A decision that its own facts and policy do not make any more is not counted for or against a policy."""
    recorded = judge_release(AUTO).model_copy(update={"outcome": Outcome.REJECT})
    reason = compared(recorded, kept(AUTO), AUTO.policy, policy())
    assert reason == "it was REJECT, and today's rules make it AUTO_MERGE_ALLOWED under its own policy"
