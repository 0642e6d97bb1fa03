"""Commands never depend on how messages are grouped into workflow tasks (P16)."""

from __future__ import annotations

import asyncio
import os
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from replaying import replay, without_command
from world import World

from contracts.admission import AdmitRequest, FinishRequest, RunRequest
from contracts.control import ModeRequest, PauseRequest, StatusView
from contracts.modes import Mode, RunStatus
from contracts.terms import ControlTerms
from tests.workflows.conversation import asked, edit, open_target
from tests.workflows.quick import add_target, quick
from workflows import api

POLICY_DIGEST = "p" * 64
messages = st.sampled_from(["pause", "resume", "late resume", "admit", "finish", "mode", "nonsense"])
groups = st.lists(
    st.tuples(st.lists(messages, min_size=1, max_size=4), st.sampled_from([0.0, 0.05, 0.4, 1.1])), max_size=6
)


class Story:
    """Messages to one Control, by their short names."""

    def __init__(self, world: World, target: str) -> None:
        self.world, self.target, self.admitted = world, target, 0

    async def tell_together(self, messages: list[str]) -> None:
        """Send all at once, chosen by one look before: the SDK, without a cache, drops queries that find it busy."""
        seen = await self.world.status(self.target)
        await asyncio.wait_for(asyncio.gather(*(self._tell(what, seen) for what in messages)), 60)

    async def _tell(self, what: str, seen: StatusView) -> Any:
        """Send one message; a refusal is an answer, too."""
        control = self.world.control(self.target)
        if what == "pause":
            return await control.signal(api.PAUSE, PauseRequest(reason=what, actor="ann"))
        if what == "nonsense":
            return await control.signal(what, {"what": "ever"})
        if what in {"resume", "late resume"}:
            return await control.execute_update(api.RESUME, asked(seen.epoch - (what == "late resume")))
        if what == "mode":
            lower = ModeRequest(expected_epoch=0, mode=Mode.DRY_RUN, actor="ann", reason="story")
            return await control.execute_update(api.SET_MODE, lower)
        if what == "finish":
            run_id = seen.active[0].run_id if seen.active else "nobody"
            return await control.execute_update(api.FINISH_RUN, FinishRequest(run_id=run_id, status=RunStatus.FAILED))
        self.admitted += 1
        return await control.execute_update(api.ADMIT_RUN, self._admission())

    def _admission(self) -> AdmitRequest:
        return AdmitRequest(
            request=RunRequest(target=self.target, again=True),
            workflow_id=f"nobody-{self.target}-{self.admitted}",
            workflow_run_id=str(uuid.uuid4()),
            date="2026-03-02",
            policy_digest=POLICY_DIGEST,
            terms=ControlTerms(max_active=2, queue_limit=2, runs_per_day=100, maximum_mode=Mode.PR_ONLY),
        )


@pytest.fixture(params=[0, 1000], ids=["restarted at every task", "kept in the cache"])
async def told(world: World, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """A world whose Controls look every second."""
    edit(world, "reap_seconds = 60", "reap_seconds = 1")
    polls = 5 if request.param else 1
    async with world.worker(quick(world), max_cached_workflows=request.param, max_concurrent_workflow_task_polls=polls):
        yield world


@settings(
    max_examples=int(os.environ.get("GROUPING_EXAMPLES", "4")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@example(story=[(["admit"], 0.05), (["finish"], 2.5), (["admit"], 0.05), (["finish"], 2.5), (["admit"], 1.1)])
@given(story=groups)
async def test_whatever_comes_together_a_restart_at_any_moment_replays_the_same(told: World, story: list[Any]) -> None:
    """Messages and timers in any grouping: no task without a command, and every restart commands the same."""
    name = f"told-{uuid.uuid4().hex[:8]}"
    add_target(told, name)
    await open_target(told, name)
    teller = Story(told, name)
    for together, wait in story:
        await teller.tell_together(together)
        await asyncio.sleep(wait)
    history = await told.control(name).fetch_history()
    assert [] == [
        event.workflow_task_failed_event_attributes.failure.message
        for event in history.events
        if event.HasField("workflow_task_failed_event_attributes")
    ]
    assert [] == without_command(history)
    await replay([history])
