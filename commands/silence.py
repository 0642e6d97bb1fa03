"""``silence``: keep a kind of alert quiet for a while, under somebody's name."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from commands.alerts import alerts_view
from commands.conversations import command, known_target
from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.home import client_of
from commands.terminal import AsJson, answered, emit, guarded, operator_name, say, show, time_span
from composition import compose, start_alerts
from contracts.alert import AlertKind, LiftRequest, SilenceRequest
from contracts.control import Answer
from settings import Settings
from workflows import api

EPILOG = (
    "Examples: `starter.py silence run_failed --target demo --for 2h --reason 'a known outage'` · "
    "`starter.py silence list` · `starter.py silence lift S3`"
)
_WORDS = ("list", "lift")


@guarded
async def silence(
    what: Annotated[str, typer.Argument(metavar="KIND|list|lift", help="Which alerts; or `list`; or `lift <id>`.")],
    which: Annotated[str | None, typer.Argument(metavar="[ID]", help="For `lift`: the silence.")] = None,
    target: Annotated[str, typer.Option(help="Only for this target; default: for every target.")] = "",
    lasting: Annotated[
        str, typer.Option("--for", metavar="SPAN", help="How long: 30m, 2h, 1d. Required to silence.")
    ] = "",
    reason: Annotated[str, typer.Option(help="Why; kept for the record. Required to silence.")] = "",
    as_json: AsJson = False,
) -> int:
    """Silence a kind of alert for a while. Policy violations and protected-path alerts can never be silenced."""
    adapters = compose(Settings())
    if which is not None and what != "lift":
        raise CommandFailed(Exit.USAGE, f"{what} takes no id: only `silence lift <id>` does")
    if what == "list":
        return await _list(adapters.settings, as_json)
    if what == "lift":
        if which is None:
            raise CommandFailed(Exit.USAGE, "name the silence: `starter.py silence list` shows them")
        request = LiftRequest(id=which, actor=operator_name())
        return answered(await _ask(adapters.settings, api.LIFT, request), as_json)
    kind = _kind(what)
    if not lasting or not reason.strip():
        raise CommandFailed(Exit.USAGE, "say how long by --for (30m, 2h, 1d), and why by --reason")
    until = datetime.now(UTC) + time_span(lasting)
    if target:
        known_target(adapters, target)
    order = SilenceRequest(kind=kind, target=target, owner=operator_name(), reason=reason, expires_at=until)
    return answered(await _ask(adapters.settings, api.SILENCE, order), as_json)


async def _ask(settings: Settings, update: str, request: SilenceRequest | LiftRequest) -> Answer:
    client = await client_of(settings)
    await start_alerts(client)
    return await command(client, api.ALERTS_ID, update, request)


async def _list(settings: Settings, as_json: bool) -> int:
    view = await alerts_view(await client_of(settings))
    silences = view.silences if view else ()
    if as_json:
        emit({"silences": [each.model_dump(mode="json", by_alias=True) for each in silences]})
        return Exit.OK
    for each in silences:
        about = each.target or "every target"
        show(
            f"{each.id}  {each.kind}  {about}  until {each.expires_at:%Y-%m-%d %H:%M} UTC  {each.owner}: {each.reason}"
        )
    if not silences:
        say("nothing is silenced")
    return Exit.OK


def _kind(word: str) -> AlertKind:
    try:
        return AlertKind(word)
    except ValueError:
        known = ", ".join(kind.value for kind in AlertKind)
        raise CommandFailed(Exit.USAGE, f"{word!r} is no kind of alert: {known}; or `list`, `lift <id>`") from None
