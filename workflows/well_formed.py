"""Malformed messages end at the sender (P14), and never in a handler: one exception there stops the whole workflow.

The converter lets ``null`` and a wrong number of arguments through to handlers. In Control that would fail its
workflow task again and again, and a Control that does not get on has no brake (P1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError
from temporalio.worker import (
    HandleSignalInput,
    HandleUpdateInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from contracts.artifact import Contract
from workflows import api

LARGEST = 64 * 1024
"""Bytes of one message as JSON: what handlers keep of it must go through continue-as-new."""

# All other signals are read raw, by handlers that take anything.
_MODEL_SIGNALS = frozenset({(api.CONTROL, api.INSTALLATION_NOTICE), (api.DAILY_RUN, api.ORDER)})


class WellFormedMessages(Interceptor):
    """For every worker and replayer, by way of the project's plugin."""

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002  # the SDK's name
    ) -> type[WorkflowInboundInterceptor]:
        """What stands before the handlers."""
        del input
        return _Inbound


class _Inbound(WorkflowInboundInterceptor):
    async def handle_signal(self, input: HandleSignalInput) -> None:  # noqa: A002
        """Drop what a handler could not take, as the SDK drops what it cannot decode."""
        kind = (workflow.info().workflow_type, input.signal)
        if kind in _MODEL_SIGNALS and not _one_model(input.args):
            workflow.logger.warning("malformed signal %s ignored", input.signal)
            return
        await super().handle_signal(input)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:  # noqa: A002
        """Answer with an error what a handler could not take."""
        if not _one_model(input.args) or len(input.args[0].model_dump_json()) > LARGEST:
            raise ApplicationError(
                f"update {input.update} takes one JSON object of at most {LARGEST} bytes; see docs/operator-guide.md",
                type="Malformed",
                non_retryable=True,
            )
        return await super().handle_update_handler(input)


def _one_model(args: Sequence[Any]) -> bool:
    return len(args) == 1 and isinstance(args[0], Contract)
