"""The channels that need no service: lines of a file, and the worker's own terminal."""

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.text import Text

from adapters.store.durable_files import locked_lines
from contracts.alert import NEVER_SILENCED, Alert
from ports.alerts import ChannelFailed
from reporting.wording import visible


class AlertFile:
    """Appends each alert, with its time, as one durable line.

    A retry appends it again: readers recognise it by its fingerprint (at least once, P7).
    """

    name = "file"

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()

    def takes(self, _alert: Alert) -> bool:
        """The file keeps them all."""
        return True

    def send(self, alert: Alert) -> str:
        """Deliver or raise ``ChannelFailed`` (a full disk, a folder in the way): the file is then as it was before."""
        # Escapes instead of raw characters: an alert may quote a file name that is not valid UTF-8.
        line = json.dumps({"at": datetime.now(UTC).isoformat(), **alert.model_dump(mode="json")})
        try:
            with locked_lines(self._path) as file:
                file.append((line.encode("ascii") + b"\n",))
        except OSError as problem:
            raise ChannelFailed(f"{problem.strerror or problem}: {self._path}") from problem
        return self._path.name


class Terminal:
    """The worker's stderr, whatever that is: a person's screen, or a service's log."""

    name = "terminal"

    def takes(self, _alert: Alert) -> bool:
        """All of them."""
        return True

    def send(self, alert: Alert) -> str:
        """Print or raise ``ChannelFailed``."""
        style = "bold red" if alert.kind in NEVER_SILENCED else "yellow"
        line = Text(f"ALERT {alert.kind} ", style=style)
        # Never markup, never an obeyed control character: repositories choose much of what is said.
        line.append(visible(" ".join(f"{alert.target}: {alert.summary}".lstrip(": ").split())), style="")
        try:
            # A console of now: stderr may have been redirected since the worker began.
            Console(file=sys.stderr, highlight=False, soft_wrap=True).print(line)
        except (OSError, ValueError) as problem:
            raise ChannelFailed(f"the worker's stderr is gone: {problem}") from problem
        return ""
