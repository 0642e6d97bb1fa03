"""``dashboards``: one ticket per target says how it stands, kept by edit. One per installation.

The handler is synchronous and issues no command. One loop looks at every target again and again, a few side by side;
each look is an activity with bounds of its own, so that a forge that is gone costs only its own target's look.
"""

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from pydantic import AwareDatetime
from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError

with workflow.unsafe.imports_passed_through():
    from activities.api import DASHBOARD_TERMS, SHOW_DASHBOARD
    from contracts.artifact import Book
    from contracts.dashboard import (
        DASHBOARD,
        DashboardLook,
        DashboardsView,
        DashboardTerms,
        DashboardTermsInput,
        ShowInput,
        Shown,
        ShownOutcome,
    )
    from policies.counted import counted, shortened
    from workflows import api
    from workflows.messages.signals import read_refresh


# Everything the Dashboards workflow knows, in one bounded model.


class DashboardsState(Book):
    """Handed on at continue-as-new."""

    terms: DashboardTerms = DashboardTerms()
    """The last that could be read."""
    looks: dict[str, DashboardLook] = {}
    """The latest look at each target."""
    next_at: AwareDatetime | None = None
    """When all are looked at again; None: at once."""

    def learn(self, terms: DashboardTerms) -> None:
        """Take over what the policy says; where it cannot be read, what it said last holds."""
        if terms.problem and not terms.targets:
            self.terms = self.terms.model_copy(update={"problem": terms.problem})
            return
        self.terms = terms
        self.looks = {name: look for name, look in self.looks.items() if name in terms.targets}

    def seen(self, target: str, shown: Shown, now: datetime) -> None:
        """Remember how a look ended."""
        before = self.looks.get(target)
        written = now if shown.outcome is ShownOutcome.WRITTEN else before.written_at if before else None
        self.looks[target] = DashboardLook(target=target, at=now, shown=shown, written_at=written)

    def view(self) -> DashboardsView:
        """For the query."""
        return DashboardsView(looks=tuple(self.looks.values()), terms=self.terms, next_at=self.next_at)

    def details(self) -> str:
        """Markdown for the Temporal UI."""
        lines = [
            f"every {counted(self.terms.every_minutes, 'minute')}, {counted(len(self.terms.targets), 'target')}",
            "",
        ]
        if self.terms.problem:
            lines += [f"the policy cannot be read: {self.terms.problem}", ""]
        lines += [
            f"- {name}: {look.shown.outcome} {look.shown.reason}".rstrip()
            for name, look in sorted(self.looks.items())[:50]
        ]
        return "\n".join(lines)


_SIDE_BY_SIDE = 3
"""Looks at one time: of a worker's activity slots the runs need the most."""
_EVERYTHING = ""
_SHOWN = 500


@workflow.defn(name=api.DASHBOARDS)
class Dashboards:
    """Looks at every target's ticket, and lets it be written where it does not say what is true."""

    @workflow.init
    def __init__(self, state: DashboardsState) -> None:
        self._state = state
        self._leaving = False
        self._asked: list[str] = []
        """Targets somebody wants to see now; an empty name means all."""

    @workflow.run
    async def run(self, state: DashboardsState) -> None:  # noqa: ARG002  # as `__init__`
        """Look until the history is long, then hand on what is known to a new run."""
        loop = asyncio.create_task(self._loop())
        while not self._long():
            try:
                await workflow.wait_condition(self._long)
            except asyncio.CancelledError:
                # The tickets would go on to say what is not true any more: it goes on.
                workflow.logger.warning("cancelled by hand; dashboards go on")
        self._leaving = True
        await loop
        if self._asked:
            # Asked between the last look and now: the next run begins with it.
            self._state.next_at = None
        workflow.continue_as_new(self._state)

    @workflow.signal(dynamic=True)
    def any_signal(self, name: str, args: Sequence[RawValue]) -> None:
        """``refresh`` with any payload: a target's name, or whatever else means all of them."""
        if name == api.REFRESH:
            self._asked.append(read_refresh(args))
        else:
            workflow.logger.warning("unknown signal ignored: %s", name[:80])

    @workflow.query(name=api.DASHBOARDS_VIEW, description="the latest look at each target's dashboard ticket")
    def dashboards(self) -> DashboardsView:
        """What ``starter.py dashboard`` asks."""
        return self._state.view()

    async def _loop(self) -> None:
        while not self._leaving:
            requested, self._asked = frozenset(self._asked), []
            due = self._state.next_at is None or self._state.next_at <= workflow.now()
            if due or requested:
                await self._look(frozenset({_EVERYTHING}) if due else requested)
            if due:
                self._state.next_at = workflow.now() + timedelta(minutes=self._state.terms.every_minutes)
            workflow.set_current_details(self._state.details())
            await self._wait()

    async def _wait(self) -> None:
        """Until all are due again, or somebody asks."""
        pause = (self._state.next_at or workflow.now()) - workflow.now()
        try:
            await workflow.wait_condition(
                lambda: self._leaving or bool(self._asked),
                timeout=max(pause, timedelta(milliseconds=1)),
                timeout_summary="until the next look at all dashboards",
            )
        except TimeoutError:
            return

    async def _look(self, request: frozenset[str]) -> None:
        """At all targets, or at those that were asked for by name."""
        try:
            self._state.learn(await DASHBOARD_TERMS(DashboardTermsInput(), "which targets have a dashboard"))
        except ActivityError as failure:
            # What was known last holds.
            workflow.logger.warning("terms: %s", failure)
        known = self._state.terms.targets
        # A name nobody knows was meant for something: all are looked at.
        targets = known if request.difference(known) else [name for name in known if name in request]
        waiting = iter(targets)
        await asyncio.gather(*(self._lane(waiting) for _ in range(min(_SIDE_BY_SIDE, len(targets)))))

    async def _lane(self, targets: Iterator[str]) -> None:
        for target in targets:
            # Of this look alone, and the same for every attempt of it.
            key = f"{DASHBOARD}/{workflow.now():%Y%m%dT%H%M%S.%fZ}"
            try:
                shown = await SHOW_DASHBOARD(ShowInput(target=target, key=key), f"dashboard of {target}")
            except ActivityError as failure:
                cause = failure.cause or failure
                shown = Shown(outcome=ShownOutcome.FAILED, reason=shortened(str(cause), _SHOWN))
            self._state.seen(target, shown, workflow.now())

    def _long(self) -> bool:
        return workflow.info().is_continue_as_new_suggested()
