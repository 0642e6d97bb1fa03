"""Inside the jail, for a Gitea: look, act once, and after an unclear answer look again."""

from collections.abc import Callable

from adapters.effects.order import EffectOrder
from adapters.forges.gitea.acting import Acting
from adapters.forges.gitea.landing import land_pull
from adapters.forges.gitea.pulls import change_pull, comment, open_pull
from adapters.forges.gitea.tickets import close_ticket, open_ticket, update_ticket
from contracts.effect import EffectResult
from contracts.modes import WriteAction
from ports.forge import AccessDenied, ForgeError, NotShown
from ports.repository import RemoteForbids

_ACTIONS: dict[WriteAction, Callable[[Acting], EffectResult]] = {
    WriteAction.OPEN_PULL_REQUEST: open_pull,
    WriteAction.UPDATE_PULL_REQUEST: change_pull,
    WriteAction.CLOSE_PULL_REQUEST: change_pull,
    WriteAction.OPEN_TICKET: open_ticket,
    WriteAction.UPDATE_TICKET: update_ticket,
    WriteAction.CLOSE_TICKET: close_ticket,
    WriteAction.COMMENT: comment,
    WriteAction.MERGE: land_pull,
    WriteAction.REVERT: land_pull,
}


def write_to_gitea(order: EffectOrder) -> EffectResult:
    """Do what the order says, or adopt it.

    Raises:
        AccessDenied: nothing was done by this child, and nothing can be before a person mends what the forge says.
        ForgeError: could not find out.
        Unseen: the mirror must be brought up to date first.
    """
    action = order.effect.action
    if action not in _ACTIONS:
        return EffectResult(done=False, refused=f"{action.value} is not built for a gitea")
    acting = Acting(order)
    try:
        return _ACTIONS[action](acting)
    except (AccessDenied, RemoteForbids) as closed:
        # After an act, only another look tells whether it happened.
        if acting.acted or isinstance(closed, NotShown):
            raise ForgeError(str(closed)) from closed
        raise AccessDenied(str(closed)) from closed
