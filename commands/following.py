"""Watching one run until it ends: a line per step on stderr, the result at the end."""

import asyncio
import time
from datetime import timedelta
from typing import Any

from rich.status import Status
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError, CancelledError, FailureError, TerminatedError
from temporalio.service import RPCError

from commands.conversations import has_worker, run_view
from commands.exit_statuses import OF_RUN, Exit
from commands.failures import NoAnswer, NoWorker
from commands.kept_runs import kept_run
from commands.terminal import emit, err, out, say, show
from composition import Adapters
from contracts.admission import RunResult, RunView
from contracts.modes import RunStatus
from contracts.verdict import Verdict
from reporting.run_report_text import short_verdict, verdict_tree
from reporting.wording import DECISION_MARKS, visible

_LOOK_EVERY = 0.5
_QUERY_PATIENCE = timedelta(seconds=5)
_WITHOUT_WORKER = 10.0
_QUIET = frozenset({RunStatus.ADMITTING, RunStatus.RUNNING})
_OF_ERROR = {"BadStart": Exit.USAGE, "UnknownTarget": Exit.BAD_POLICY, "PolicyBroken": Exit.BAD_POLICY}


class Progress:
    """Says what is new since it was told last."""

    def __init__(self, spinner: Status) -> None:
        self._spinner = spinner
        self._said = 0
        self._state = ""

    def tell(self, view: RunView) -> None:
        """Show finished steps, and what the run waits for."""
        for step, verdict in list(zip(view.steps, view.verdicts, strict=False))[self._said :]:
            say(f"  {DECISION_MARKS[verdict.decision]} {step:<9} {verdict.reason}")
        self._said = len(view.verdicts)
        state = "" if view.status in _QUIET else f"{view.status}: {view.reason}"
        if view.waiting_for:
            run_id = view.run.run_id if view.run else ""
            state += f"; {view.waiting_for} (`starter.py decide {run_id} --approve|--reject --reason …`)"
        if state != self._state and state and view.status not in OF_RUN:
            say(f"  … {state}")
        self._state = state
        self._spinner.update(visible(f"{view.step or 'admission'} {view.status}"))


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
                    progress.tell(view)
                except (NoAnswer, RPCError):
                    # A restarting worker or server; the run itself is safe.
                    spinner.update("no answer yet")
                    if time.monotonic() - answered > _WITHOUT_WORKER and not await _worked_on(client):
                        raise NoWorker(f"; {handle.id} stays and goes on when one runs") from None
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


def with_kept(result: RunResult, adapters: Adapters) -> RunResult:
    """A run that was made before: what it left behind."""
    kept = kept_run(adapters, result.run_id) if result.status is RunStatus.ALREADY_RAN else None
    if kept is None:
        return result
    more = {
        "task_id": kept.report.task_id,
        "pull_request": kept.report.pull_request,
        "artifacts": adapters.store.address(result.run_id),
        "report": kept.page,
        "audit_head": kept.report.audit_head,
    }
    return result.model_copy(update=more)


def show_result(result: RunResult, status: Exit, as_json: bool, sentence: str = "") -> None:
    """The end of a run, for people or for programs; ``sentence``: what a person would say of it."""
    if as_json:
        emit(result)
        return
    ended = "still runs" if status is Exit.WAITING else f"ended {result.status}"
    show(f"{result.run_id or 'the run'} {ended}", "bold")
    if sentence:
        show(f"  {sentence}")
    if result.reason:
        show(f"  reason        {result.reason}")
    if result.outcome:
        show(f"  outcome       {result.outcome}")
    if result.pull_request:
        pull = result.pull_request
        show(f"  pull request  #{pull.number} {pull.branch} at {pull.head_sha[:12]}")
        show(f"                {pull.url}")
    if result.report:
        show(f"  report        {result.report}")


def show_verdicts(verdicts: dict[str, Verdict], *, full: bool) -> None:
    """Each by its name: in short, or with everything below it."""
    width = max(map(len, verdicts), default=0)
    for name, verdict in verdicts.items():
        if full:
            show(name, "bold")
            out.print(verdict_tree(verdict))
        else:
            out.print(short_verdict(name, verdict, width))


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
