"""What a target's policy says to its Control: it travels as one, with whatever asks Control to act by it."""

from collections.abc import Mapping
from typing import Any, Self

from contracts.artifact import Contract
from contracts.budget import BudgetTerms
from contracts.modes import Mode
from contracts.rollback import RollbackCaps


class ControlTerms(Contract):
    """As the latest admission's policy said; what is not said allows the least."""

    max_active: int = 1
    queue_limit: int = 0
    runs_per_day: int = 0
    open_pull_requests: int = 0
    """So many may wait for a person at once; 0: asked by a worker from before Control held it."""
    maximum_mode: Mode = Mode.DRY_RUN
    """The ceiling for this target."""
    first_mode: Mode = Mode.PR_ONLY
    """Of a target that nobody knew before."""
    failures_in_a_row: int = 3
    """As many failed runs in a row pause the target."""
    grant_days: float = 7
    """The longest a grant may last."""
    reap_seconds: int = 60
    rollback_caps: RollbackCaps = RollbackCaps()
    earned: dict[str, str] | None = None
    """Kind of task to what it lacks to merge by itself, empty: nothing; others have done nothing yet.

    None: nobody has looked, because the ceiling is lower or the worker is older. Then nothing is demanded.
    """
    budget: BudgetTerms | None = None
    """None: asked by a worker from before the ledger; then only ``runs_per_day`` is counted."""

    def updated(self, newer: Self) -> Self:
        """With what a newer policy says. The budget is its book's own to keep."""
        changes = {name: getattr(newer, name) for name in newer.model_fields_set - {"budget"}}
        return self.model_copy(update=changes)


_FLAT = {name for field, info in ControlTerms.model_fields.items() for name in (field, info.alias)}


def from_before(raw: Any, *, but: frozenset[str] = frozenset()) -> Any:
    """Payloads from before the terms travelled as one: open Controls hold them, each term a field of its own (P15)."""
    if not isinstance(raw, Mapping) or "terms" in raw:
        return raw
    terms = {name: value for name, value in raw.items() if name in _FLAT - but}
    return {name: value for name, value in raw.items() if name not in terms} | {"terms": terms}
