"""Whoever coded, side by side: what people took of it, what came to nothing, what it cost (``agents compare``)."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from contracts.artifact import Contract
from contracts.modes import Mode, RunStatus
from contracts.report import RunReport
from contracts.rollback import ROLLED_BACK
from policies.settings.charter import PAID_BY_EXCHANGE, RolePolicy


@dataclass(frozen=True)
class Coded:
    """One ended run that had a task."""

    who: str
    mode: Mode
    status: RunStatus
    became: str
    """What people made of its pull request; empty: nobody answered yet, or it has none."""
    pull_request: bool
    closed_by_us: bool
    reverted: bool
    """Its merge was undone since."""
    turned_down: bool
    """There was a change, and a rule, a check, our review or a person said no to it."""
    usd: float | None
    """None: unknown, or no report."""


class Standing(Contract):
    """What one coder's runs came to."""

    who: str
    runs: int = 0
    accepted: int = 0
    """Merged, and not undone since."""
    rejected: int = 0
    """Changes that were turned down by our rules, checks or review, closed by people, or undone after the merge."""
    waiting: int = 0
    """Pull requests that nobody has answered."""
    tried: int = 0
    """DRY_RUNs whose change nothing spoke against: nobody was asked."""
    tried_in_vain: int = 0
    """DRY_RUNs whose change was turned down: no proposal was, so nobody was kept from anything."""
    nothing: int = 0
    """Neither: no change came of it, or the day, the machinery or a person ended the run."""
    usd: float = 0
    """Of all of them, as far as it is known."""
    usd_tried: float = 0
    """Of that, for DRY_RUNs."""
    unknown: int = 0
    """Runs of which nobody knows what they cost."""

    @property
    def usd_per_accepted(self) -> float | None:
        """All that was spent but for trials, over what was accepted; None: nothing was, or a cost is unknown."""
        return None if self.unknown or not self.accepted else round((self.usd - self.usd_tried) / self.accepted, 4)


def who_coded(role_policy: RolePolicy) -> str:
    """By the charter that the run was pinned to."""
    if role_policy.backend not in PAID_BY_EXCHANGE:
        return role_policy.backend
    return f"{role_policy.agent or ' '.join(role_policy.argv) or role_policy.backend}, {', '.join(role_policy.models)}"


def turned_down(report: RunReport) -> bool:
    """Whether a change was made and somebody, or a rule, said no to it: a coder that fails proposes nothing."""
    return report.judged and any(ref.name == "change.json" for ref in report.artifacts)


def compared(runs: Iterable[Coded]) -> tuple[Standing, ...]:
    """A row for each coder, by name."""
    counts: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    spent: dict[str, float] = defaultdict(float)
    trials: dict[str, float] = defaultdict(float)
    for run in runs:
        mine = counts[run.who]
        mine["runs"] += 1
        mine[_ended(run)] += 1
        mine["unknown"] += run.usd is None
        spent[run.who] += run.usd or 0
        trials[run.who] += run.usd or 0 if run.mode is Mode.DRY_RUN else 0
    return tuple(
        Standing(who=who, usd=round(spent[who], 6), usd_tried=round(trials[who], 6), **counts[who])
        for who in sorted(counts)
    )


def _ended(run: Coded) -> str:
    if run.reverted or run.became == ROLLED_BACK:
        return "rejected"
    merged = run.became.startswith("MERGED") or run.status is RunStatus.MERGED
    if merged:
        return "accepted"
    if run.mode is Mode.DRY_RUN:
        done = "tried" if run.status is RunStatus.DRY_RUN_COMPLETE else "nothing"
        return "tried_in_vain" if run.turned_down else done
    if run.turned_down or (run.became.startswith("CLOSED") and not run.closed_by_us):
        return "rejected"
    waits = run.status is RunStatus.PR_OPENED and run.pull_request and not run.became and not run.closed_by_us
    return "waiting" if waits else "nothing"
