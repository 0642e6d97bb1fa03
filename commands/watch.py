"""``watch``: one run until it ends, a line per step on stderr, the result at the end."""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.status import Status
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError, CancelledError, FailureError, TerminatedError
from temporalio.service import RPCError

from commands.conversations import RUN_ID, agent_at_work, has_worker, known_target, run_handle, run_view, target_status
from commands.exit_statuses import OF_RUN, Exit
from commands.failures import NoAnswer, NoWorker
from commands.home import client_of
from commands.report import sentence_of
from commands.terminal import AsJson, Within, emit, err, guarded, say, show
from composition import Adapters, compose
from contracts.admission import RunResult, RunView
from contracts.exchange import AgentProgress
from contracts.modes import RunStatus
from reporting.wording import DECISION_MARKS, doing_words, named_steps, unsaid, visible
from settings import Settings

_LOOK_EVERY = 0.5
_QUERY_PATIENCE = timedelta(seconds=5)
_WITHOUT_WORKER = 10.0
_QUIET = frozenset({RunStatus.ADMITTING, RunStatus.RUNNING})
_DID_ITS_WORK = frozenset({RunStatus.PR_OPENED, RunStatus.MERGED, RunStatus.DRY_RUN_COMPLETE, RunStatus.ALREADY_RAN})
_OF_ERROR = {"BadStart": Exit.USAGE, "UnknownTarget": Exit.BAD_POLICY, "PolicyBroken": Exit.BAD_POLICY}


TargetOrRun = Annotated[str, typer.Argument(help="A target's name, or a run id such as demo-2026-11-23-pr-1.")]


@guarded
async def watch(
    what: TargetOrRun,
    within: Within = None,
    as_json: AsJson = False,
) -> int:
    """Follow a run until it ends; of a target, the one that runs or waits now."""
    adapters = compose(Settings())
    client = await client_of(adapters.settings, asking=True)
    handle = await (run_handle(client, what) if RUN_ID.fullmatch(what) else _current(adapters, client, what))
    if handle is None:
        say(f"no run of {what} is active; its latest: starter.py runs {what}")
        if as_json:
            emit({"target": what, "run": None})
        return Exit.OK
    result, ended = await follow(client, handle, within)
    show_result(result, ended, as_json, sentence_of(adapters, result.run_id))
    return ended


class Progress:
    """Prints what is new since the last view."""

    def __init__(self, spinner: Status) -> None:
        self._spinner = spinner
        self._said = 0
        self._state = ""

    def tell(self, view: RunView, doing: AgentProgress | None = None) -> None:
        """Show finished steps, what the run waits for, and what an agent is doing."""
        for name, verdict in list(zip(named_steps(view.steps), view.verdicts, strict=False))[self._said :]:
            say(f"  {DECISION_MARKS[verdict.decision]} {name:<9} {verdict.reason}")
        self._said = len(view.verdicts)
        state = "" if view.status in _QUIET else f"{view.status}: {view.reason}"
        if view.waiting_for:
            run_id = view.run.run_id if view.run else ""
            state += f"; {view.waiting_for} (`starter.py decide {run_id} --approve|--reject --reason …`)"
        if state != self._state and state and view.status not in OF_RUN:
            say(f"  … {state}")
        self._state = state
        at_work = f": {doing_words(doing, datetime.now(UTC))}" if doing else ""
        self._spinner.update(visible(f"{view.step or 'admission'} {view.status}{at_work}"))


async def follow(client: Client, handle: WorkflowHandle[Any, Any], within: float | None) -> tuple[RunResult, Exit]:
    """Watch until the run ends, or until ``within`` seconds passed.

    Raises:
        NoWorker: nobody works on the queue; the run stays and begins when somebody does.
    """
    began = answered = time.monotonic()
    view: RunView | None = None
    ending = asyncio.create_task(handle.result())
    try:
        with err.status("waiting for a worker") as spinner:
            progress = Progress(spinner)
            while not ending.done():
                try:
                    view = await run_view(handle, _QUERY_PATIENCE)
                    answered = time.monotonic()
                    progress.tell(view, await agent_at_work(client, handle))
                except (NoAnswer, RPCError):
                    # A restarting worker or server; the run itself is safe.
                    spinner.update("no answer yet")
                    if time.monotonic() - answered > _WITHOUT_WORKER and not await _worked_on(client):
                        raise NoWorker(f"; {handle.id} stays, and continues when one runs") from None
                if within is not None and time.monotonic() - began > within:
                    return _so_far(handle, view), Exit.WAITING
                await asyncio.wait({ending}, timeout=_LOOK_EVERY)
            try:
                view = await run_view(handle, _QUERY_PATIENCE)
                progress.tell(view)
            except (NoAnswer, RPCError):
                pass
        return _ended(handle, view, ending)
    finally:
        ending.cancel()


def show_result(result: RunResult, status: Exit, as_json: bool, sentence: str = "") -> None:
    """Print the end of a run, for people or as JSON; ``sentence``: what a person would say of it."""
    if as_json:
        emit(result)
        return
    ended = "still runs" if status is Exit.WAITING else f"ended {result.status}"
    show(f"{result.run_id or 'the run'} {ended}", "bold")
    if sentence:
        show(f"  {sentence}")
    if reason := unsaid(result.reason, sentence):
        show(f"  reason        {reason}")
    if result.outcome:
        show(f"  outcome       {result.outcome}")
    if result.pull_request:
        pull = result.pull_request
        show(f"  pull request  #{pull.number} {pull.branch} at {pull.head_sha[:12]}")
        show(f"                {pull.url}")
    if result.report:
        show(f"  report        {result.report}")
        if result.status not in _DID_ITS_WORK and status is not Exit.WAITING:
            show(f"  why           starter.py why {result.run_id}")


async def _worked_on(client: Client) -> bool:
    try:
        return await has_worker(client)
    except RPCError:
        # The server is away: it says nothing about workers, and --timeout bounds the wait.
        return True


def _ended(handle: WorkflowHandle[Any, Any], view: RunView | None, ending: asyncio.Task[Any]) -> tuple[RunResult, Exit]:
    try:
        result = RunResult.model_validate(ending.result())
    except WorkflowFailureError as failure:
        cause: BaseException = failure.cause
        while isinstance(cause, FailureError) and cause.cause is not None:
            cause = cause.cause
        status, exit_status = RunStatus.FAILED, Exit.FAILED
        if isinstance(failure.cause, CancelledError):
            status, exit_status = RunStatus.CANCELLED, Exit.CANCELLED
        elif isinstance(failure.cause, TerminatedError):
            status, cause = RunStatus.LOST, TerminatedError(f"its workflow was terminated: {cause}")
        elif isinstance(cause, ApplicationError):
            exit_status = _OF_ERROR.get(cause.type or "", Exit.FAILED)
        return _so_far(handle, view).model_copy(update={"status": status, "reason": str(cause)}), exit_status
    return result, OF_RUN[result.status]


def _so_far(handle: WorkflowHandle[Any, Any], view: RunView | None) -> RunResult:
    """What is known of a run that has not said how it ended."""
    if view is None or view.run is None:
        return RunResult(run_id="", target="", mode="", status=RunStatus.ADMITTING, reason=f"workflow {handle.id}")
    run = view.run
    return RunResult(
        run_id=run.run_id,
        target=run.target,
        mode=run.mode,
        status=view.status,
        reason=view.reason,
        task_id=view.task_id,
    )


async def _current(adapters: Adapters, client: Client, target: str) -> WorkflowHandle[Any, Any] | None:
    view = await target_status(client, target)
    if view is None:
        known_target(adapters, target)
        return None
    waiting = (*view.active, *view.queued)
    if not waiting:
        return None
    newest = max(waiting, key=lambda run: run.admitted_at)
    return client.get_workflow_handle(newest.workflow_id, run_id=newest.workflow_run_id)
