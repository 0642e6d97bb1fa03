"""The local forge's tickets: records as of pull requests, and ``index.md`` for people."""

from pathlib import Path

from adapters.effects.local_records import change_record, half_written, open_record
from adapters.forges.local import read_records
from adapters.git.private import locked
from adapters.store.durable_files import sync_folder
from contracts.effect import Effect, EffectResult
from contracts.modes import WriteAction
from policies.texts.inert_markdown import inert_text

INDEX = "index.md"


def write_ticket(folder: Path, effect: Effect, look_only: bool) -> EffectResult:
    """Open, update or close one ticket, or adopt what an earlier attempt did."""
    result = _write(folder, effect, look_only)
    _show(folder, look_only)
    return result


def _write(folder: Path, effect: Effect, look_only: bool) -> EffectResult:
    key, head = effect.record_key or effect.run_key, inert_text(effect, effect.head)
    if effect.action is WriteAction.CLOSE_TICKET:
        opened = effect.record_key or ticket_of(effect.run_id)
        return change_record(folder, opened, look_only, head=head, state="closed")
    if effect.action is WriteAction.UPDATE_TICKET and head:
        return change_record(folder, key, look_only, head=head)
    if effect.action is WriteAction.UPDATE_TICKET and any(each.run_key == key for each in read_records(folder, key)):
        return change_record(folder, key, look_only, title=effect.title, body=effect.body)
    if effect.action not in {WriteAction.OPEN_TICKET, WriteAction.UPDATE_TICKET}:
        return EffectResult(done=False, refused=f"{effect.action.value} is no write of a ticket")
    return open_record(folder, effect, look_only, str)


def ticket_of(run_id: str) -> str:
    """The key under which a run's or incident's own ticket is opened."""
    return f"{run_id}/{WriteAction.OPEN_TICKET}"


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
