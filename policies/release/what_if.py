"""A past release decision, made again from its facts under another policy; under the same one it is the same."""

from dataclasses import fields

from contracts.modes import Outcome
from contracts.release import KeptFacts, OtherDecision, ReleaseDecision
from policies.paths.rules import neighbours
from policies.release.rejection import CI_RULE
from policies.release.release import PinnedDigests, ReleaseFacts, judge_release
from policies.settings.schema import EffectivePolicy
from policies.verdicts import deciding

_AS_THEY_ARE = tuple(each.name for each in fields(ReleaseFacts) if each.name not in {"policy", "base_paths", "pinned"})
"""A fact that is new has to be kept, too: ``KeptFacts`` refuses one that it does not know."""


def kept(facts: ReleaseFacts) -> KeptFacts:
    """What to keep of a decision's facts."""
    return KeptFacts(
        base_paths=neighbours(facts.change, facts.base_paths),
        pinned_contract=facts.pinned.contract_digest,
        pinned_policy=facts.pinned.policy_digest,
        pinned_base=facts.pinned.base_sha,
        pinned_head=facts.pinned.head_sha,
        **{name: getattr(facts, name) for name in _AS_THEY_ARE},
    )


def decided_under(facts: KeptFacts, policy: EffectivePolicy) -> ReleaseDecision:
    """The decision that this policy makes of them, had the run been pinned to it.

    That the policy folder changed under the run is a fact and stays one.
    """
    moved = facts.policy_digest_now != facts.pinned_policy
    return judge_release(
        ReleaseFacts(
            policy=policy,
            base_paths=facts.base_paths,
            pinned=PinnedDigests(facts.pinned_contract, policy.digest, facts.pinned_base, facts.pinned_head),
            **{name: getattr(facts, name) for name in _AS_THEY_ARE}
            | {"policy_digest_now": facts.policy_digest_now if moved else policy.digest},
        )
    )


def compared(
    recorded: ReleaseDecision, facts: KeptFacts, then: EffectivePolicy, other: EffectivePolicy, became: str = ""
) -> OtherDecision | str | None:
    """What would have been otherwise; None: nothing; a sentence: it cannot be told.

    A red CI voids whatever policy decides, so such a decision stays. One that these rules do not make again from its
    facts under its own policy was made by other rules: what another policy changes could not be told from what they do.
    """
    if any(child.rule == CI_RULE for child in recorded.verdict.children):
        return None
    again = decided_under(facts, then).outcome
    if again is not recorded.outcome:
        return f"it was {recorded.outcome}, and today's rules make it {again} under its own policy"
    found = decided_under(facts, other)
    if found.outcome is recorded.outcome:
        return None
    because = "every condition holds" if found.outcome is Outcome.AUTO_MERGE_ALLOWED else deciding(found.verdict).reason
    return OtherDecision(
        run_id=facts.run_id,
        target=other.target.name,
        decided=recorded.outcome,
        would_be=found.outcome,
        because=because,
        became=became,
    )
