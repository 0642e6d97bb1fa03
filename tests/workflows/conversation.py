"""What an operator says to Control and Installation, and what a test waits for."""

from __future__ import annotations

from typing import Any

from world import World

import composition
from contracts.control import Answer, PauseRequest, ResumeRequest, StatusView
from contracts.modes import PauseStyle, TargetStatus
from contracts.rollback import WAITING, FollowUpView
from workflows import api


def edit(world: World, old: str, new: str) -> None:
    """Edit ``autopilot.toml`` as an operator would."""
    path = world.settings.policies / "autopilot.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


async def pause(world: World, target: str, style: PauseStyle = PauseStyle.CHECKPOINT) -> StatusView:
    """Pause one target and wait until that is in force."""
    await composition.pause_target(world.client, target, PauseRequest(style=style, reason="drill", actor="ann"))
    return await until_status(world, target, TargetStatus.PAUSED)


async def pause_all(world: World, style: PauseStyle = PauseStyle.CHECKPOINT) -> None:
    """Pause the installation; returns when it is recorded."""
    await composition.pause_installation(world.client, PauseRequest(style=style, reason="drill", actor="ann"))


async def open_target(world: World, target: str) -> StatusView:
    """Let a target that nobody knew open itself, by asking for a run that is refused."""
    await world.run(target, mode="SELECTIVE_AUTO")
    return await until_status(world, target, TargetStatus.ACTIVE)


async def until_status(world: World, target: str, status: TargetStatus) -> StatusView:
    """Poll until the target has a status."""

    async def reached() -> StatusView | None:
        view = await world.status(target)
        return view if view.status is status else None

    view: StatusView = await world.until(reached)
    return view


def asked(epoch: int) -> ResumeRequest:
    """A well-formed resume under the epoch a person saw."""
    return ResumeRequest(expected_epoch=epoch, cause="it was a drill", evidence="the drill's plan", actor="bob")


async def resume(world: World, target: str, epoch: int | None = None) -> Answer:
    """Resume one target, by default under the epoch it has now."""
    seen = (await world.status(target)).epoch if epoch is None else epoch
    return await _resume(world.control(target), seen)


async def resume_when_quiescent(world: World, target: str) -> Answer:
    """Resume as soon as the last write is settled."""

    async def quiet() -> bool:
        return (await world.status(target)).quiescent

    await world.until(quiet)
    return await resume(world, target)


async def resume_all(world: World, epoch: int | None = None) -> Answer:
    """Resume the installation."""
    seen = (await world.installation()).epoch if epoch is None else epoch
    return await _resume(world.client.get_workflow_handle(api.INSTALLATION_ID), seen)


async def _resume(handle: Any, epoch: int) -> Answer:
    answer: Answer = await handle.execute_update(api.RESUME, asked(epoch), result_type=Answer)
    return answer


async def follow_up_waits(world: World, run_id: str, not_run: str = "") -> str:
    """Its follow-up waits for a person; which execution that is, another than ``not_run``."""
    handle = world.client.get_workflow_handle(api.follow_up_id(run_id))

    async def waiting() -> str:
        seen = await handle.describe()
        view: FollowUpView = await handle.query(api.VIEW, result_type=FollowUpView)
        return seen.run_id if view.state == WAITING and seen.run_id != not_run else ""

    found: str = await world.until(waiting)
    return found
