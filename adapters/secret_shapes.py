"""What a secret looks like: a review refuses it, a transcript is kept without it."""

import re

SECRETS = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{30,}|\bxox[abprs]-[\w-]{10,}"
    r"|\bsk-[\w-]{20,}|(?i:password|passwd|secret|token|api_?key)\s*[=:]\s*[\"'](?P<literal>[^\"'\s]{8,})[\"']"
)
_REST_OF_KEY = re.compile(r"(?<=PRIVATE KEY)-----.*?(?:-----END[A-Z ]*|\Z)", re.DOTALL)
_BLANK = "[secret]"


def blanked(text: str, known: str) -> str:
    """A text without one known secret, and without what looks like another."""
    if known:
        text = text.replace(known, _BLANK)
    return SECRETS.sub(_blank, _REST_OF_KEY.sub(_BLANK, text))


def _blank(found: re.Match[str]) -> str:
    literal = found["literal"]
    return found[0].replace(literal, _BLANK) if literal else _BLANK
