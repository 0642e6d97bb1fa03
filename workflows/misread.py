"""What is wrong with a message that cannot be read: one plain sentence that says what to send (P14)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pydantic import ValidationError
from pydantic_core import ErrorDetails, from_json
from temporalio.api.common.v1 import Payload
from temporalio.exceptions import ApplicationError

from contracts.artifact import Contract

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
        given = from_json(payloads[0].data)
        if not isinstance(given, dict):
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


def _own_words(said: str) -> str:
    """Pydantic's "Input should be 1 or 2" as "must be 1 or 2"; anything else behind a colon."""
    must = _SUBJECT.sub("must ", said, count=1)
    return must if must != said else f"is not right: {said}"


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
