"""Whose regression is it? (runbook §6.3). Only a red that began with our merge is ours.

Judged by name, because a base may be red for several reasons at once.
"""

from contracts.merging import Health
from contracts.rollback import EVERYTHING, Culprit, Observation
from contracts.verdict import Fact, Verdict
from policies.verdicts import allow, deny

RULE = "the regression is ours"


def health_of(name: str, seen: Observation) -> Health:
    """What one look showed of one check or probe."""
    if name in seen.failing:
        return Health.RED
    return Health.UNKNOWN if name in seen.unknown or EVERYTHING in seen.unknown else Health.GREEN


def confirmed(first: Observation, again: Observation) -> tuple[str, ...]:
    """What was red in both looks at the same commit; a red that does not come back is flaky."""
    if first.commit != again.commit:
        return ()
    return tuple(name for name in first.failing if name in again.failing)


def culprit_of(ours: Health, parent: Health) -> Culprit:
    """Who broke one check or probe that is red on the base's head for certain.

    ======== ======== ==============
    our merge parent  whose
    ======== ======== ==============
    red      green    ours
    red      red      red before us
    green    green    someone else's
    green    red      someone else's: it was mended, and broken again
    other    other    unknown (P13)
    ======== ======== ==============
    """
    if Health.UNKNOWN in {ours, parent}:
        return Culprit.UNKNOWN
    if ours is Health.GREEN:
        return Culprit.SOMEONE_ELSE
    return Culprit.OURS if parent is Health.GREEN else Culprit.BEFORE_US


def steady(name: str, looks: tuple[Observation, ...]) -> Health:
    """What every look showed; looks that differ show nothing."""
    found = {health_of(name, seen) for seen in looks}
    return found.pop() if len(found) == 1 else Health.UNKNOWN


def flaky(looks: tuple[Observation, ...]) -> frozenset[str]:
    """What was red and green on one and the same commit: it never blames anybody."""
    red = {(seen.commit, name) for seen in looks for name in seen.failing}
    return frozenset(name for seen in looks for name in seen.healthy if (seen.commit, name) in red)


def attribute(
    failing: tuple[str, ...], ours: tuple[Observation, ...], parents: tuple[Observation, ...], known: frozenset[str]
) -> Verdict:
    """ALLOW only when at least one confirmed red began with our merge.

    Args:
        failing: red on the base's head for certain.
        ours: looks at our merge, taken in turn with ``parents``: what recovered meanwhile was never ours.
        parents: looks at its first parent.
        known: flaky names.
    """
    found = {
        name: Culprit.UNKNOWN if name in known else culprit_of(steady(name, ours), steady(name, parents))
        for name in failing
    }
    facts: dict[str, Fact] = {f"{name} is": culprit.value for name, culprit in found.items()}
    facts |= {"looks": len(ours) + len(parents), "flaky": ", ".join(sorted(known.intersection(failing)))}
    blamed = [name for name, culprit in found.items() if culprit is Culprit.OURS]
    if blamed:
        return allow(RULE, f"{', '.join(blamed)} red since our merge, green before it", **facts)
    order = (Culprit.UNKNOWN, Culprit.BEFORE_US, Culprit.SOMEONE_ELSE)
    decided = next((culprit for culprit in order if culprit in found.values()), Culprit.UNKNOWN)
    return deny(RULE, f"{', '.join(failing) or 'nothing'}: {decided.value}", whose=decided.value, **facts)


def whose(verdict: Verdict) -> Culprit:
    """What ``attribute`` concluded."""
    return Culprit.OURS if verdict.allowed else Culprit(str(verdict.facts["whose"]))
