"""The reference of a run: as many steps that do nothing, and nothing else."""

from __future__ import annotations

from datetime import timedelta

from temporalio import activity, workflow

STEPS = 13


@activity.defn(name="nothing")
def nothing() -> None:
    """A step that does nothing."""


@workflow.defn(name="Raw")
class Raw:
    """One after the other."""

    @workflow.run
    async def run(self) -> None:
        """All of them."""
        for _ in range(STEPS):
            await workflow.execute_activity("nothing", start_to_close_timeout=timedelta(seconds=10))
