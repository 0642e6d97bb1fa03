"""How long a forge says to wait: its own word for a rate limit, primary or secondary."""

import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus

# What GitHub tells clients to wait after a secondary limit that names no time.
_UNNAMED = 60.0
_WHOLE = re.compile(r"[0-9]{1,12}")
_LIMITING = frozenset({HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
# GitHub's words, older Enterprise Servers' included.
_WORDS = re.compile(r"rate limit|abuse detection|submitted too quickly", re.IGNORECASE)
# Those of its limit on what is opened, which it calls invalid.
_TOO_QUICK = "submitted too quickly"


def server_delay(status: int, headers: Mapping[str, str], message: str) -> float | None:
    """Seconds after which to ask again; None when the answer is no rate limit, or names no time.

    A 403 is a refusal unless its headers or words say that it is a limit.
    """
    if status == HTTPStatus.UNPROCESSABLE_ENTITY and _TOO_QUICK in message:
        return _UNNAMED
    if status not in _LIMITING:
        return None
    if (named := _retry_after(headers.get("Retry-After", ""))) is not None:
        return named
    reset = headers.get("X-RateLimit-Reset", "")
    if headers.get("X-RateLimit-Remaining", "") == "0" and _WHOLE.fullmatch(reset):
        # One second more: the reset is told in whole ones.
        return max(0.0, float(reset) - time.time()) + 1.0
    return _UNNAMED if _WORDS.search(message) else None


def _retry_after(text: str) -> float | None:
    if _WHOLE.fullmatch(text):
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None
