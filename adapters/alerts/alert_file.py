"""Alerts as lines of a file: the channel that needs nothing but a disk."""

import json
from datetime import UTC, datetime
from pathlib import Path

from adapters.store.durable_files import locked_lines
from contracts.alert import Alert
from ports.alerts import ChannelFailed


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
