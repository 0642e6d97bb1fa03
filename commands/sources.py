"""``sources``: where Sensing learns something (runbook §5): what is configured, and how good an answer is."""

from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from commands.conversations import ask, command, target_status
from commands.exit_statuses import Exit
from commands.failures import CommandFailed, NoAnswer
from commands.home import client_of
from commands.terminal import AsJson, answered, emit, guarded, operator_name, out, say, show
from composition import Adapters, ServerUnavailable, compose, open_repository, source_reader
from contracts.artifact import ArtifactRef
from contracts.source import Grade, Quality, Reading, SourceBook, SourceOrder
from policies.settings.schema import EffectivePolicy
from policies.settings.sources import SourcePolicy
from policies.source.lifecycle import in_force
from ports.sources import Asked
from reporting.wording import visible
from settings import Settings
from workflows import api

app = typer.Typer(help="Where Sensing learns something, and how good its answers are.", no_args_is_help=True)
TargetName = Annotated[str, typer.Argument(help="The target.")]
SourceNamed = Annotated[str, typer.Argument(help="The source, as sources.toml names it.")]
_STYLES = {Grade.GOOD: "green", Grade.WARN: "yellow", Grade.BREACH: "red"}
_SHOWN = 10
_NOT_ASKED = "no Control answers, so only what the file says is known: one may be lowered"


@app.command("list")
@guarded
async def list_sources(target: TargetName, as_json: AsJson = False) -> int:
    """A target's sources: state in force, connector, what each is for, licence and compliance."""
    settings = Settings()
    found = compose(settings).policies.effective(target).sources.of(target)
    book = await _book(settings, target)
    if as_json:
        emit({"target": target, "sources": [_stated(each, book) for each in found]})
        return Exit.OK
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("source", "state", "by", "for", "licence", "compliance", "fallback"):
        table.add_column(title)
    for each in found:
        purpose = f"file {each.file.path}" if each.file else "candidates"
        state, _ = in_force(each, (book or SourceBook()).of(each.name))
        cells = (each.name, state, each.connector, purpose, each.licence, each.compliance, each.fallback)
        table.add_row(*(Text(visible(str(cell))) for cell in cells))
    if found:
        out.print(table)
        if book is None:
            say(_NOT_ASKED)
    else:
        say(f"{target} has no sources; name them in sources.toml of the policy folder (docs/sources.md)")
    return Exit.OK


@app.command("show")
@guarded
async def show_source(target: TargetName, source: SourceNamed, as_json: AsJson = False) -> int:
    """A source, what Control lowered it to, and its latest readings: how old, how complete, how often it differs."""
    settings = Settings()
    adapters = compose(settings)
    wanted = _named(adapters.policies.effective(target), target, source)
    readings = _readings(adapters, target, source)[:_SHOWN]
    book = await _book(settings, target)
    if as_json:
        emit({"source": _stated(wanted, book),
              "readings": [each.model_dump(mode="json", by_alias=True) for each in readings]})  # fmt: skip
        return Exit.OK
    state, why = in_force(wanted, (book or SourceBook()).of(source))
    show(f"{wanted.name}: {state}, by {wanted.connector}, {wanted.licence}, compliance {wanted.compliance}")
    if why:
        show(f"the file says {wanted.state}; {why}", "yellow")
    if book is None:
        say(_NOT_ASKED)
    for each in readings:
        _line(each)
    if not readings:
        say(f"it was not asked by hand yet: starter.py sources run {target} {source}")
    return Exit.OK


@app.command()
@guarded
def run(target: TargetName, source: SourceNamed, as_json: AsJson = False) -> int:
    """Ask a source now, whatever its state; keep the answer, and say how good it is. No run uses it for that."""
    settings = Settings()
    adapters = compose(settings)
    policy = adapters.policies.effective(target)
    wanted = _named(policy, target, source)
    repository = open_repository(settings, policy.target)
    at = datetime.now(UTC)

    def keep(name: str, body: bytes, media_type: str) -> ArtifactRef:
        return adapters.store.put(_place(target, source), f"{at:%Y%m%dT%H%M%S%f}/{name}", body, media_type)

    asked = Asked(policy, repository, repository.fetch_base())
    reading = source_reader(settings).read(wanted, policy.sources, asked, at, keep)
    if as_json:
        emit(reading)
    else:
        _line(reading)
        for refused in reading.refused[:_SHOWN]:
            say(f"record {refused.place} is none: {refused.reason}")
        say(f"kept in {adapters.store.address(_place(target, source))}")
    return Exit.OK if reading.grade is not Grade.BREACH else Exit.REFUSED


@app.command()
@guarded
async def disable(
    target: TargetName,
    source: SourceNamed,
    reason: Annotated[str, typer.Option(help="Why; kept for the record.")],
    as_json: AsJson = False,
) -> int:
    """Switch a source off at once, whatever the file says. A trial that passes, and a person, bring it back."""
    settings = Settings()
    _named(compose(settings).policies.effective(target), target, source)
    order = SourceOrder(source=source, reason=reason, actor=operator_name())
    client = await client_of(settings)
    if await target_status(client, target) is None:
        raise CommandFailed(
            Exit.REFUSED,
            f'no Control of {target} is open, so no run uses it now: write state = "DISABLED" into sources.toml',
        )
    return answered(await command(client, api.control_id(target), api.ORDER_SOURCE, order), as_json)


async def _book(settings: Settings, target: str) -> SourceBook | None:
    """What Control says of the target's sources; None: no Control is open, or no server answers."""
    try:
        client = await client_of(settings, asking=True)
        return await ask(client, api.control_id(target), api.SOURCES, SourceBook)
    except (ServerUnavailable, NoAnswer):
        return None


def _stated(source: SourcePolicy, book: SourceBook | None) -> dict[str, object]:
    """The file's entry; beside it the state in force, and why it is less. Without Control's word neither is known."""
    state, why = in_force(source, book.of(source.name)) if book else (None, _NOT_ASKED)
    return {**source.model_dump(mode="json", by_alias=True), "inForce": state, "lowered": why}


def _named(policy: EffectivePolicy, target: str, name: str) -> SourcePolicy:
    found = {each.name: each for each in policy.sources.of(target)}
    if name not in found:
        known = ", ".join(sorted(found)) or "none"
        raise CommandFailed(Exit.USAGE, f"{target} has no source {name!r}; sources.toml names {known}")
    return found[name]


def _place(target: str, source: str) -> str:
    """Where a source's readings are kept; capitals, so that it is never taken for a run's id."""
    return f"SRC-{target}-{source}"


def _readings(adapters: Adapters, target: str, source: str) -> list[Reading]:
    """Newest first."""
    place, found = _place(target, source), []
    for name in sorted(adapters.store.names(place), reverse=True):
        ref = adapters.store.find(place, name) if name.endswith(f"/sources/{source}/reading.json") else None
        if ref is not None:
            found.append(Reading.model_validate_json(adapters.store.get(ref)))
    return found


def _line(reading: Reading) -> None:
    told = f"{reading.fetched.at:%Y-%m-%d %H:%M} {reading.grade}: {_in_words(reading.quality)}"
    show(told + (f". {'; '.join(reading.reasons)}" if reading.reasons else ""), _STYLES[reading.grade])


def _in_words(quality: Quality) -> str:
    if not quality.available:
        return "no answer"
    shares = {
        "coverage": quality.coverage,
        "valid": quality.schema_validity,
        "in conflict": quality.conflict_rate,
    }
    parts = [f"{quality.records} records"]
    if quality.freshness_hours is not None:
        parts.append(f"newest {quality.freshness_hours:.0f} h old")
    return ", ".join([*parts, *(f"{name} {100 * share:.0f} %" for name, share in shares.items() if share is not None)])
