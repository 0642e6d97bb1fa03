"""Looks at the base, numbered and kept, for whoever follows a merge or restores one."""

from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.api import OBSERVE
    from contracts.handover import RunRef
    from contracts.merging import Health
    from contracts.rollback import EVERYTHING, Observation, ObserveInput

KEPT = 10


class Observations:
    """Counts looks, so that each keeps its evidence, and remembers the latest."""

    def __init__(self, run: RunRef, place: str, merge_sha: str) -> None:
        self.all: tuple[Observation, ...] = ()
        self.latest: tuple[Observation, ...] = ()
        self._request = ObserveInput(run=run, place=place, number=0, merge_sha=merge_sha)

    async def at(self, commit: str = "", within: timedelta | None = None) -> Observation:
        """One look; what could not be found out in all its time is an Observation, too, and says so."""
        number = self._request.number + 1
        self._request = self._request.model_copy(update={"number": number})
        request = self._request.model_copy(update={"commit": commit})
        try:
            seen = await OBSERVE(request, f"look {number} at {commit[:12] or 'the base'}", within)
        except ActivityError as failure:
            if is_cancelled_exception(failure):
                raise
            workflow.logger.warning("look %s: %s", number, failure.__cause__ or failure)
            seen = Observation(commit=commit, health=Health.UNKNOWN, unknown=(EVERYTHING,))
        self.all = (*self.all, seen.model_copy(update={"probes": (), "evidence": None}))
        self.latest = (*self.latest, seen)[-KEPT:]
        return seen
