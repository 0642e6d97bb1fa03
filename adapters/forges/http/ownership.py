"""The hidden lines of a text: which write opened a pull request or ticket (adoption looks for it, P7); our head."""

import hashlib
import re
from dataclasses import dataclass
from urllib.parse import quote, unquote

# A whole line: text in a code span or a table can never be one.
_MARK = re.compile(
    r"<!-- autonomy-runbook key=(?P<key>\S+)(?: task=(?P<task>\S+))?(?: text=(?P<text>[0-9a-f]{16}))? -->"
)

_HEAD = re.compile(
    r"<!-- autonomy-runbook head=(?P<digest>[0-9a-f]{16}) -->\n(?P<text>.*?)\n"
    r"<!-- autonomy-runbook end of head -->\n{0,2}",
    re.DOTALL,
)


@dataclass(frozen=True)
class Mark:
    """What the line says. It proves nothing by itself: whoever reads it also checks who wrote it."""

    run_key: str = ""
    task_id: str | None = None


def marked(body: str, run_key: str, task_id: str, *, sealed: bool = False) -> str:
    """The body with the line at its end; forges show nothing of it. ``sealed``: with a digest of the text."""
    task = f" task={_quoted(task_id)}" if task_id else ""
    seal = f" text={_digest(_lines(body).strip())}" if sealed else ""
    return f"{body.rstrip()}\n\n<!-- autonomy-runbook key={_quoted(run_key)}{task}{seal} -->\n"


def edited(body: str) -> bool:
    """Whether somebody wrote in a sealed text since, our head apart. Not knowing is yes: every word of it stays."""
    lines = unheaded(body).split("\n")
    marks = [(number, found) for number, line in enumerate(lines) if (found := _MARK.fullmatch(line.strip()))]
    if not marks:
        return True
    number, last = marks[-1]
    return last["text"] != _digest("\n".join(lines[:number] + lines[number + 1 :]).strip())


def headed(body: str, head: str) -> str:
    """The body with our block at its head, in place of an earlier one; without ``head``, the body itself.

    One that somebody wrote into is their text from then on: it stays, and ours stands above it.
    """
    if not head:
        return body
    text = head.strip()
    begins = f"<!-- autonomy-runbook head={_digest(text)} -->\n{text}\n<!-- autonomy-runbook end of head -->"
    return f"{begins}\n\n{unheaded(body)}"


def unheaded(body: str) -> str:
    """The body without our block."""
    return _HEAD.sub(_unless_changed, _lines(body))


def _lines(body: str) -> str:
    return body.replace("\r\n", "\n")


def _unless_changed(block: re.Match[str]) -> str:
    return "" if _digest(block["text"]) == block["digest"] else block.group()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def read_mark(body: str) -> Mark:
    """The last such line of a body; empty when there is none."""
    found = [match for line in body.splitlines() if (match := _MARK.fullmatch(line.strip()))]
    if not found:
        return Mark()
    return Mark(unquote(found[-1]["key"]), unquote(found[-1]["task"]) if found[-1]["task"] else None)


def _quoted(text: str) -> str:
    return quote(text, safe="/:").replace("--", "-%2D")
