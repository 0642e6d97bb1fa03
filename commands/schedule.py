"""``schedule``: the daily start, as a Temporal Schedule that everybody sees in the UI."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleCalendarSpec,
    ScheduleHandle,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleRange,
    ScheduleSpec,
    ScheduleState,
    ScheduleUpdate,
    ScheduleUpdateInput,
)
from temporalio.service import RPCError, RPCStatusCode

from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.home import client_of
from commands.terminal import AsJson, TargetName, emit, guarded, operator_name, say, show
from composition import compose, expanding, schedule_expansions, sync_schedule
from composition import held as held_by
from settings import Settings
from workflows import api

app = typer.Typer(help="The daily start of a target, by a Temporal Schedule.", no_args_is_help=True)
_CATCH_UP = timedelta(hours=1)
"""A start that was missed by more than this is skipped; the next day's follows."""


@app.command()
@guarded
async def apply(
    target: TargetName,
    at: Annotated[str, typer.Option(help="HH:MM in the target's time zone.")] = "06:00",
    as_json: AsJson = False,
) -> int:
    """Create or change a target's daily start. Applying the same again changes nothing.

    A target that has a source to try gets its weekly source expansion as well, where that is not there yet.
    """
    settings = Settings()
    adapters = compose(settings)
    policy = adapters.policies.effective(target)
    found = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", at)
    if found is None:
        raise CommandFailed(Exit.USAGE, f"{at!r} is not a time of day: write it as HH:MM, for example 06:00")
    zone = policy.target.time_zone
    odd = tuple(odd_days(time(int(found[1]), int(found[2])), ZoneInfo(zone), datetime.now(ZoneInfo(zone)).date()))
    wanted = Schedule(
        action=ScheduleActionStartWorkflow(
            api.DAILY_RUN,
            {"target": target, "actor": "schedule"},
            # Temporal appends the time; admission tells runs apart by what they are.
            id=f"{api.schedule_id(target)}/schedule",
            task_queue=api.TASK_QUEUE,
            static_summary=f"scheduled run of {target}",
        ),
        spec=every_day(time(int(found[1]), int(found[2])), zone, odd),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=_CATCH_UP),
    )
    client = await client_of(settings)
    held = await held_by(client, target)
    if held:
        wanted.state = ScheduleState(paused=True, note=f"{api.SCHEDULE_MARK}{held}")
    try:
        handle = await client.create_schedule(api.schedule_id(target), wanted)
        done = "created"
        if held and not await held_by(client, target):
            # Resumed in between: Control has looked already, and found nothing to let go on.
            await sync_schedule(client, target, paused=False, reason="the target was resumed")
            held = ""
    except ScheduleAlreadyRunningError:
        handle = client.get_schedule_handle(api.schedule_id(target))

        def changed(before: ScheduleUpdateInput) -> ScheduleUpdate:
            # A paused schedule stays paused.
            wanted.state = before.description.schedule.state
            return ScheduleUpdate(schedule=wanted)

        await handle.update(changed)
        done = "updated"
    await schedule_expansions(client, {name: its for name, its in expanding(adapters).items() if name == target})
    upcoming = (await handle.describe()).info.next_action_times
    if as_json:
        emit({"target": target, "done": done, "at": at, "timeZone": zone, "paused": held,
              "next": upcoming[0].isoformat() if upcoming else None})  # fmt: skip
        return Exit.OK
    soon = f"; next: {upcoming[0]:%Y-%m-%d %H:%M} UTC" if upcoming else ""
    show(f"{done}: {target} every day at {at} {zone}{soon}")
    for line in _odd_lines(at, odd):
        show(line, "yellow")
    if held:
        show(f"it is paused with the target ({held}); the resume lets both go on")
    return Exit.OK


def every_day(at: time, zone: str, odd: tuple[OddDay, ...]) -> ScheduleSpec:
    """A start on every day exactly once, although clocks change.

    By itself the server skips a time that a day lacks, and starts twice at one that it has twice.
    """
    return ScheduleSpec(
        calendars=[_calendar(at), *(_calendar(each.instead, each.day) for each in odd)],
        skip=[_calendar(at, each.day) for each in odd if each.twice],
        time_zone_name=zone,
    )


def _calendar(at: time, day: date | None = None) -> ScheduleCalendarSpec:
    daily = ScheduleCalendarSpec(hour=[ScheduleRange(at.hour)], minute=[ScheduleRange(at.minute)])
    if day is None:
        return daily
    return replace(
        daily,
        year=[ScheduleRange(day.year)],
        month=[ScheduleRange(day.month)],
        day_of_month=[ScheduleRange(day.day)],
        comment="the clocks change on this day",
    )


def _odd_lines(at: str, odd: tuple[OddDay, ...]) -> Iterator[str]:
    for twice, what in ((False, "does not exist"), (True, "comes twice")):
        days = [each for each in odd if each.twice is twice]
        if days:
            first = days[0]
            more = f" (and {len(days) - 1} more such days in {YEARS} years)" if days[1:] else ""
            yield f"{at} {what} on {first.day}{more}: the clocks change; the run starts at {first.instead:%H:%M} then"


@app.command("list")
@guarded
async def list_schedules(as_json: AsJson = False) -> int:
    """Every target's daily start."""
    client = await client_of(Settings())
    found: list[dict[str, object]] = []
    soon: list[str] = []
    async for entry in await client.list_schedules():
        if not entry.id.startswith(api.schedule_id("")) or entry.schedule is None:
            continue
        upcoming = entry.info.next_action_times if entry.info else ()
        found.append(
            {
                "target": entry.id.removeprefix(api.schedule_id("")),
                "paused": entry.schedule.state.paused,
                "note": entry.schedule.state.note,
                "next": upcoming[0].isoformat() if upcoming else None,
            }
        )
        soon.append(f"next {upcoming[0]:%Y-%m-%d %H:%M} UTC" if upcoming else "no next start")
    if as_json:
        emit({"schedules": found})
        return Exit.OK
    for one, at in zip(found, soon, strict=True):
        show(f"{one['target']}  {'paused: ' + str(one['note']) if one['paused'] else at}")
    if not found:
        say("no schedule; make one: starter.py schedule apply <target> --at 06:00")
    return Exit.OK


@app.command()
@guarded
async def pause(
    target: TargetName,
    reason: Annotated[str, typer.Option(help="Why; shown in the UI.")] = "by starter.py",
    as_json: AsJson = False,
) -> int:
    """Stop starting runs automatically. This is not the brake: `starter.py pause` is."""
    handle = await _handle(await client_of(Settings()), target)
    await handle.pause(note=f"{reason} ({operator_name()})")
    return _done(target, "paused", f"the schedule of {target} is paused", as_json)


@app.command()
@guarded
async def unpause(target: TargetName, as_json: AsJson = False) -> int:
    """Start runs again at the set time."""
    handle = await _handle(await client_of(Settings()), target)
    await handle.unpause(note=f"by {operator_name()}")
    return _done(target, "unpaused", f"the schedule of {target} goes on", as_json)


@app.command()
@guarded
async def trigger(target: TargetName, as_json: AsJson = False) -> int:
    """Start the scheduled run now; admission still makes one run a day."""
    client = await client_of(Settings())
    handle = await _handle(client, target)
    held = await held_by(client, target)
    await handle.trigger()
    text = f"triggered; watch it: starter.py watch {target}"
    if held:
        text = f"triggered; admission refuses the run while the target is {held}: `starter.py resume {target}` opens it"
    return _done(target, "triggered", text, as_json)


@app.command()
@guarded
async def delete(target: TargetName, as_json: AsJson = False) -> int:
    """Remove the schedule; runs that were started stay."""
    handle = await _handle(await client_of(Settings()), target)
    await handle.delete()
    return _done(target, "deleted", f"the schedule of {target} is deleted", as_json)


def _done(target: str, done: str, report: str, as_json: bool) -> int:
    if as_json:
        emit({"target": target, "done": done})
    else:
        show(report)
    return Exit.OK


async def _handle(client: Client, target: str) -> ScheduleHandle:
    handle = client.get_schedule_handle(api.schedule_id(target))
    try:
        await handle.describe()
    except RPCError as problem:
        if problem.status is not RPCStatusCode.NOT_FOUND:
            raise
        message = f"{target} has no schedule: make one with `starter.py schedule apply {target} --at 06:00`"
        raise CommandFailed(Exit.USAGE, message) from None
    return handle


# Days on which the clocks of a time zone skip a time of day, or show it twice: a daily start there needs another.

YEARS = 10
"""How far ahead to look: zones change their rules, and applying a schedule again looks anew."""


@dataclass(frozen=True)
class OddDay:
    """A day on which the wanted time of day does not occur, or occurs twice."""

    day: date
    twice: bool
    instead: time
    """A time that the day has exactly once, as near as the change of the clocks allows."""


def odd_days(at: time, zone: ZoneInfo, first: date) -> Iterator[OddDay]:
    """Yield every such day of the coming years; a day that the zone skips entirely does not count."""
    for number in range(YEARS * 366):
        day = first + timedelta(days=number)
        wanted = datetime.combine(day, at)
        times = _times(wanted, zone)
        if times == 1:
            continue
        change = _change(wanted, zone)
        near = [wanted + change, wanted - change]
        found = next((each for each in near if each.date() == day and _times(each, zone) == 1), None)
        if found is not None:
            yield OddDay(day, times == 2, found.time())  # noqa: PLR2004  # twice


def _times(local: datetime, zone: ZoneInfo) -> int:
    """How often the clocks show it: never, once or twice."""
    instants = {local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return sum(instant.astimezone(zone).replace(tzinfo=None, fold=0) == local for instant in instants)


def _change(local: datetime, zone: ZoneInfo) -> timedelta:
    before, after = (local.replace(tzinfo=zone, fold=fold).utcoffset() or timedelta() for fold in (0, 1))
    return abs(after - before)
