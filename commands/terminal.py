"""Where commands speak: results on stdout, everything else on stderr; how each ends; who is typing."""

import asyncio
import functools
import getpass
import json
import socket
import sys
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any, ParamSpec

import typer
from pydantic import BaseModel
from rich.console import Console
from rich.text import Text

from commands.exit_statuses import Exit
from commands.failures import CommandFailed, explain
from reporting.wording import visible

P = ParamSpec("P")

# Piped output is read by programs and pagers: not folded at the 80 columns of a terminal that is not there.
_WIDTH = None if sys.stdout.isatty() else 160
out = Console(highlight=False, width=_WIDTH)
err = Console(stderr=True, highlight=False)

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout, and nothing else there.")]


@dataclass
class Tracebacks:
    """Whether ``--debug`` was given."""

    wanted: bool = False


tracebacks = Tracebacks()


def show(text: str, style: str = "") -> None:
    """A line of the result."""
    _print(out, text, style)


def say(text: str, style: str = "") -> None:
    """A line beside the result: progress, advice, refusals."""
    _print(err, text, style)


def emit(value: BaseModel | dict[str, Any]) -> None:
    """The one JSON object of ``--json``."""
    plain = value.model_dump(mode="json", by_alias=True) if isinstance(value, BaseModel) else value
    sys.stdout.write(json.dumps(plain) + "\n")


def guarded(command: Callable[P, int | Coroutine[Any, Any, int]]) -> Callable[P, None]:
    """Run a command to its exit status; an expected failure is one sentence, never a traceback."""

    @functools.wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            begun = command(*args, **kwargs)
            status = begun if isinstance(begun, int) else asyncio.run(begun)
        except KeyboardInterrupt:
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
    """Goes into audit logs and pauses; a claim, not a proof (docs/operator-guide.md)."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):
        # A container's numeric user has no name.
        user = "unknown"
    return f"{user}@{socket.gethostname()}"
