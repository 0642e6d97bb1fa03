"""Malformed messages end at the sender (P14), and never in a handler: one exception there stops the whole workflow.

The converter lets ``null`` and a wrong number of arguments through to handlers. In Control that would fail its
workflow task again and again, and a Control that does not get on has no brake (P1).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_type_hints

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.worker import (
    HandleSignalInput,
    HandleUpdateInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from contracts.artifact import Contract
from workflows import api
from workflows.misread import NO_OBJECT, many, not_understood, wrong_with

LARGEST = 64 * 1024
"""Bytes of one message as JSON: what handlers keep of it must go through continue-as-new."""

# All other signals are read raw, by handlers that take anything.
_MODEL_SIGNALS = frozenset(
    {(api.CONTROL, api.INSTALLATION_NOTICE), (api.DAILY_RUN, api.ORDER), (api.INCIDENT, api.ROLLED_BACK)}
)


class AnsweringConverter(PydanticPayloadConverter):
    """Pydantic's; the sender of an update that it cannot decode hears why, and what to send.

    Everything else that cannot be decoded (a signal, a start, a result) goes on failing as the SDK has it.
    """

    def from_payloads(self, payloads: Sequence[Payload], type_hints: list[type] | None = None) -> list[Any]:
        """As the SDK's.

        Raises:
            ApplicationError: an update that is malformed; the SDK hands it to the sender as it is.
        """
        try:
            return super().from_payloads(payloads, type_hints)
        except Exception:
            update = workflow.current_update_info() if workflow.in_workflow() else None
            if update is None:
                raise
            wanted = _taken_by(update.name)
            raise not_understood(update.name, wrong_with(payloads, wanted), wanted) from None


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

    def handle_update_validator(self, input: HandleUpdateInput) -> None:  # noqa: A002
        """Keep out of the history what a handler could not take, where the update has a validator."""
        _understood(input)
        super().handle_update_validator(input)

    async def handle_update_handler(self, input: HandleUpdateInput) -> Any:  # noqa: A002
        """Answer with an error what a handler could not take."""
        _understood(input)
        return await super().handle_update_handler(input)


def _understood(given: HandleUpdateInput) -> None:
    if not _one_model(given.args):
        problem = many(len(given.args)) if len(given.args) != 1 else NO_OBJECT
        raise not_understood(given.update, problem, _taken_by(given.update))
    if len(given.args[0].model_dump_json()) > LARGEST:
        raise not_understood(given.update, f"it is larger than {LARGEST} bytes", _taken_by(given.update))


def _taken_by(update: str) -> type[Contract] | None:
    """What the handler of an update takes."""
    bound = workflow.get_update_handler(update)
    # The SDK binds a method by a partial, and an asynchronous one by a function that takes anything.
    methods = (getattr(workflow.instance(), name, None) for name in dir(type(workflow.instance())))
    declared = ((getattr(method, "_defn", None), method) for method in methods)
    handler = next(
        (method for said, method in declared if getattr(said, "name", None) == update), getattr(bound, "func", bound)
    )
    hints = {} if handler is None else get_type_hints(handler)
    return next((hint for name, hint in hints.items() if name != "return"), None)


def _one_model(args: Sequence[Any]) -> bool:
    return len(args) == 1 and isinstance(args[0], Contract)
