"""The local forge's tickets: records as of pull requests, and ``index.md`` for people."""

from __future__ import annotations

from pathlib import Path

from adapters.durable_files import sync_folder
from adapters.effects.local_records import half_written, open_record
from adapters.git.private import locked
from adapters.local_forge import read_records
from contracts.effect import Effect, EffectResult
from contracts.modes import WriteAction

INDEX = "index.md"


def open_ticket(folder: Path, effect: Effect, look_only: bool) -> EffectResult:
    """Adopt the ticket of this effect, or write it."""
    result = open_record(folder, effect, look_only, str)
    _show(folder, look_only)
    return result


def close_ticket(folder: Path, effect: Effect, look_only: bool) -> EffectResult:
    """Set the ticket that this effect's owner opened to closed; one that is closed already is adopted."""
    opened = f"{effect.run_id}/{WriteAction.OPEN_TICKET}"
    if look_only:
        return _close(folder, opened, look_only)
    with locked(folder / ".lock"):
        result = _close(folder, opened, look_only)
    _show(folder, look_only)
    return result


def _close(folder: Path, opened: str, look_only: bool) -> EffectResult:
    record = next((each for each in read_records(folder) if each.run_key == opened), None)
    if record is None:
        return EffectResult(done=False, refused=f"no ticket was opened under {opened}")
    if record.state == "closed":
        return EffectResult(done=True, adopted=True, result=str(record.number))
    if look_only:
        return EffectResult(done=False)
    closed = record.model_copy(update={"state": "closed"})
    fresh = half_written(folder, closed.model_dump_json(indent=2).encode())
    fresh.replace(folder / f"{record.number}.json")
    sync_folder(folder)
    return EffectResult(done=True, result=str(record.number))


def _show(folder: Path, look_only: bool) -> None:
    """Write the index anew: an attempt that adopts a ticket finishes what a killed one did not get to."""
    if look_only:
        return
    with locked(folder / ".lock"):
        lines = ["# Tickets", "", "| number | state | title |", "|---|---|---|"]
        for record in read_records(folder):
            title = record.title.replace("|", "\\|").replace("\n", " ")
            lines.append(f"| [{record.number}]({record.number}.json) | {record.state} | {title} |")
        half_written(folder, "\n".join([*lines, ""]).encode()).replace(folder / INDEX)
        sync_folder(folder)
