"""``mode`` and ``decide``: what only a person says."""

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from temporalio.service import RPCError

from commands.conversations import command, known_target, run_handle, run_view, target_status
from commands.exit_statuses import Exit
from commands.failures import CommandFailed, NoAnswer
from commands.home import client_of
from commands.terminal import AsJson, TargetName, answered, emit, guarded, operator_name, say, show, time_span
from composition import Adapters, ServerUnavailable, compose
from contracts.control import Answer, ModeOverride, ModeRequest
from contracts.handover import HumanDecision
from contracts.modes import Mode
from contracts.task import TaskType
from settings import Settings
from workflows import api

EPILOG = {
    "mode": (
        "Examples: `starter.py mode demo DRY_RUN --reason 'release week'` · `starter.py mode demo --why` · "
        "`starter.py mode demo SELECTIVE_AUTO --for 7d --reason 'ann reads each merge'`"
    ),
    "decide": (
        "Examples: `starter.py decide demo-2026-11-23-pr-1 --approve --reason 'scope is fine'` · "
        "`… decide demo-2026-11-23-pr-1 --reject --reason 'too broad'`"
    ),
}
_LONGEST = 365
Reason = Annotated[str, typer.Option(help="Why; kept for the record.")]


@guarded
async def mode(
    target: TargetName,
    to: Annotated[
        Mode | None, typer.Argument(metavar="MODE", help="Lowering always works; raising needs an active target.")
    ] = None,
    reason: Annotated[str, typer.Option(help="Why; kept for the record. Required to set a mode.")] = "",
    why: Annotated[
        bool, typer.Option("--why", help="Which kinds of task have earned SELECTIVE_AUTO; what is missing.")
    ] = False,
    lasts: Annotated[
        str,
        typer.Option("--for", metavar="SPAN", help="SELECTIVE_AUTO: so long (12h, 7d) also what has not been earned."),
    ] = "30d",
    task_type: Annotated[
        list[TaskType] | None,
        typer.Option(help="SELECTIVE_AUTO: override for this kind of task only; may be repeated."),
    ] = None,
    only_earned: Annotated[bool, typer.Option("--only-earned", help="SELECTIVE_AUTO: override nothing.")] = False,
    expected_epoch: Annotated[int | None, typer.Option(help="The epoch you saw; default: the current one.")] = None,
    as_json: AsJson = False,
) -> int:
    """Set what runs of a target may do: DRY_RUN, PR_ONLY or SELECTIVE_AUTO.

    With SELECTIVE_AUTO, a kind of task merges by itself once it has earned that (--why), or for as long as you say.
    """
    adapters = compose(Settings())
    if why:
        return await _earned(adapters, target, as_json)
    if to is None or not reason:
        raise CommandFailed(Exit.USAGE, "name the mode, and say why by --reason; `--why` shows what has been earned")
    client = await client_of(adapters.settings)
    view = await target_status(client, target)
    if view is None:
        known_target(adapters, target)
        message = f"{target} is not open yet: run it once (`starter.py run {target} --mode DRY_RUN`), then set its mode"
        raise CommandFailed(Exit.REFUSED, message)
    epoch = expected_epoch if expected_epoch is not None else view.epoch
    request = ModeRequest(expected_epoch=epoch, mode=to, reason=reason, actor=operator_name())
    if to is Mode.SELECTIVE_AUTO:
        # Lowering must work with a broken policy folder; this alone needs to know it.
        policy = adapters.policies.effective(target)
        known = {"maximum": policy.autopilot.modes.maximum, "probes": len(policy.target.probes)}
        request = request.model_copy(update=known | _override(lasts, task_type, only_earned=only_earned))
    answer = await command(client, api.control_id(target), api.SET_MODE, request)
    until, kinds = (answer.verdict.facts.get(name) for name in ("overrideUntil", "overrideFor"))
    text = f"; until {until} for {kinds}, then for what has been earned" if until else ""
    return answered(answer, as_json, f"accepted: {answer.verdict.reason}{text}" if answer.accepted else "")


def _override(lasts: str, task_type: list[TaskType] | None, *, only_earned: bool) -> dict[str, object]:
    days = 0 if only_earned else time_span(lasts) / timedelta(days=1)
    if days > _LONGEST:
        raise CommandFailed(Exit.USAGE, f"an override lasts {_LONGEST} days at most; say it again then")
    return {"override_days": days, "override_types": tuple(task_type or ())}


async def _earned(adapters: Adapters, target: str, as_json: bool) -> int:
    """From the audit log and the artifacts alone; an override is in Control's books, and needs a server."""
    # Only this option needs them.
    from activities.governance.earning import verdicts_of  # noqa: PLC0415
    from activities.governance.gathering import Gathering  # noqa: PLC0415
    from commands.report import show_verdicts  # noqa: PLC0415
    from policies.governance.earned import BEGINNING  # noqa: PLC0415

    known_target(adapters, target)
    facts = Gathering(adapters.store, adapters.audit).facts(BEGINNING, datetime.now(UTC), target)
    verdicts = verdicts_of(facts, target)
    view = None
    with contextlib.suppress(ServerUnavailable, NoAnswer, RPCError):
        view = await target_status(await client_of(adapters.settings, asking=True), target)
    if as_json:
        emit({kind: verdict.model_dump(mode="json", by_alias=True) for kind, verdict in verdicts.items()})
        return Exit.OK
    if verdicts:
        show_verdicts(verdicts, full=True)
    else:
        say(f"no run of {target} has come to a task yet: nothing is earned")
    if view is not None and view.override is not None:
        show(override_words(view.override), "yellow")
    return Exit.OK


def override_words(override: ModeOverride) -> str:
    """Who stands in for what has not been earned, for what and until when."""
    kinds = ", ".join(override.task_types) or "every kind of task"
    ends = "ended" if override.until <= datetime.now(UTC) else "ends"
    return f"override for {kinds} by {override.actor}: {override.reason}; it {ends} at {override.until:%Y-%m-%d %H:%M}"


@guarded
async def decide(
    run_id: Annotated[str, typer.Argument(help="The run that waits, for example demo-2026-11-23-pr-1.")],
    approve: Annotated[bool, typer.Option("--approve/--reject", help="Let the run continue, or end it.")],
    reason: Reason,
    as_json: AsJson = False,
) -> int:
    """Decide for a run that waits for a person: approve its task contract, or end a run that holds."""
    settings = Settings()
    handle = await run_handle(await client_of(settings), run_id)
    view = await run_view(handle)
    if not view.waiting_for:
        raise CommandFailed(Exit.REFUSED, f"{run_id} waits for nobody's decision: it is {view.status}")
    decision = HumanDecision(approve=approve, actor=operator_name(), reason=reason, subject=view.subject)
    answer: Answer = await handle.execute_update(api.DECIDE, decision, result_type=Answer)
    return answered(answer, as_json)
