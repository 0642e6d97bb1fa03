"""Reading a signal whose payload may be anything at all (P1)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic_core import from_json
from temporalio.common import RawValue

from contracts.control import PauseRecord, PauseRequest, read_review_date
from policies.counted import shortened

_SHOWN = 300
_KEPT = 1000
"""Characters of each field: books that cannot be handed on any more would wedge the brake."""


def is_pause(name: str) -> bool:
    """Whether a signal's name means pause; a person may have typed it."""
    return name.strip().lower() == "pause"


def read_pause(args: Sequence[RawValue], scope: Literal["target", "installation"], now: datetime) -> PauseRecord:
    """Take what can be understood and keep what cannot; the pause holds either way."""
    request, raw = PauseRequest(reason="(no readable reason)"), ""
    if args:
        data = args[0].payload.data
        raw = data[:_SHOWN].decode("utf-8", "backslashreplace")
        try:
            # Lenient on purpose: unknown keys are dropped, so that a typo never costs the reason or the style. Strict
            # about text only: half a surrogate pair could not be written down again, and Control would stop here.
            payload = from_json(data)
            known = {key: _short(value) for key, value in payload.items() if key in _KEYS}
            review = known.pop("reviewOn", known.pop("review_on", None))
            day = read_review_date(review)
            # A date that is none costs only itself, and is quoted.
            unread = raw if review is not None and day is None else ""
            request, raw = PauseRequest.model_validate(known | {"review_on": day}), unread
        except (ValueError, AttributeError, TypeError, RecursionError):
            if raw and raw != "null":
                request = PauseRequest(reason=f"(unreadable request) {raw}")
    return PauseRecord(
        scope=scope,
        style=request.style,
        reason=request.reason,
        actor=request.actor,
        at=now,
        epoch=0,
        review_on=request.review_on,
        raw=raw,
    )


def _short(value: object) -> object:
    return shortened(value, _KEPT) if isinstance(value, str) else value


_KEYS = frozenset({"style", "reason", "actor", "reviewOn", "review_on"})


def read_refresh(args: Sequence[RawValue]) -> str:
    """The target a refresh names, as text or as ``{"target": …}``; empty, which means all, for anything else."""
    if not args:
        return ""
    try:
        payload = from_json(args[0].payload.data)
    except (ValueError, RecursionError):
        return ""
    named = payload.get("target") if isinstance(payload, dict) else payload
    return named if isinstance(named, str) and len(named) <= _SHOWN else ""


def read_number(args: Sequence[RawValue]) -> int:
    """A whole number; 0 for anything else."""
    try:
        payload = from_json(args[0].payload.data)
    except (IndexError, ValueError, RecursionError):
        return 0
    return payload if isinstance(payload, int) else 0
