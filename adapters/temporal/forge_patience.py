"""A forge that limits the rate names the time: the next attempt of whatever activity met it begins no earlier.

One place for all activities. While it waits an activity holds no slot, and its schedule-to-close still ends it.
"""

from datetime import timedelta
from typing import Any

from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from ports.forge import ForgeError

_LONGEST = 3600.0
"""Seconds; no forge's window is longer, and a nonsensical answer must not stop a run for days."""


class ForgePatience(Interceptor):
    """For every worker, by way of the project's plugin."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002  # the SDK's name
        """What stands around an activity."""
        return _Patient(next)


class _Patient(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        """Hand the forge's own delay to Temporal's retry."""
        try:
            return await super().execute_activity(input)
        except ForgeError as error:
            if error.retry_after is None:
                raise
            delay = timedelta(seconds=min(_LONGEST, max(0.0, error.retry_after)))
            # The type is the one Temporal gives to the plain exception, so retry policies and readers see no other.
            raise ApplicationError(str(error), type="ForgeError", next_retry_delay=delay) from error
