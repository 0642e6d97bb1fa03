"""``resume``: the ladder back, step by step (P2)."""

import asyncio
import time
from typing import Annotated

import typer
from temporalio.client import Client

from commands.conversations import command, installation_status, known_target, target_status
from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.home import client_of
from commands.sights import ended
from commands.terminal import AsJson, answered, emit, guarded, operator_name, say
from composition import compose
from contracts.control import Answer, ResumeRequest, StatusView
from contracts.modes import TargetStatus
from settings import Settings
from workflows import api

EPILOG = "Example: `starter.py resume demo --cause 'a broken linter pin' --evidence 'https://tracker/7' --wait`"
_LOOK_EVERY = 0.5


@guarded
async def resume(
    cause: Annotated[str, typer.Option(help="What caused the pause.")],
    evidence: Annotated[str, typer.Option(help="What shows that the cause is gone: a link, a commit, a test.")],
    target: Annotated[str | None, typer.Argument(help="The target; or --all.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Lift the global pause.")] = False,
    expected_epoch: Annotated[int | None, typer.Option(help="The epoch you saw; default: the current one.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is ACTIVE, or PAUSED again.")] = False,
    within: Annotated[float, typer.Option("--timeout", min=0, help="How many seconds --wait waits at most.")] = 3600,
    as_json: AsJson = False,
) -> int:
    """State the cause and the evidence; a green DRY_RUN smoke then opens the target in PR_ONLY.

    A pause that is newer than what you saw makes the resume void. While a write is in flight a resume is refused;
    with --wait it is asked for once that is settled. Targets that were paused on their own stay paused when the whole
    installation is resumed.
    """
    adapters = compose(Settings())
    if everything == (target is not None):
        raise CommandFailed(Exit.USAGE, "name one target, or give --all")
    client = await client_of(adapters.settings)
    if target is not None:
        view = await target_status(client, target)
        if view is None:
            if gone := await ended(client, target):
                how = f"wake it up with `starter.py pause {target} --reason …`, then resume it"
                raise CommandFailed(Exit.REFUSED, f"{target}: its Control {gone.sentence()}; {how}")
            known_target(adapters, target)
            raise CommandFailed(Exit.REFUSED, f"{target} was never paused: it opens with its first run")
        epoch, workflow_id, names = view.epoch, api.control_id(target), [target]
    else:
        installation = await installation_status(client)
        if installation is None:
            raise CommandFailed(Exit.REFUSED, "nothing has run here yet: there is nothing to resume")
        epoch, workflow_id = installation.epoch, api.INSTALLATION_ID
        names = [seen.name for seen in installation.targets]
    seen_epoch = expected_epoch if expected_epoch is not None else epoch
    say(f"resuming {target or 'the installation'} as seen at epoch {seen_epoch}")
    request = ResumeRequest(expected_epoch=seen_epoch, cause=cause, evidence=evidence, actor=operator_name())
    until = time.monotonic() + within if wait else 0
    answer = await _ask(client, workflow_id, request, target, until)
    if not answer.accepted:
        raise CommandFailed(Exit.REFUSED, f"refused: {answer.verdict.reason}")
    say(answer.verdict.reason)
    if not wait:
        return answered(answer, as_json, f"accepted; follow it: starter.py status {target or ''}".rstrip())
    # A target that the Installation has not told yet still shows its old status.
    notice_epoch = answer.epoch if everything else 0
    return await _wait(client, names, notice_epoch, until, as_json)


async def _ask(client: Client, workflow_id: str, request: ResumeRequest, target: str | None, until: float) -> Answer:
    """The answer; if a write in flight was the reason for a refusal, ask again once it is settled, time permitting."""
    again = True
    while True:
        answer = await command(client, workflow_id, api.RESUME, request)
        if answer.accepted or target is None or not again or time.monotonic() >= until:
            return answer
        # Once more in any case: it may have been settled between the answer and this look.
        again = await _settled(client, target, until)


async def _settled(client: Client, target: str, until: float) -> bool:
    """Whether a write was in flight, and is not any more."""
    waited = False
    while time.monotonic() < until:
        view = await target_status(client, target)
        if view is None or not view.writes_in_flight:
            return waited
        waited = True
        await asyncio.sleep(_LOOK_EVERY)
    return False


async def _wait(client: Client, names: list[str], notice_epoch: int, until: float, as_json: bool) -> int:
    """Until no target is RESUMING any more; of a global resume, the targets that were told."""
    ended: dict[str, StatusView] = {}
    while len(ended) < len(names):
        for name in names:
            view = await target_status(client, name)
            if view is None or name in ended:
                continue
            told = view.installation_epoch >= notice_epoch
            if told and view.status is not TargetStatus.RESUMING:
                ended[name] = view
                say(f"{name}  {view.status}, mode {view.mode}: {_reason(view)}")
        if time.monotonic() > until:
            missing = sorted(set(names) - set(ended))
            say(f"stopped waiting; still resuming: {', '.join(missing)}")
            if as_json:
                emit({"accepted": True, "targets": _statuses(ended), "missing": missing})
            return Exit.WAITING
        await asyncio.sleep(_LOOK_EVERY)
    opened = all(view.status is TargetStatus.ACTIVE for view in ended.values())
    if as_json:
        emit({"accepted": True, "targets": _statuses(ended)})
    return Exit.OK if opened else Exit.REFUSED


def _statuses(ended: dict[str, StatusView]) -> dict[str, str]:
    return {name: view.status.value for name, view in ended.items()}


def _reason(view: StatusView) -> str:
    return "; ".join(f"{pause.actor}: {pause.reason or 'no reason given'}" for pause in view.pauses) or view.why.reason
