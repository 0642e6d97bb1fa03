"""What is done to the failure of any activity, in one place: a full disk says so, a forge's own delay is kept to."""

from datetime import timedelta
from typing import Any

from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from ports.forge import ForgeError
from ports.full_disk import named

_LONGEST = 3600.0
"""Seconds; no forge's window is longer, and a nonsensical answer must not stop a run for days."""


class ForgePatience(Interceptor):
    """A forge that limits the rate names the time: the next attempt begins no earlier.

    While it waits an activity holds no slot, and its schedule-to-close still ends it.
    """

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


class NamesFullDisk(Interceptor):
    """An activity that met a full disk says so in its failure; it is retried as ever."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002  # the SDK's name
        """What stands around an activity."""
        return _Naming(next)


class _Naming(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        """Same failure, plain words."""
        try:
            return await super().execute_activity(input)
        except Exception as problem:
            message = named(problem)
            if message == str(problem):
                raise
            known = problem if isinstance(problem, ApplicationError) else None
            # The type is the one Temporal gives to the plain exception, so retry policies and readers see no other.
            raise ApplicationError(
                message,
                type=known.type if known else type(problem).__name__,
                non_retryable=known.non_retryable if known else False,
                next_retry_delay=known.next_retry_delay if known else None,
            ) from problem
