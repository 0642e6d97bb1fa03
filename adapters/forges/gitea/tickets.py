"""Tickets on a Gitea: one per key, opened, updated and closed; what a person closed stays closed."""

from adapters.forges.gitea.acting import Acting, forge_title, same_text
from adapters.forges.http.answers import Ticket
from adapters.forges.http.ownership import headed, marked, opened_under, unmarked
from adapters.forges.http.shapes import shaped
from contracts.effect import EffectResult
from contracts.modes import WriteAction
from policies.texts.inert_markdown import inert_text


def open_ticket(acting: Acting) -> EffectResult:
    """Open it, or adopt the one of this key."""
    key = _key(acting)
    if found := _known(acting, key):
        return _shown(acting, found, adopted=True)
    if acting.order.look_only:
        return EffectResult(done=False)
    if reason := acting.wrong_account():
        return EffectResult(done=False, refused=reason, obstacle=True)
    reply = acting.act("POST", "/issues", **_text(acting))
    if reply is not None and reply.good:
        return _shown(acting, shaped(Ticket, reply.content), adopted=False)
    if found := _known(acting, key):
        return _shown(acting, found, adopted=reply is not None)
    return acting.refused(reply, "open a ticket")


def update_ticket(acting: Acting) -> EffectResult:
    """Give it its title and body, and its mark should somebody have taken that away; opened when there is none."""
    found = _known(acting, _key(acting)) or unmarked(acting.effect.number, acting.repository.our_issues())
    if acting.effect.head:
        missing = EffectResult(done=False, refused=f"no ticket was opened under {_key(acting)}")
        return _changed(acting, found, _head(acting, found), "update") if found else missing
    return _changed(acting, found, _text(acting), "update") if found else open_ticket(acting)


def close_ticket(acting: Acting) -> EffectResult:
    """Close it, or find it closed."""
    key = acting.effect.record_key or f"{acting.effect.run_id}/{WriteAction.OPEN_TICKET}"
    found = _known(acting, key)
    if found is None:
        return EffectResult(done=False, refused=f"no ticket was opened under {key}")
    return _changed(acting, found, {"state": "closed"} | _head(acting, found), "close")


def _changed(acting: Acting, found: Ticket, wanted: dict[str, str], verb: str) -> EffectResult:
    if _is(found, wanted):
        return _shown(acting, found, adopted=True)
    if acting.order.look_only:
        return EffectResult(done=False)
    reply = acting.act("PATCH", f"/issues/{found.number}", **wanted)
    again = next((each for each in acting.repository.our_issues() if each.number == found.number), None)
    if again is not None and _is(again, wanted):
        return _shown(acting, again, adopted=False)
    return acting.refused(reply, f"{verb} ticket {found.number}")


def _key(acting: Acting) -> str:
    return acting.effect.record_key or acting.effect.run_key


def _text(acting: Acting) -> dict[str, str]:
    effect = acting.effect
    body = headed(
        inert_text(effect, effect.body),
        inert_text(effect, effect.head),
    )
    return {"title": forge_title(effect.title), "body": marked(body, _key(acting), effect.task_id)}


def _head(acting: Acting, found: Ticket) -> dict[str, str]:
    effect = acting.effect
    return {"body": headed(found.body or "", inert_text(effect, effect.head))} if effect.head else {}


def _is(ticket: Ticket, wanted: dict[str, str]) -> bool:
    shown = {"title": ticket.title, "body": ticket.body, "state": ticket.state}
    return all(same_text(shown[name], text) for name, text in wanted.items())


def _known(acting: Acting, key: str) -> Ticket | None:
    return opened_under(key, acting.repository.our_issues())


def _shown(acting: Acting, ticket: Ticket, adopted: bool) -> EffectResult:
    shown = ticket.shown(acting.order.account)
    return EffectResult(done=True, adopted=adopted, result=str(ticket.number), pull_request=shown)
