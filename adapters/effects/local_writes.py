"""Inside the jail, for the local forge: a record beside the bare repository."""

from pathlib import Path

from adapters.effects.local_pulls import write_comment, write_pull
from adapters.effects.local_tickets import write_ticket
from adapters.effects.order import EffectOrder
from adapters.forges.kinds import COMMENTS, PULLS
from contracts.effect import EffectResult


def write_locally(order: EffectOrder) -> EffectResult:
    """A pull request, a comment or a ticket; each refuses what is none."""
    if order.effect.action in PULLS:
        return write_pull(order)
    if order.effect.action in COMMENTS:
        return write_comment(order)
    return write_ticket(Path(order.records) / "tickets", order.effect, order.look_only)
