"""Asking a URL for the health of a commit."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True)
class UrlAnswer:
    """What a URL answered; no answer is a value, too."""

    status: int | None
    """HTTP status; None when there was no answer that HTTP knows."""
    detail: str


class UrlProbes(Protocol):
    """GET, without credentials, cookies or proxies."""

    def ask(self, url: str, seconds: float, alive: Callable[[], None]) -> UrlAnswer:
        """The status of one URL.

        A redirect is followed on the same host only; a body is read up to a size, and not looked at.

        Args:
            url: http or https.
            seconds: for everything together: names, connection, redirects, body.
            alive: called several times a second; an exception from it ends the asking and goes on up.
        """
