"""Malformed messages end at the sender (P14), and never in a handler: one exception there stops the whole workflow.

The converter lets ``null`` and a wrong number of arguments through to handlers. In Control that would fail its
workflow task again and again, and a Control that does not get on has no brake (P1).
"""

import re
from collections.abc import Sequence
from typing import Any, get_type_hints

from pydantic import ValidationError
from pydantic_core import ErrorDetails, from_json
from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import CompositePayloadConverter
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
_MODEL_SIGNALS = frozenset(
    {
        (api.CONTROL, api.INSTALLATION_NOTICE),
        (api.DAILY_RUN, api.ORDER),
        (api.SOURCE_EXPANSION, api.ORDER),
        (api.INCIDENT, api.ROLLED_BACK),
    }
)


_ENCODINGS = tuple(PydanticPayloadConverter().converters.values())
"""One set for all converters, since the SDK makes one for each activation: the schema of a type is worked out once."""


class AnsweringConverter(PydanticPayloadConverter):
    """Pydantic's; the sender of an update that it cannot decode hears why, and what to send.

    Everything else that cannot be decoded (a signal, a start, a result) goes on failing as the SDK has it.
    """

    def __init__(self) -> None:
        """With the shared encodings."""
        CompositePayloadConverter.__init__(self, *_ENCODINGS)

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


def _understood(request: HandleUpdateInput) -> None:
    if not _one_model(request.args):
        problem = many(len(request.args)) if len(request.args) != 1 else NO_OBJECT
        raise not_understood(request.update, problem, _taken_by(request.update))
    if len(request.args[0].model_dump_json()) > LARGEST:
        raise not_understood(request.update, f"it is larger than {LARGEST} bytes", _taken_by(request.update))


def _taken_by(update: str) -> type[Contract] | None:
    """What the handler of an update takes."""
    bound = workflow.get_update_handler(update)
    # The SDK binds a method by a partial, and an asynchronous one by a function that takes anything.
    methods = (getattr(workflow.instance(), name, None) for name in dir(type(workflow.instance())))
    declared = ((getattr(method, "_defn", None), method) for method in methods)
    handler = next(
        (method for definition, method in declared if getattr(definition, "name", None) == update),
        getattr(bound, "func", bound),
    )
    hints = {} if handler is None else get_type_hints(handler)
    return next((hint for name, hint in hints.items() if name != "return"), None)


def _one_model(args: Sequence[Any]) -> bool:
    return len(args) == 1 and isinstance(args[0], Contract)


# What is wrong with a message that cannot be read: one plain sentence that says what to send (P14).

_SHOWN = 3
_LONGEST_NAME = 60
_ENCODING = "encoding"
_JSON = "json/plain"
# By the first word of pydantic's name for what is wrong. Its own sentences are about "input", and about parsing.
_WANTED = {
    "int": "must be a whole number",
    "float": "must be a number",
    "bool": "must be true or false",
    "model": "must be an object",
    "dict": "must be an object",
    "list": "must be a list",
    "tuple": "must be a list",
    "datetime": "must be a time such as 2026-11-24T12:00:00Z",
    "timezone": "must be a time with its zone, such as 2026-11-24T12:00:00Z",
    "finite": "must be a finite number",
}
_KNOWN = {"missing": "is missing", "extra_forbidden": "is not known", "string_type": "must be text"}
_SUBJECT = re.compile(r"^\w+ should ")
_COUNT = re.compile(r" after validation, not \d+$")


def not_understood(update: str, problem: str, wanted: type[Contract] | None) -> ApplicationError:
    """What the sender of an update hears; ``problem`` completes "was not understood: …"."""
    send = f"send one JSON object{_fields(wanted)}"
    return ApplicationError(f"{update} was not understood: {problem}; {send}", type="Malformed", non_retryable=True)


def wrong_with(payloads: Sequence[Payload], wanted: type[Contract] | None) -> str:
    """Why these payloads are not one ``wanted``, as far as it can be told."""
    if len(payloads) != 1:
        return many(len(payloads))
    encoding = payloads[0].metadata.get(_ENCODING, b"").decode("ascii", "backslashreplace")
    if encoding != _JSON:
        return (
            f"it is encoded as {_named(encoding)}, not as {_JSON}"
            if encoding
            else f"it does not say that it is {_JSON}"
        )
    try:
        payload = from_json(payloads[0].data)
        if not isinstance(payload, dict):
            return NO_OBJECT
        if wanted is not None:
            wanted.model_validate_json(payloads[0].data)
    except ValidationError as problem:
        return complaints(problem)
    except (ValueError, RecursionError):
        return "it is not JSON"
    return "it cannot be read"


NO_OBJECT = "it is no JSON object"


def many(arguments: int) -> str:
    """For a message with no or too many arguments."""
    return f"it has {arguments} arguments instead of one" if arguments else "it came with nothing"


def complaints(problem: ValidationError) -> str:
    """``expectedEpoch is missing, force is not known``; what is one fault is said once."""
    found = list(dict.fromkeys(map(_complaint, problem.errors(include_url=False))))
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return ", ".join(found[:_SHOWN]) + more


def _complaint(detail: ErrorDetails) -> str:
    kind = detail["type"]
    where = ".".join(_named(str(part)) for part in detail["loc"]) or "it"
    plain = _KNOWN.get(kind) or _WANTED.get(kind.split("_", 1)[0])
    return f"{where} {plain or _COUNT.sub('', _own_words(detail['msg']))}"


def _own_words(report: str) -> str:
    """Pydantic's "Input should be 1 or 2" as "must be 1 or 2"; anything else behind a colon."""
    must = _SUBJECT.sub("must ", report, count=1)
    return must if must != report else f"is not right: {report}"


def _named(word: str) -> str:
    """A field's name as the sender wrote it, as long as it can be one."""
    return word if re.fullmatch(rf"[\w.@/-]{{1,{_LONGEST_NAME}}}", word) else ascii(word[:_LONGEST_NAME])


def _fields(wanted: type[Contract] | None) -> str:
    if wanted is None:
        return ""
    fields = {field.alias or name: field for name, field in wanted.model_fields.items()}
    needed = [name for name, field in fields.items() if field.is_required()]
    optional = [name for name, field in fields.items() if not field.is_required()]
    also = f"{' and' if needed else ''} optionally {', '.join(optional)}" if optional else ""
    return f" with {', '.join(needed)}{also}".replace("  ", " ")
