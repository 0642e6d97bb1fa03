"""``sources``: where Sensing learns something (runbook §5): what is configured, and how good an answer is."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text
from temporalio.client import WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import WorkflowAlreadyStartedError

from commands.conversations import ask, command, known_target, target_status
from commands.exit_statuses import Exit
from commands.failures import CommandFailed, NoAnswer
from commands.home import client_of
from commands.terminal import AsJson, Detach, TargetName, Within, answered, emit, guarded, operator_name, out, say, show
from commands.watch import follow, show_result
from composition import Adapters, ServerUnavailable, compose, open_repository, source_reader
from contracts.artifact import ArtifactRef
from contracts.source import Grade, Quality, Reading, SourceBook, SourceOrder
from policies.counted import aged
from policies.settings.schema import EffectivePolicy
from policies.settings.sources import SourcePolicy
from policies.source.lifecycle import in_force
from ports.sources import SourceRequest
from reporting.wording import visible
from settings import Settings
from workflows import api

app = typer.Typer(help="Where Sensing learns something, and how good its answers are.", no_args_is_help=True)
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
async def show_source(
    target: TargetName,
    source: SourceNamed,
    page: Annotated[Path | None, typer.Option(help="Write a page with its metrics over time to this file.")] = None,
    as_json: AsJson = False,
) -> int:
    """A source, what Control lowered it to, its trials, and its latest answers: how old, how complete, how good."""
    # Only this command needs the steps' side, and the page.
    from activities.source.kept_readings import kept_readings  # noqa: PLC0415
    from reporting.source_html import render_source  # noqa: PLC0415

    settings = Settings()
    adapters = compose(settings)
    wanted = _named(adapters.policies.effective(target), target, source)
    kept = kept_readings(adapters.store, adapters.index, target, source)
    book, trials = await _book(settings, target), _trials(adapters, target, source)
    state, why = in_force(wanted, book.of(source)) if book else (None, _NOT_ASKED)
    if page:
        readings = [(each.by, each.reading) for each in kept.readings]
        page.write_text(render_source(target, wanted, state, why, readings, trials, kept.unreadable), encoding="utf-8")
    latest = kept.readings[:_SHOWN]
    if as_json:
        lines = [{"by": each.by, **each.reading.model_dump(mode="json", by_alias=True)} for each in latest]
        emit({"source": _stated(wanted, book), "readings": lines, "trials": trials, "unreadable": kept.unreadable,
              "page": str(page) if page else None})  # fmt: skip
        return Exit.OK
    shown = state or wanted.state
    show(f"{wanted.name}: {shown}, by {wanted.connector}, {wanted.licence}, compliance {wanted.compliance}")
    if book is None:
        say(_NOT_ASKED)
    elif why:
        show(f"the file says {wanted.state}; {why}", "yellow")
    for each in latest:
        _line(each.reading, f" ({each.by})")
    for told in trials:
        show(told)
    for told in kept.unreadable:
        say(f"not shown: {told}")
    if not latest:
        say(f"it was not asked yet: starter.py sources run {target} {source}")
    if page:
        say(f"written: {page}")
    return Exit.OK


@app.command()
@guarded
async def run(
    target: TargetName,
    source: Annotated[str, typer.Argument(help="Ask this one, once; left out: start a source expansion.")] = "",
    detach: Detach = False,
    within: Within = None,
    as_json: AsJson = False,
) -> int:
    """Start the target's source expansion, as its weekly Schedule does; or ask the named source now, and grade it.

    An expansion picks one candidate, fetches it over days and judges it; Ctrl-C leaves it running. A source that is
    asked by name is only asked: the answer is kept, and no run uses it for that.
    """
    if not source:
        return await _expand(target, "", within, detach=detach, as_json=as_json)
    return _ask(target, source, as_json)


@app.command()
@guarded
async def trial(
    target: TargetName,
    source: Annotated[str, typer.Argument(help="A source of sources.toml or catalogue.toml, whatever its state.")],
    detach: Detach = False,
    within: Within = None,
    as_json: AsJson = False,
) -> int:
    """Try this source: fetches over days, replay, comparison, gates. Exit status 0: it passed, and that is proposed."""
    return await _expand(target, source, within, detach=detach, as_json=as_json)


@app.command()
@guarded
async def promote(
    target: TargetName,
    trial_id: Annotated[str, typer.Argument(metavar="TRIAL", help="As the trial's report names it.")],
    as_json: AsJson = False,
) -> int:
    """Make a passed trial's promotion in the policy folder of this machine; what Control lowered it by is lifted.

    Where a target's repository holds the policy folder, nothing is done here: a run of that target opens the pull
    request, and this says which.
    """
    # Only this command needs the steps' side.
    from activities.governance.kept_proposals import KeptProposals  # noqa: PLC0415
    from activities.source.kept_trials import KeptTrials  # noqa: PLC0415
    from commands.policy import apply_proposal  # noqa: PLC0415

    settings = Settings()
    adapters = compose(settings)
    report = KeptTrials(adapters.store, target).report(trial_id)
    if report is None:
        raise CommandFailed(
            Exit.USAGE, f"no trial {trial_id!r} of {target} is over; see: starter.py sources show {target} …"
        )
    proposal = KeptProposals(adapters.store).find(report.proposal_id) if report.proposal_id else None
    if proposal is None:
        gone = (
            f"what it proposed is not kept any more; try it as it is now: sources trial {target} {report.trial.source}"
        )
        raise CommandFailed(
            Exit.REFUSED, gone if report.passed else f"{trial_id} did not pass: {report.verdict.reason}"
        )
    if holders := [
        name for name in adapters.policies.names() if adapters.policies.effective(name).target.policy_folder
    ]:
        text, lifted = f"the next run of {holders[0]} opens its pull request: starter.py run {holders[0]}", False
    else:
        text = apply_proposal(adapters, proposal, await _book(settings, target))
        lifted = await _lifted(settings, target, report.trial.source, trial_id)
        text += "; what Control lowered it by is lifted" if lifted else ""
    if as_json:
        emit({"target": target, "trial": trial_id, "proposal": proposal.proposal_id, "said": text, "lifted": lifted})
    else:
        show(text, "green")
    return Exit.OK


def _ask(target: str, source: str, as_json: bool) -> int:
    settings = Settings()
    adapters = compose(settings)
    policy = adapters.policies.effective(target)
    wanted = _named(policy, target, source)
    repository = open_repository(settings, policy.target)
    at = datetime.now(UTC)

    def keep(name: str, body: bytes, media_type: str) -> ArtifactRef:
        return adapters.store.put(_place(target, source), f"{at:%Y%m%dT%H%M%S%f}/{name}", body, media_type)

    request = SourceRequest(policy, repository, repository.fetch_base())
    reading = source_reader(settings).read(wanted, policy.sources, request, at, keep)
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


async def _expand(target: str, source: str, within: float | None, *, detach: bool, as_json: bool) -> int:
    """Start ``SourceExpansion``, or take hold of the one that runs."""
    settings = Settings()
    known_target(compose(settings), target)
    client = await client_of(settings)
    workflow_id, request = api.source_expansion_id(target), {"target": target, "actor": operator_name()}
    try:
        handle: WorkflowHandle[Any, Any] = await client.start_workflow(
            api.SOURCE_EXPANSION,
            request | ({"source": source} if source else {}),
            id=workflow_id,
            task_queue=api.TASK_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
            static_summary=f"source expansion of {target}",
        )
    except WorkflowAlreadyStartedError:
        if source:
            raise CommandFailed(
                Exit.REFUSED, f"{workflow_id} is running already: a target has one source expansion at a time"
            ) from None
        say(f"{workflow_id} is running already: watching it")
        handle = client.get_workflow_handle(workflow_id)
    if detach:
        say(f"started {handle.id}; watch it: starter.py sources run {target}")
        if as_json:
            emit({"workflowId": handle.id, "target": target, "status": "STARTED"})
        return Exit.OK
    try:
        result, status = await follow(client, handle, within)
    except asyncio.CancelledError:
        say(f"it goes on. Watch it: starter.py sources run {target}; pause it: starter.py pause {target} --reason …")
        return Exit.INTERRUPTED
    show_result(result.model_copy(update={"target": target}), status, as_json)
    page = Path(result.artifacts) / "source_trial.html" if result.artifacts else None
    if page is not None and page.exists() and not as_json:
        show(f"  trial         {page}")
    return status


async def _lifted(settings: Settings, target: str, source: str, trial_id: str) -> bool:
    """Tell Control that a person promoted it; False: nothing was lowered, or Control learns it from the file."""
    book = await _book(settings, target)
    if book is None or book.of(source).lowered is None:
        return False
    client = await client_of(settings)
    status = await target_status(client, target)
    reason, epoch = f"promoted by {trial_id}", status.epoch if status else 0
    order = SourceOrder(source=source, lift=trial_id, expected_epoch=epoch, reason=reason, actor=operator_name())
    answer = await command(client, api.control_id(target), api.ORDER_SOURCE, order)
    if not answer.accepted:
        say(f"Control did not lift it: {answer.verdict.reason}")
    return answer.accepted


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
    """Where a source's readings are kept."""
    from activities.source.kept_trials import source_place  # noqa: PLC0415

    return source_place(target, source)


def _trials(adapters: Adapters, target: str, source: str) -> list[str]:
    """A line for each trial, oldest first."""
    from activities.source.kept_trials import PAGE, KeptTrials  # noqa: PLC0415

    told, folder = [], adapters.store.address(_place(target, source))
    for each in KeptTrials(adapters.store, target).of(source):
        if each.ended_at is None:
            told.append(f"trial {each.trial_id}: not over, began {each.began_at:%Y-%m-%d %H:%M}")
        else:
            how = "passed" if each.passed else "did not pass"
            told.append(f"trial {each.trial_id}: {how}; {folder}/trials/{each.trial_id}/{PAGE}")
    return told


def _line(reading: Reading, by: str = "") -> None:
    told = f"{reading.fetched.at:%Y-%m-%d %H:%M} {reading.grade}{by}: {_in_words(reading.quality)}"
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
        parts.append(f"newest {aged(quality.freshness_hours)} old")
    return ", ".join([*parts, *(f"{name} {100 * share:.0f} %" for name, share in shares.items() if share is not None)])
