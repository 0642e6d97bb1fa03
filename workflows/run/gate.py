"""The durable pause point every step and every write passes (P1)."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from contracts.admission import Order, OrderState
    from contracts.artifact import ArtifactRef
    from contracts.budget import FITS_THE_BUDGET
    from contracts.ci import LOOK_AGAIN
    from contracts.forge_facts import FORGE_RESTS
    from contracts.handover import RunRef
    from contracts.incident import RespondInput
    from contracts.modes import RunStatus
    from contracts.verdict import Verdict
    from workflows.epochs import is_newer
    from workflows.polling import waited


T = TypeVar("T")

WAITS, NEXT_LOOK = "waits for ", "; next look at "
"""How a run that waits says so, and what it says last."""
FIRST_REST = timedelta(seconds=10)
_LONGEST_REST = timedelta(minutes=10)
_FIRST_WAIT = timedelta(minutes=5)
_LONGEST_WAIT = timedelta(hours=1)


class RunStopped(Exception):
    """Raised inside a run to end it in order; never leaves ``DailyRun.run``."""

    def __init__(self, status: RunStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def held_too_long(held: Verdict) -> RunStopped:
    """Nobody mended the cause: a person must look; only a run without money just ends (runbook §6.4)."""
    status = RunStatus.PAUSED if held.rule == FITS_THE_BUDGET else RunStatus.ESCALATED
    return RunStopped(status, f"held too long: {held.reason}")


def awaited(status: RunStatus, reason: str) -> str:
    """What a run waits for, as long as that is the same; empty while it works."""
    waits = status in {RunStatus.HELD, RunStatus.WAITING} or reason.startswith(WAITS)
    return reason.partition(NEXT_LOOK)[0] if waits else ""


def advice(held: Verdict) -> str:
    """What a person may do about a held run."""
    cause = "nothing: it goes on by itself" if FORGE_RESTS in held.facts else "mend the cause"
    return f"{cause}, or end the run with `decide --reject`"


def rest(wanted: timedelta, held: Verdict) -> timedelta:
    """How long to wait before a held step is tried again, where ``wanted`` doubles with every try.

    A cause with a rhythm of its own (``LOOK_AGAIN``: the forge's CI) is not looked at less often than that, and a forge
    that limits the rate (``FORGE_RESTS``) not before the time that it named.
    """
    rests = held.facts.get(FORGE_RESTS)
    if isinstance(rests, int | float):
        return timedelta(seconds=max(rests, 1))
    rhythm = held.facts.get(LOOK_AGAIN)
    longest = timedelta(seconds=max(rhythm, 1)) if isinstance(rhythm, int | float) else _LONGEST_REST
    return min(wanted, longest)


class Gate:
    """Control's latest order, and what it means for whoever wants to go on."""

    def __init__(self) -> None:
        self.order: Order | None = None

    @property
    def reason(self) -> str:
        """Why the order is what it is."""
        return self.order.reason if self.order else ""

    @property
    def aborted(self) -> bool:
        """Whether the current step must be cancelled."""
        return self.order is not None and self.order.state is OrderState.ABORT

    @property
    def ended(self) -> RunStopped | None:
        """How the order ends the run, if it does."""
        state = self.order.state if self.order else None
        if state is OrderState.DRAIN:
            return RunStopped(RunStatus.PAUSED, self.reason)
        if state in {OrderState.ABORT, OrderState.CANCELLED}:
            return RunStopped(RunStatus.CANCELLED, self.reason)
        return None

    def news(self, seen: Order | None) -> Callable[[], bool]:
        """A condition: another order than ``seen`` has arrived."""
        return lambda: self.order is not seen

    def take(self, order: Order) -> None:
        """Keep the highest revision: orders may arrive out of order, even before the answer to ``admit``."""
        if self.order is None or is_newer(order.revision, self.order.revision, workflow.now()):
            self.order = order

    async def passed(
        self, show: Callable[[RunStatus, str], None], ask_again: Callable[[], Awaitable[Order | None]]
    ) -> None:
        """Return when the order is PROCEED; wait while it is HOLD or QUEUED.

        Args:
            show: told the status while waiting.
            ask_again: asks Control anew after a long wait; it may have been terminated and reborn without its
                books. None: it no longer knows this run.

        Raises:
            RunStopped: the order ends the run.
        """
        wait = _FIRST_WAIT
        while True:
            order = self.order
            state = OrderState.QUEUED if order is None else order.state
            if state is OrderState.PROCEED:
                show(RunStatus.RUNNING, "")
                return
            if self.ended is not None:
                raise self.ended
            show(RunStatus.QUEUED if state is OrderState.QUEUED else RunStatus.HELD, self.reason)
            if await waited(self.news(order), wait, "wait for Control's order"):
                continue
            fresh = await ask_again()
            if fresh is None:
                raise RunStopped(RunStatus.CANCELLED, "Control no longer knows this run")
            self.take(fresh)
            wait = min(2 * wait, _LONGEST_WAIT)

    async def abortable(self, work: Coroutine[Any, Any, T]) -> T:
        """Await a step; an abort cancels it and waits until its processes are gone."""
        task = asyncio.create_task(work)
        try:
            await workflow.wait_condition(lambda: task.done() or self.aborted)
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise
        if not task.done():
            task.cancel()
        try:
            return await task
        except (ActivityError, asyncio.CancelledError):
            if self.aborted:
                # However it ended: a worker that died under the abort leaves a timeout instead of a cancellation.
                raise RunStopped(RunStatus.CANCELLED, self.reason) from None
            raise


# What a run says when a verdict escalates (runbook §6.1).


def escalation(run: RunRef, verdict: Verdict, artifacts: tuple[ArtifactRef, ...]) -> RespondInput:
    """The input of the respond step, which tells by the rules what it is about."""
    return RespondInput(run=run, verdict=verdict, artifacts=artifacts)
