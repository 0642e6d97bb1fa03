"""What is wrong with a policy file, one clear sentence each: file, line, key, nearest valid key."""

import json
from collections.abc import Iterator
from datetime import date, datetime, time
from difflib import get_close_matches
from enum import Enum
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from adapters.policy_files.policy_document import Key, PolicyDocument
from policies.settings.section import Section, nearest

S = TypeVar("S", bound=Section)


def check(document: PolicyDocument, model: type[S], complaints: list[str]) -> S | None:
    """Validate a document, or add a sentence for each thing wrong with it.

    Strict, through JSON: ``files = true`` or ``files = "8"`` must not quietly become a number.
    """
    try:
        return model.model_validate_json(json.dumps(document.content, default=_plain), strict=True)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            key = tuple(part for part in detail["loc"] if part != "[key]")
            complaints.append(f"{document.at(key)}: {dotted(key) or 'the file'}: {_sentence(detail, key, model)}")
        return None


def dotted(key: Key) -> str:
    """``checks[0].argv``."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in key).lstrip(".")


def _sentence(detail: ErrorDetails, key: Key, model: type[Section]) -> str:
    match detail["type"]:
        case "extra_forbidden":
            return f"unknown key; {_nearest_key(key, model)}"
        case "missing":
            return "must be set"
        case "enum" | "literal_error":
            return f"{detail['input']!r} is not valid; {_nearest_value(detail)}"
        case "string_pattern_mismatch":
            return f"{detail['input']!r} must match {detail['ctx']['pattern']}"
        case "string_too_short":
            return f"must have at least {detail['ctx']['min_length']} characters, found {detail['input']!r}"
        case _:
            wanted = detail["msg"].removeprefix("Input should be ")
            if wanted != detail["msg"]:
                wanted = wanted.replace("a valid array", 'a list, ["…"]')
                return f"must be {wanted}, found {detail['input']!r}"
            # A rule of ours over several values: its own words are enough.
            return detail["msg"].removeprefix("Value error, ")


def _nearest_key(key: Key, model: type[Section]) -> str:
    around = _model_at(model, key[:-1])
    siblings = list(around.model_fields) if around else []
    word = str(key[-1])
    elsewhere = [dotted(found) for found in _all_keys(model) if found[-1] == word]
    if elsewhere and not get_close_matches(word, siblings, n=1, cutoff=0.6):
        return f"did you mean {elsewhere[0]}?"
    return nearest(word, siblings)


def _nearest_value(detail: ErrorDetails) -> str:
    known = [word.strip(" '") for word in detail["ctx"]["expected"].replace(" or ", ",").split(",")]
    close = {word.lower(): word for word in known}
    found = get_close_matches(str(detail["input"]).lower(), list(close), n=1, cutoff=0.6)
    return f"did you mean {close[found[0]]}?" if found else f"known: {', '.join(known)}"


def _model_at(model: type[BaseModel], key: Key) -> type[BaseModel] | None:
    current: type[BaseModel] | None = model
    for part in key:
        if isinstance(part, int) or current is None:
            continue
        field = current.model_fields.get(part)
        if field is None:
            # A key of a table such as [roles.coding]: the table's model was reached one step before.
            continue
        current = _model_in(field.annotation)
    return current


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)


def _all_keys(model: type[BaseModel], above: Key = ()) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        yield (*above, name)
        if below := _model_in(field.annotation):
            yield from _all_keys(below, (*above, name))


def _plain(value: object) -> str:
    """TOML's own dates and times, as the strings JSON has for them."""
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} in TOML")


def shown(value: object) -> str:
    """A value as it would stand in the file."""
    return json.dumps(
        value, ensure_ascii=False, default=lambda other: other.value if isinstance(other, Enum) else str(other)
    )
