"""Alerts on the worker's terminal, one line each."""

import sys

from rich.console import Console
from rich.text import Text

from contracts.alert import NEVER_SILENCED, Alert
from ports.alerts import ChannelFailed
from reporting.wording import visible


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
