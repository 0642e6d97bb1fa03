"""What probes and their results mean (issue: canary, follow-up; P13: could not find out is never a yes)."""

from collections.abc import Iterable

from contracts.merging import CanaryReport, Health, ProbeResult
from contracts.verdict import Verdict
from policies.counted import counted
from policies.settings.schema import EffectivePolicy
from policies.verdicts import allow, ask

_LAST_RED = 125
"""Shells and timeouts use the statuses above for "could not be started" and "was killed"."""


def exit_health(code: int | None) -> Health:
    """An exit status: 0 is green, 1 to 125 red, everything else could not be found out."""
    if code == 0:
        return Health.GREEN
    return Health.RED if code is not None and 0 < code <= _LAST_RED else Health.UNKNOWN


def status_health(status: int | None, expected: int = 200) -> Health:
    """An HTTP status: the expected one is green, another red, none could not be found out."""
    if status is None:
        return Health.UNKNOWN
    return Health.GREEN if status == expected else Health.RED


def overall(results: Iterable[ProbeResult]) -> Health:
    """Red if anything is red; else unknown if anything is, or if there is nothing; else green."""
    found = {result.health for result in results}
    if Health.RED in found:
        return Health.RED
    return Health.GREEN if found == {Health.GREEN} else Health.UNKNOWN


def judge_canary(canary: CanaryReport | None, merge_sha: str, policy: EffectivePolicy) -> Verdict:
    """The canary passed for exactly this merge result.

    Rules, in order, each ASK: there was one, on this commit · the target has probes, and the last round asked all of
    them · every round was green · it lasted as long as policy wants, with more than one round.
    """
    rule, probes = "the canary passed", {probe.name for probe in policy.target.probes}
    if canary is None or not merge_sha or canary.merge_sha != merge_sha:
        return ask(rule, "no canary has passed for this commit")
    if not probes or probes != {result.name for result in canary.last}:
        return ask(rule, "not every probe of the target was asked")
    if canary.health is not Health.GREEN or overall(canary.last) is not Health.GREEN:
        named = [result for result in canary.last if result.health is not Health.GREEN]
        shown = "; ".join(f"{result.name} is {result.health}: {result.detail}" for result in named[:5])
        return ask(rule, shown or f"the canary is {canary.health}", rounds=canary.rounds)
    lasted, wanted = (canary.ended_at - canary.began_at).total_seconds(), policy.autopilot.auto_merge.canary_minutes
    if lasted < 60 * wanted or canary.rounds < 2:  # noqa: PLR2004  # one look at the beginning, one at the end
        return ask(rule, f"the canary lasted {lasted:.0f} s of {60 * wanted:.0f} s, {counted(canary.rounds, 'round')}")
    return allow(
        rule, f"green in {counted(canary.rounds, 'round')} of {lasted:.0f} s", rounds=canary.rounds, seconds=lasted
    )
