"""The hidden line that says which write opened a pull request or a ticket: adoption looks for it (P7)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar
from urllib.parse import quote, unquote

# A whole line: text in a code span or a table can never be one.
_MARK = re.compile(r"<!-- autonomy-runbook key=(?P<key>\S+)(?: task=(?P<task>\S+))? -->")


@dataclass(frozen=True)
class Mark:
    """What the line says. It proves nothing by itself: whoever reads it also checks who wrote it."""

    run_key: str = ""
    task_id: str | None = None


def marked(body: str, run_key: str, task_id: str) -> str:
    """The body with the line at its end; forges show nothing of it."""
    task = f" task={_quoted(task_id)}" if task_id else ""
    return f"{body.rstrip()}\n\n<!-- autonomy-runbook key={_quoted(run_key)}{task} -->\n"


def read_mark(body: str) -> Mark:
    """The last such line of a body; empty when there is none."""
    found = [match for line in body.splitlines() if (match := _MARK.fullmatch(line.strip()))]
    if not found:
        return Mark()
    return Mark(unquote(found[-1]["key"]), unquote(found[-1]["task"]) if found[-1]["task"] else None)


class Marked(Protocol):
    """A pull request or a ticket."""

    @property
    def body(self) -> str | None:
        """Its text."""


class _Numbered(Marked, Protocol):
    @property
    def number(self) -> int:
        """As the forge counts."""


Found = TypeVar("Found", bound=Marked)
Numbered = TypeVar("Numbered", bound=_Numbered)


def opened_under(run_key: str, newest_first: Iterable[Found]) -> Found | None:
    """The one this run key opened: the oldest, should there be more."""
    marks = [each for each in newest_first if read_mark(each.body or "").run_key == run_key]
    return marks[-1] if marks else None


def unmarked(number: int, ours: Iterable[Numbered]) -> Numbered | None:
    """The one of this number, if nothing says which write it was: somebody took the line away. 0: none."""
    return next(
        (each for each in ours if number and each.number == number and not read_mark(each.body or "").run_key), None
    )


def _quoted(text: str) -> str:
    return quote(text, safe="/:").replace("--", "-%2D")
