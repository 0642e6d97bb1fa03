"""One activity's typed face."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar

from temporalio import workflow
from temporalio.common import RetryPolicy

from contracts.artifact import Contract

FATAL_ERRORS = ("UnknownTarget", "AgentOutputInvalid", "ArtifactDamaged")
"""Application error types that no retry can mend."""

Given = TypeVar("Given", bound=Contract)
Result = TypeVar("Result", bound=Contract)


@dataclass(frozen=True)
class Step(Generic[Given, Result]):
    """One activity: its registered name, its types, how long it may take, how often it is retried."""

    name: str
    result: type[Result]
    start_to_close: timedelta
    attempts: int
    """0: until ``patience`` is over."""
    patience: timedelta
    """Schedule-to-close: all attempts together."""
    heartbeat: timedelta | None = timedelta(seconds=4)
    """Without a beat (one a second) for so long, its worker counts as dead; a second later it is tried again."""
    queue: str | None = None
    """The task queue; None: the workflow's own."""

    async def __call__(self, given: Given, summary: str, within: timedelta | None = None) -> Result:
        """Run the step from a workflow; ``within``: give up sooner than its patience says.

        Cancellation waits for the activity to end: a repair must never race a dying write.
        """
        result: Result = await workflow.execute_activity(
            self.name,
            given,
            task_queue=self.queue,
            result_type=self.result,
            start_to_close_timeout=self.start_to_close,
            schedule_to_close_timeout=min(self.patience, within) if within else self.patience,
            heartbeat_timeout=self.heartbeat,
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            retry_policy=RetryPolicy(
                initial_interval=timedelta(seconds=1),
                maximum_interval=timedelta(seconds=30),
                maximum_attempts=self.attempts,
                non_retryable_error_types=FATAL_ERRORS,
            ),
            summary=summary,
        )
        return result
