"""``pause``: the brake, and how to know that it holds (P1)."""

import asyncio
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from commands.conversations import installation_status, known_target, target_status
from commands.exit_statuses import Exit
from commands.failures import CommandFailed, NoWorker, Unreadable
from commands.home import client_of
from commands.sights import InstallationSight, TargetSight, open_controls, registered, sight_installation, sight_targets
from commands.terminal import AsJson, emit, guarded, operator_name, say, show
from composition import Adapters, compose, pause_installation, pause_target, start_control
from contracts.control import PauseRequest, read_review_date
from contracts.modes import PauseStyle, TargetStatus
from settings import Settings
from workflows import api

EPILOG = (
    "Examples: `starter.py pause demo --reason 'odd diff' --wait` · "
    "`starter.py pause --all --style abort --reason 'incident 7'`"
)
_LOOK_EVERY = 0.3
_BEFORE = timedelta(seconds=1)
_SOON = timedelta(seconds=3)
_PATIENCE = 10.0
"""Seconds after which a missing worker, or a workflow that does not answer, is no longer taken for a hiccup."""
INSTALLATION = "installation"


@dataclass(frozen=True)
class Hold:
    """How far a pause holds for one of those it is for."""

    in_force: bool = False
    quiescent: bool = False
    missing: str = ""
    """What is waited for; empty when it is quiescent."""
    epoch: int = 0
    problem: CommandFailed | None = None
    """Why it could not be looked at."""


@guarded
async def pause(
    target: Annotated[str | None, typer.Argument(help="The target; or --all.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every target, including those added later.")] = False,
    reason: Annotated[str, typer.Option(help="Why; shown in status, the audit log and the Temporal UI.")] = "",
    style: Annotated[
        PauseStyle,
        typer.Option(
            help="For runs in progress: checkpoint holds at the next gate, drain ends after the step, abort kills it."
        ),
    ] = PauseStyle.CHECKPOINT,
    review_on: Annotated[str | None, typer.Option(help="YYYY-MM-DD: when somebody will review the pause.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is in force and no write is in flight.")] = False,
    within: Annotated[float, typer.Option("--timeout", min=0, help="How many seconds --wait waits at most.")] = 1200,
    force: Annotated[
        bool, typer.Option("--force", help="Accept a target that the policy folder does not know.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Stop: no new run, no push, no pull request, until a person resumes.

    Two moments: IN FORCE, from which nothing begins any more, and QUIESCENT, when nothing is in flight either.
    The server records the brake even when no worker runs; it is in force as soon as one does.
    """
    adapters = compose(Settings())
    if everything == (target is not None):
        raise CommandFailed(Exit.USAGE, "name one target, or give --all; nothing was paused")
    if review_on is not None and read_review_date(review_on) is None:
        raise CommandFailed(
            Exit.USAGE, f"--review-on {review_on!r} is no day: write it as YYYY-MM-DD; nothing was paused"
        )
    client = await client_of(adapters.settings)
    if target is not None and not force:
        await _not_a_typo(adapters, client, target)
    request = PauseRequest(style=style, reason=reason, actor=operator_name(), review_on=read_review_date(review_on))
    brake = Brake(client, target, () if target else _names(adapters))
    await brake.look_before()
    await brake.pull(request)
    say(f"recorded by the server: {target or 'every target'} is to pause")
    if brake.unseen:
        say(f"the brake was pulled blindly, without a look before: {brake.unseen}", "yellow")
    if not wait:
        return await _soon(brake, as_json)
    return await _wait(brake, within, as_json)


def _names(adapters: Adapters) -> tuple[str, ...]:
    try:
        return tuple(adapters.policies.names())
    except OSError:
        # The brake does not depend on the folder; `doctor` says what is wrong with it.
        return ()


async def _not_a_typo(adapters: Adapters, client: Client, target: str) -> None:
    """Refuse a name that is no target; a target with an open Control can be paused whatever the policy folder says."""
    handle = client.get_workflow_handle(api.control_id(target))
    try:
        if (await handle.describe()).status is WorkflowExecutionStatus.RUNNING:
            return
    except RPCError as problem:
        if problem.status is not RPCStatusCode.NOT_FOUND:
            return
    known_target(adapters, target)


class Brake:
    """One pause: sent, then observed until it holds."""

    def __init__(self, client: Client, target: str | None, names: tuple[str, ...] = ()) -> None:
        """``names``: targets of the policy folder, for ``--all``: the Installation may not know every one of them."""
        self._client = client
        self._names = names
        self._target = target
        self._request = PauseRequest()
        self._epoch_before: int | None = None
        self._woken: set[str] = set()
        self._one_by_one = False
        self.unseen = ""
        """Why the look before it saw nothing."""

    async def look_before(self) -> None:
        """Remember the epoch, so that this pause can be told from an earlier one."""
        try:
            if self._target is not None:
                view = await target_status(self._client, self._target, _BEFORE)
                self._epoch_before = view.epoch if view else None
            else:
                installation = await installation_status(self._client, _BEFORE)
                self._epoch_before = installation.epoch if installation else None
        except NoWorker:
            # Ordinary: in force as soon as one runs, and that is said anyway.
            self._epoch_before = None
        except Exception as problem:  # whatever it is: the brake never depends on a look
            self.unseen = str(problem)

    async def pull(self, request: PauseRequest) -> None:
        """Send the pause by signal-with-start, which also works where nothing has run before."""
        self._request = request
        if self._target is None:
            await pause_installation(self._client, request)
        else:
            await pause_target(self._client, self._target, request)

    async def look(self) -> dict[str, Hold]:
        """How far it holds, of everyone that it is for; each answers for itself.

        Raises:
            NoWorker: nobody answers at all.
        """
        if self._target is not None:
            seen = await sight_targets(self._client, [self._target], set())
            return {name: self._hold(name, sight, self._epoch_before) for name, sight in seen.items()}
        installation = await sight_installation(self._client)
        if isinstance(installation.problem, NoWorker):
            raise installation.problem
        if isinstance(installation.problem, Unreadable):
            await self._pause_one_by_one()
        known = registered(installation) if installation.view else await open_controls(self._client)
        seen = await sight_targets(self._client, sorted(known.union(self._names)), known)
        # Whoever never started has nothing to hold.
        seen = {name: sight for name, sight in seen.items() if name in known or sight.view or sight.problem}
        for name in [name for name, sight in seen.items() if sight.view is None and sight.problem is None]:
            await self._wake(name)
        told = installation.view.epoch if installation.view else 0
        holds = {name: self._hold(name, sight, told=told) for name, sight in seen.items()}
        return {INSTALLATION: _hold_of_installation(installation, self._epoch_before), **holds}

    async def _wake(self, name: str) -> None:
        """A Control that is gone clears nothing; the next one finds in the audit log what it had cleared."""
        if name not in self._woken:
            self._woken.add(name)
            await start_control(self._client, name)

    async def _pause_one_by_one(self) -> None:
        """Send the signal to each open Control, once, because the Installation cannot pass it on."""
        if self._one_by_one:
            return
        self._one_by_one = True
        names = sorted(await open_controls(self._client))
        for name in names:
            await pause_target(self._client, name, self._request)
        say(
            f"the installation cannot tell the targets; paused one by one: {', '.join(names) or 'no Control is open'}",
            "yellow",
        )

    def _hold(self, name: str, sight: TargetSight, before: int | None = None, told: int = 0) -> Hold:
        if isinstance(sight.problem, NoWorker):
            raise sight.problem
        view = sight.view
        if view is None:
            return Hold(missing=f"{name} has not been started again yet", problem=sight.problem)
        taken = view.status is TargetStatus.PAUSED and view.installation_epoch >= told
        if not taken or (before is not None and view.epoch <= before):
            return Hold(missing=f"{name} has not taken it yet", epoch=view.epoch)
        writes = "; ".join(
            f"{write.clearance.action} {write.key}, until {write.clearance.deadline:%H:%M:%S} at most"
            for write in view.writes
        )
        exchanges = "; ".join(f"exchange {key} with a model" for key in view.exchanges)
        flying = "; ".join(each for each in (writes, exchanges) if each)
        missing = f"in flight: {flying}" if flying else f"{name} is still finding out what was in flight before it"
        return Hold(True, view.quiescent, "" if view.quiescent else missing, view.epoch)


def _hold_of_installation(sight: InstallationSight, before: int | None) -> Hold:
    view = sight.view
    taken = view is not None and view.ready and view.status is TargetStatus.PAUSED
    if view is None or not taken or (before is not None and view.epoch <= before):
        return Hold(missing="the installation has not taken it yet", problem=sight.problem)
    return Hold(True, True, "", view.epoch)


async def _soon(brake: Brake, as_json: bool) -> int:
    """Whether a worker took it at once."""
    until = time.monotonic() + _SOON.total_seconds()
    holds: dict[str, Hold] = {}
    try:
        while time.monotonic() < until:
            holds = await brake.look()
            if all(hold.in_force or hold.problem for hold in holds.values()):
                break
            await asyncio.sleep(_LOOK_EVERY)
    except NoWorker:
        holds = {}
    in_force = bool(holds) and all(hold.in_force for hold in holds.values())
    problems = _problems(holds)
    if not problems:
        say("in force" if in_force else "not confirmed yet; in force once a worker runs (`--wait` waits for it)")
    for problem in problems.values():
        say(f"not confirmed: {problem}", "red")
    if as_json:
        emit({"recorded": True, "inForce": in_force, "quiescent": None} | _unseen(problems))
    return Exit.TROUBLE if problems else Exit.OK


async def _wait(brake: Brake, within: float, as_json: bool) -> int:
    began = answered = time.monotonic()
    in_force_at: datetime | None = None
    missing, holds = "", dict[str, Hold]()
    while True:
        try:
            holds = await brake.look()
            missing = "; ".join(hold.missing for hold in holds.values() if hold.missing)
            if in_force_at is None and all(hold.in_force for hold in holds.values()):
                in_force_at = datetime.now(UTC)
                say(f"in force   {in_force_at:%H:%M:%S} UTC, epoch {next(iter(holds.values())).epoch}")
            if in_force_at is not None and not missing:
                break
            waiting = [hold for hold in holds.values() if hold.missing and not hold.problem]
            if waiting or not _problems(holds):
                answered = time.monotonic()
            elif time.monotonic() - answered > _PATIENCE:
                # The others hold; these will not, before somebody does what they say.
                return _not_all(holds, as_json)
        except NoWorker:
            missing = "no worker answers"
            if time.monotonic() - answered > _PATIENCE:
                raise NoWorker("; the pause is recorded, and in force once a worker runs") from None
        if time.monotonic() - began > within:
            say(f"stopped waiting; the pause stays: {missing}")
            if as_json:
                told = {"inForce": _time(in_force_at), "quiescent": None, "missing": missing}
                emit({"recorded": True} | told | _unseen(_problems(holds)))
            return Exit.WAITING
        await asyncio.sleep(_LOOK_EVERY)
    quiescent_at = datetime.now(UTC)
    if as_json:
        emit({"recorded": True, "inForce": _time(in_force_at), "quiescent": _time(quiescent_at)})
    else:
        show(f"quiescent  {quiescent_at:%H:%M:%S} UTC: no write, and no exchange with a model, is in flight")
    return Exit.OK


def _not_all(holds: dict[str, Hold], as_json: bool) -> int:
    held = [name for name, hold in holds.items() if hold.quiescent]
    say(f"quiescent: {', '.join(held) or 'nobody'}")
    for problem in _problems(holds).values():
        say(f"recorded, but not confirmed to be in force: {problem}", "red")
    if as_json:
        emit({"recorded": True, "inForce": None, "quiescent": None, "held": held} | _unseen(_problems(holds)))
    return Exit.TROUBLE


def _problems(holds: dict[str, Hold]) -> dict[str, str]:
    return {name: str(hold.problem) for name, hold in holds.items() if hold.problem}


def _unseen(problems: dict[str, str]) -> dict[str, dict[str, str]]:
    return {"unseen": problems} if problems else {}


def _time(at: datetime | None) -> str | None:
    return at.isoformat(timespec="milliseconds") if at else None
