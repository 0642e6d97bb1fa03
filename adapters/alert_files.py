"""Alerts as lines of a file: the channel that needs nothing but a disk."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from adapters.durable_files import locked_lines
from ports.alerts import Alert


class AlertFile:
    """Appends each alert, with its time, as one durable line.

    A retry appends it again: readers recognise it by its fingerprint (at least once, P7).
    """

    def __init__(self, path: Path) -> None:
        self._path = path.absolute()

    def send(self, alert: Alert) -> None:
        """Deliver or raise ``OSError``."""
        # Escapes instead of raw characters: an alert may quote a file name that is not valid UTF-8.
        line = json.dumps({"at": datetime.now(UTC).isoformat(), **alert.model_dump(mode="json")})
        with locked_lines(self._path) as file:
            file.append((line.encode("ascii") + b"\n",))
