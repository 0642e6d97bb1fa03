"""``pause``: the brake, and how to know that it holds (P1)."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from temporalio.client import Client

from commands.conversations import installation_status, target_status
from commands.exit_statuses import Exit
from commands.failures import CommandFailed, NoWorker
from commands.home import client_of
from commands.looking import known_target
from commands.operator_name import operator_name
from commands.terminal import AsJson, emit, guarded, say, show
from composition import compose, pause_installation, pause_target
from contracts.control import PauseRequest, StatusView
from contracts.modes import PauseStyle, TargetStatus
from contracts.review_date import read_review_date
from settings import Settings

EPILOG = (
    "Examples: `starter.py pause demo --reason 'odd diff' --wait` · "
    "`starter.py pause --all --style abort --reason 'incident 7'`"
)
_LOOK_EVERY = 0.3
_SOON = timedelta(seconds=3)
_WITHOUT_WORKER = 10.0


@guarded
async def pause(
    target: Annotated[str | None, typer.Argument(help="The target; or --all.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Every target, and those that come.")] = False,
    reason: Annotated[str, typer.Option(help="Why; it stands in status, audit log and Temporal UI.")] = "",
    style: Annotated[
        PauseStyle,
        typer.Option(
            help="Running runs: checkpoint waits at the next gate, drain ends after the step, abort kills it."
        ),
    ] = PauseStyle.CHECKPOINT,
    review_on: Annotated[str | None, typer.Option(help="YYYY-MM-DD: when somebody looks at it again.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Until it is in force and no write is in flight.")] = False,
    within: Annotated[float, typer.Option("--timeout", help="Seconds --wait waits at most.")] = 1200,
    force: Annotated[bool, typer.Option("--force", help="Also a target the policy folder does not know.")] = False,
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
    if target is not None and not force:
        known_target(adapters, target)
    client = await client_of(adapters.settings)
    request = PauseRequest(style=style, reason=reason, actor=operator_name(), review_on=read_review_date(review_on))
    brake = Brake(client, target)
    await brake.look_before()
    await brake.pull(request)
    say(f"recorded by the server: {target or 'every target'} pauses")
    if not wait:
        in_force = await brake.in_force_soon()
        say("in force" if in_force else "not confirmed yet; in force once a worker runs (`--wait` waits for it)")
        if as_json:
            emit({"recorded": True, "inForce": in_force, "quiescent": None})
        return Exit.OK
    return await _wait(brake, within, as_json)


class Brake:
    """One pause: pulled, then looked after until it holds."""

    def __init__(self, client: Client, target: str | None) -> None:
        self._client = client
        self._target = target
        self._epoch_before: int | None = None
        self._epoch: int | None = None

    async def look_before(self) -> None:
        """Remember the epoch, so that this pause is told from the one before it."""
        try:
            self._epoch_before = await self._epoch_now(_SOON)
        except NoWorker:
            # The brake never waits for a look: it is pulled blindly then.
            self._epoch_before = None

    async def pull(self, request: PauseRequest) -> None:
        """Signal-with-start: it works where nothing ran before, too."""
        if self._target is None:
            await pause_installation(self._client, request)
        else:
            await pause_target(self._client, self._target, request)

    async def in_force_soon(self) -> bool:
        """Whether a worker took it at once."""
        until = time.monotonic() + _SOON.total_seconds()
        while time.monotonic() < until:
            try:
                if await self.in_force():
                    return True
            except NoWorker:
                return False
            await asyncio.sleep(_LOOK_EVERY)
        return False

    async def in_force(self) -> bool:
        """The raised epoch shows, with ``--all`` in every target."""
        return not await self.not_in_force()

    async def not_in_force(self) -> str:
        """What is missing; empty when it is in force."""
        if self._target is not None:
            view = await target_status(self._client, self._target)
            return "" if self._raised(view) else f"{self._target} has not taken it yet"
        installation = await installation_status(self._client)
        if (
            installation is None
            or installation.status is not TargetStatus.PAUSED
            or not self._newer(installation.epoch)
        ):
            return "the installation has not taken it yet"
        self._epoch = installation.epoch
        late = [name for name, view in (await self._targets()).items() if not self._told(view)]
        return f"not told yet: {', '.join(late)}" if late else ""

    async def in_flight(self) -> tuple[str, ...]:
        """Writes begun before the pause and not settled."""
        return tuple(
            f"{write.clearance.action} {write.key}, until {write.clearance.deadline:%H:%M:%S} at most"
            for view in (await self._targets()).values()
            if view is not None
            for write in view.writes
        )

    async def epoch(self) -> int | None:
        """The epoch in force."""
        return await self._epoch_now(_SOON)

    async def _targets(self) -> dict[str, StatusView | None]:
        if self._target is not None:
            return {self._target: await target_status(self._client, self._target)}
        installation = await installation_status(self._client)
        names = [view.name for view in installation.targets] if installation else []
        views = await asyncio.gather(*(target_status(self._client, name) for name in names))
        return dict(zip(names, views, strict=True))

    async def _epoch_now(self, patience: timedelta) -> int | None:
        if self._target is not None:
            view = await target_status(self._client, self._target, patience)
            return view.epoch if view else None
        installation = await installation_status(self._client, patience)
        return installation.epoch if installation else None

    def _newer(self, epoch: int) -> bool:
        return self._epoch_before is None or epoch > self._epoch_before

    def _raised(self, view: StatusView | None) -> bool:
        return view is not None and view.status is TargetStatus.PAUSED and self._newer(view.epoch)

    def _told(self, view: StatusView | None) -> bool:
        """A Control that is gone has no run and lets none begin: it starts PAUSED."""
        if view is None:
            return True
        return view.status is TargetStatus.PAUSED and view.installation_epoch >= (self._epoch or 0)


async def _wait(brake: Brake, within: float, as_json: bool) -> int:
    began = answered = time.monotonic()
    in_force_at: datetime | None = None
    missing = ""
    while True:
        try:
            if in_force_at is None:
                missing = await brake.not_in_force()
                if not missing:
                    in_force_at = datetime.now(UTC)
                    say(f"in force   {in_force_at:%H:%M:%S} UTC, epoch {await brake.epoch()}")
            if in_force_at is not None:
                writes = await brake.in_flight()
                missing = f"in flight: {'; '.join(writes)}" if writes else ""
                if not writes:
                    break
            answered = time.monotonic()
        except NoWorker:
            missing = "no worker answers"
            if time.monotonic() - answered > _WITHOUT_WORKER:
                raise NoWorker("; the pause is recorded, and in force once a worker runs") from None
        if time.monotonic() - began > within:
            say(f"stopped waiting; the pause stays: {missing}")
            if as_json:
                emit({"recorded": True, "inForce": _time(in_force_at), "quiescent": None, "missing": missing})
            return Exit.WAITING
        await asyncio.sleep(_LOOK_EVERY)
    quiescent_at = datetime.now(UTC)
    if as_json:
        emit({"recorded": True, "inForce": _time(in_force_at), "quiescent": _time(quiescent_at)})
    else:
        show(f"quiescent  {quiescent_at:%H:%M:%S} UTC: no write is in flight")
    return Exit.OK


def _time(at: datetime | None) -> str | None:
    return at.isoformat(timespec="milliseconds") if at else None
