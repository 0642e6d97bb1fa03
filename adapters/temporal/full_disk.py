"""An activity that met a full disk says so in its failure; it is retried as ever."""

from typing import Any

from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from ports.full_disk import named


class NamesFullDisk(Interceptor):
    """For every worker, by way of the project's plugin."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002  # the SDK's name
        """What stands around an activity."""
        return _Naming(next)


class _Naming(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        """Same failure, plain words."""
        try:
            return await super().execute_activity(input)
        except Exception as problem:
            said = named(problem)
            if said == str(problem):
                raise
            known = problem if isinstance(problem, ApplicationError) else None
            # The type is the one Temporal gives to the plain exception, so retry policies and readers see no other.
            raise ApplicationError(
                said,
                type=known.type if known else type(problem).__name__,
                non_retryable=known.non_retryable if known else False,
                next_retry_delay=known.next_retry_delay if known else None,
            ) from problem
