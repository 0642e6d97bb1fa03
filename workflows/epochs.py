"""Epochs are only compared: the highest is the newest, whoever was terminated or reset in between (docs/adr/0005)."""

from __future__ import annotations

from datetime import datetime


def epoch_at(moment: datetime) -> int:
    """The epoch that is newer than anything before this moment, in milliseconds since 1970.

    Milliseconds, because epochs are counted up by one for each pause: counted in seconds, several pauses within one
    second would put an old epoch ahead of a newborn's clock.
    """
    return int(moment.timestamp() * 1000)
