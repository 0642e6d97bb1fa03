"""The rules of attribution as they were when ``FollowUp`` still judged inline: for open follow-ups of that time (P15).

Frozen: what is in their histories was decided by exactly this. Today's rules are ``policies.attribution``, asked by the
activity ``attribute``. Gone once no follow-up from before is open (their longest wait is a pull request's).
"""

from __future__ import annotations

from contracts.merging import Health
from contracts.rollback import EVERYTHING, Culprit, Observation
from contracts.rollback_work import AttributeInput, Attribution
from contracts.verdict import Decision, Fact, Verdict

RULE = "the regression is ours"


def attributed(given: AttributeInput) -> Attribution:
    """As the activity answered it on that day."""
    failing = _confirmed(given.first, given.again)
    if not failing or not given.ours:
        return Attribution(failing=failing)
    known = _flaky(given.looks)
    found = {
        name: Culprit.UNKNOWN if name in known else _culprit(_steady(name, given.ours), _steady(name, given.parents))
        for name in failing
    }
    facts: dict[str, Fact] = {f"{name} is": culprit.value for name, culprit in found.items()}
    facts |= {"looks": len(given.ours) + len(given.parents), "flaky": ", ".join(sorted(known.intersection(failing)))}
    blamed = [name for name, culprit in found.items() if culprit is Culprit.OURS]
    if blamed:
        reason = f"{', '.join(blamed)} red since our merge, green before it"
        verdict = Verdict(rule=RULE, decision=Decision.ALLOW, reason=reason, facts=facts)
        return Attribution(failing=failing, verdict=verdict, culprit=Culprit.OURS)
    order = (Culprit.UNKNOWN, Culprit.BEFORE_US, Culprit.SOMEONE_ELSE)
    said = next((culprit for culprit in order if culprit in found.values()), Culprit.UNKNOWN)
    facts = {"whose": said.value, **facts}
    verdict = Verdict(rule=RULE, decision=Decision.DENY, reason=f"{', '.join(failing)}: {said.value}", facts=facts)
    return Attribution(failing=failing, verdict=verdict, culprit=said)


def _confirmed(first: Observation, again: Observation) -> tuple[str, ...]:
    if first.commit != again.commit:
        return ()
    return tuple(name for name in first.failing if name in again.failing)


def _culprit(ours: Health, parent: Health) -> Culprit:
    if Health.UNKNOWN in {ours, parent}:
        return Culprit.UNKNOWN
    if ours is Health.GREEN:
        return Culprit.SOMEONE_ELSE
    return Culprit.OURS if parent is Health.GREEN else Culprit.BEFORE_US


def _health(name: str, seen: Observation) -> Health:
    if name in seen.failing:
        return Health.RED
    return Health.UNKNOWN if name in seen.unknown or EVERYTHING in seen.unknown else Health.GREEN


def _steady(name: str, looks: tuple[Observation, ...]) -> Health:
    found = {_health(name, seen) for seen in looks}
    return found.pop() if len(found) == 1 else Health.UNKNOWN


def _flaky(looks: tuple[Observation, ...]) -> frozenset[str]:
    red = {(seen.commit, name) for seen in looks for name in seen.failing}
    return frozenset(name for seen in looks for name in seen.healthy if (seen.commit, name) in red)
