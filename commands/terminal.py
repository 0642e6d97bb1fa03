"""Where commands speak: results on stdout, everything else on stderr; how each ends; who is typing."""

import asyncio
import functools
import getpass
import json
import re
import socket
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, ParamSpec

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.text import Text

from commands.exit_statuses import Exit
from commands.failures import CommandFailed, explain
from reporting.wording import visible

if TYPE_CHECKING:
    from contracts.control import Answer

P = ParamSpec("P")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([mhd])")
_LONGEST = timedelta(days=3660)
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}

# Piped output is read by programs and pagers: not folded at the 80 columns of a terminal that is not there.
_WIDTH = None if sys.stdout.isatty() else 160
out = Console(highlight=False, width=_WIDTH)
err = Console(stderr=True, highlight=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, and nothing else there.")]
DAY = ["%Y-%m-%d"]
"""How a day is written."""
TargetName = Annotated[str, typer.Argument(help="The target.")]
Detach = Annotated[bool, typer.Option("--detach", help="Start it and return at once.")]
Within = Annotated[
    float | None,
    typer.Option(
        "--timeout", min=0, help="Stop waiting after this many seconds; it goes on. Default: wait to its end."
    ),
]
Embedded = Annotated[
    bool, typer.Option("--embedded", help="Start server and worker inside this command if none is running.")
]


@dataclass
class Tracebacks:
    """Whether ``--debug`` was given."""

    wanted: bool = False


tracebacks = Tracebacks()


def show(text: str, style: str = "") -> None:
    """Print a line of the result on stdout."""
    _print(out, text, style)


def say(text: str, style: str = "") -> None:
    """Print a line on stderr: progress, advice or a refusal."""
    _print(err, text, style)


def emit(value: BaseModel | dict[str, Any]) -> None:
    """The one JSON object of ``--json``."""
    plain = value.model_dump(mode="json", by_alias=True) if isinstance(value, BaseModel) else value
    sys.stdout.write(json.dumps(plain) + "\n")


def answered(answer: "Answer", as_json: bool, text: str = "") -> int:
    """Show the answer to an operator's update; ``text``: in place of an accepted one's reason.

    Raises:
        CommandFailed: it was refused, and no program is reading.
    """
    if as_json:
        emit(answer)
        return Exit.OK if answer.accepted else Exit.REFUSED
    if not answer.accepted:
        raise CommandFailed(Exit.REFUSED, f"refused: {answer.verdict.reason}")
    show(text or f"accepted: {answer.verdict.reason}")
    return Exit.OK


def time_span(text: str) -> timedelta:
    """What ``--for`` says, for example ``30m``, ``1.5h`` or ``3d``.

    Raises:
        CommandFailed: it is no time span, or none at all.
    """
    match = _SPAN.fullmatch(text.strip().lower())
    try:
        span = timedelta(**{_UNITS[match[2]]: float(match[1])}) if match else timedelta()
    except OverflowError:
        span = timedelta.max
    if span > _LONGEST:
        raise CommandFailed(Exit.USAGE, f"--for {text!r} is too long")
    if not span:
        raise CommandFailed(Exit.USAGE, f"--for {text!r} is no time span: write 30m, 2h or 1d")
    return span


def guarded(command: Callable[P, int | Coroutine[Any, Any, int]]) -> Callable[P, None]:
    """Run a command and exit with its status; an expected failure prints one sentence, never a traceback."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            begun = command(*args, **kwargs)
            status = begun if isinstance(begun, int) else asyncio.run(begun)
        except KeyboardInterrupt:
            say("stopped waiting; what was started on a server goes on")
            raise typer.Exit(Exit.INTERRUPTED) from None
        except Exception as problem:
            if tracebacks.wanted and not isinstance(problem, CommandFailed):
                raise
            failure = explain(problem)
            say(str(failure), "red")
            if kwargs.get("as_json"):
                emit({"error": str(failure), "exitStatus": int(failure.status)})
            raise typer.Exit(failure.status) from None
        raise typer.Exit(int(status))

    return run


def _print(console: Console, text: str, style: str) -> None:
    # Never markup, never an obeyed control character: repositories choose much of what is printed.
    console.print(Text(visible(text), style=style), soft_wrap=True)


def operator_name() -> str:
    """The operator's name for audit logs and pauses: a claim, not a proof (docs/operator-guide.md)."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container's numeric user has no name.
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
