"""The one ``Installation``: started where it is missing, claimed for one home, never lost for long (P16)."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowExecutionDescription,
    WorkflowExecutionStatus,
)
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from adapters.store.private_home import is_copied
from adapters.temporal.open_workflow import ask_open, ensure_started
from contracts.control import Answer, InstallationNotice, InstallationView, PauseRequest
from contracts.home import HomeMark
from contracts.modes import TargetStatus
from ports.server import AnotherHome
from workflows import api
from workflows.installation.dashboards import DashboardsState
from workflows.installation.installation import InstallationState

_SUMMARY = "The whole installation: pause here pauses every target"
_PATIENCE = 20.0
_LOOK_EVERY = 5.0
_READY_TRIES = 50
_MEMO = "home"

logger = logging.getLogger("worker")


class NotReady(Exception):
    """The Installation is still finding its targets."""


async def pause_installation(client: Client, request: PauseRequest) -> None:
    """The brake for everybody: signal-with-start, so that it also works where nothing ran before."""
    state, brake = InstallationState(), (api.PAUSE, request)
    await ensure_started(client, api.INSTALLATION, state, api.INSTALLATION_ID, _SUMMARY, signal=brake)


def with_installation() -> WithStartWorkflowOperation[Any, Any]:
    """For an update-with-start."""
    return WithStartWorkflowOperation(
        api.INSTALLATION,
        InstallationState(),
        id=api.INSTALLATION_ID,
        task_queue=api.TASK_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        static_summary=_SUMMARY,
    )


async def start_installation(client: Client, home: HomeMark | None = None) -> None:
    """Start it unless it runs. One that was ended by force is followed by one that wakes up PAUSED."""
    seen = await _describe(client)
    if seen is not None and seen.status is WorkflowExecutionStatus.RUNNING:
        return
    how = seen.status.name.lower() if seen is not None and seen.status else ""
    if how:
        logger.warning("the Installation was ended (%s): the next one wakes up PAUSED", how)
    state, memo = InstallationState(ended=how, home=home), {_MEMO: home.model_dump()} if home else None
    await ensure_started(client, api.INSTALLATION, state, api.INSTALLATION_ID, _SUMMARY, memo=memo)


async def current_notice(client: Client) -> InstallationNotice:
    """What it says now; started, and waited for until it knows its targets, where it was gone.

    Raises:
        NotReady: it is still finding its targets.
        RPCError: it does not answer.
    """
    for _ in range(_READY_TRIES):
        view = await ask_open(client, api.INSTALLATION_ID, api.STATUS, InstallationView)
        if view is None:
            await start_installation(client)
        elif view.ready:
            notice = InstallationNotice(epoch=view.epoch, status=view.status)
            pause = view.pause
            told = {"style": pause.style, "reason": pause.reason, "actor": pause.actor} if pause else {}
            return notice.model_copy(update=told)
        await asyncio.sleep(0.1)
    raise NotReady("the Installation is still finding its targets")


async def tell_before(client: Client, target: str) -> None:
    """Before a question that may let a run begin: an Installation that is paused has told this Control so."""
    notice = await current_notice(client)
    if notice.status is not TargetStatus.PAUSED:
        return
    try:
        await client.get_workflow_handle(api.control_id(target)).signal(api.INSTALLATION_NOTICE, notice)
    except RPCError as problem:
        if problem.status is not RPCStatusCode.NOT_FOUND:
            raise
        # Not born yet: it learns the status when it registers.


async def claim(client: Client, home: HomeMark) -> bool:
    """Before any work is taken: whether this installation is known to be this home's. False: claim it by an update.

    Raises:
        AnotherHome: it is another's, with what to do.
    """
    await start_installation(client, home)
    seen = await _describe(client)
    memo = await seen.memo() if seen is not None else {}
    if _MEMO not in memo:
        return False
    _demand_same(HomeMark.model_validate(memo[_MEMO]), home)
    return True


async def claim_by_update(client: Client, home: HomeMark) -> None:
    """Claim an Installation that was started without a home: by an older version, by a pause, by hand.

    Raises:
        AnotherHome: somebody else was faster.
    """
    answer = await client.get_workflow_handle(api.INSTALLATION_ID).execute_update(
        api.CLAIM_HOME, home, result_type=Answer
    )
    if not answer.accepted:
        raise _another(f"than this worker's ({answer.verdict.reason})")


@asynccontextmanager
async def kept_alive(client: Client, home: HomeMark) -> AsyncIterator[None]:
    """Look after it as long as this worker works."""

    async def keep() -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY)
            try:
                await start_installation(client, home)
            except RPCError as problem:
                logger.warning("the Installation cannot be looked at: %s", problem)

    task = asyncio.create_task(keep())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def _demand_same(kept: HomeMark, home: HomeMark) -> None:
    if kept.id != home.id:
        way = "" if kept.path != home.path else f"If that is this folder, write {kept.id} back into its home_id. "
        raise _another(f"({kept.path}, id {kept.id}) than this worker's ({home.path}, id {home.id})", way)
    if is_copied(kept, home):
        way = f"If work is to go on in this copy, move {kept.path} away. "
        raise _another(f"({kept.path}), of which this worker's is a copy ({home.path})", way)


def _another(which: str, way: str = "") -> AnotherHome:
    return AnotherHome(
        f"this server's installation keeps its files in another AUTONOMY_HOME {which}: with two of them each would "
        f"miss half of the artifacts and audit logs. {way}Set AUTONOMY_HOME to that one, or use a namespace or a "
        f"server of its own. If that home is gone for good, terminate the workflow `{api.INSTALLATION_ID}` and start "
        "again: everything wakes up PAUSED"
    )


async def _describe(client: Client) -> WorkflowExecutionDescription | None:
    try:
        return await client.get_workflow_handle(api.INSTALLATION_ID).describe()
    except RPCError as problem:
        if problem.status is RPCStatusCode.NOT_FOUND:
            return None
        raise


# What else there is one of: the dashboards.

_DASHBOARDS = "The dashboard ticket of every target, kept by edit"


async def start_dashboards(client: Client) -> None:
    """Make sure that ``Dashboards`` runs."""
    await ensure_started(client, api.DASHBOARDS, DashboardsState(), api.DASHBOARDS_ID, _DASHBOARDS)


async def refresh_dashboards(client: Client, target: str) -> None:
    """A look at one target's ticket now, whether or not the workflow runs already."""
    look = (api.REFRESH, target)
    await ensure_started(client, api.DASHBOARDS, DashboardsState(), api.DASHBOARDS_ID, _DASHBOARDS, signal=look)
