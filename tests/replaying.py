"""Replays what really happened: on a fresh worker, as a restart at any moment would (P15, P16)."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterable

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer

import composition
from adapters.temporal.plugin import project_plugins

_COMPLETED, _SCHEDULED = EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED


async def replay(histories: Iterable[WorkflowHistory]) -> None:
    """Replay each with today's workflows.

    Raises:
        Exception: the SDK's own, of the first history that commands something else than it did.
    """

    async def one_by_one() -> AsyncIterator[WorkflowHistory]:
        for history in histories:
            yield history

    replayer = Replayer(workflows=composition.WORKFLOWS, plugins=project_plugins())
    await replayer.replay_workflows(one_by_one(), raise_on_replay_failure=True)


async def histories_of(client: Client, query: str | None = None) -> list[WorkflowHistory]:
    """Every history of a namespace, each run of long-lived ones included."""
    return [history async for history in client.list_workflows(query).map_histories()]


def without_command(history: WorkflowHistory) -> list[int]:
    """Tasks that a replay would play together with the next one: completed, no command, and the next at once."""
    events = list(history.events)
    pairs = itertools.pairwise(events)
    return [done.event_id for done, then in pairs if done.event_type == _COMPLETED and then.event_type == _SCHEDULED]
