"""The write side of the local forge: one JSON file per pull request or ticket, numbered by exclusive creation."""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from adapters.forges.http.ownership import headed, unheaded
from adapters.forges.local import last_number, read_records
from adapters.git.private import locked
from adapters.store.durable_files import sync_folder
from contracts.effect import Effect, EffectResult
from contracts.pull_request import PullRequest
from policies.digests import sha256_hex
from policies.texts.inert_markdown import inert_text


def open_record(folder: Path, effect: Effect, look_only: bool, obstacle: Callable[[], str]) -> EffectResult:
    """Adopt the record of this effect, or write it unless ``obstacle`` says why not."""
    with _lock(folder, look_only):
        key = effect.record_key or effect.run_key
        named = (key, effect.branch) if effect.branch else (key,)
        if found := _adopted(read_records(folder, *named), effect):
            return shown_record(found, adopted=True)
        if reason := obstacle():
            return EffectResult(done=False, refused=reason)
        if look_only:
            return EffectResult(done=False)
        return shown_record(_write(folder, effect, 1 + last_number(folder)), adopted=False)


def change_record(
    folder: Path, run_key: str, look_only: bool, *, head: str = "", unless_edited: str | None = None, **wanted: str
) -> EffectResult:
    """Give the record that was opened under ``run_key`` these fields; one that has them already is adopted.

    With ``head``, its own text stays behind that. With ``unless_edited``, so does a text that somebody wrote in, which
    takes that for its head, if it is not empty, instead of the new ``body``.
    """
    with _lock(folder, look_only):
        record = next((each for each in read_records(folder, run_key) if each.run_key == run_key), None)
        if record is None:
            return EffectResult(done=False, refused=f"no {folder.name.removesuffix('s')} was opened under {run_key}")
        seals = unless_edited is not None and "body" in wanted
        if seals and _edited(folder, record, wanted["body"]):
            seals, head = False, unless_edited or ""
            del wanted["body"]
        if head:
            wanted["body"] = headed(record.body, head)
        changed = PullRequest.model_validate(record.model_dump() | wanted)
        if changed == record:
            return shown_record(record, adopted=True)
        if look_only:
            return EffectResult(done=False)
        if seals:
            _seal(folder, record.number, wanted["body"])
        fresh = half_written(folder, changed.model_dump_json(indent=2).encode())
        fresh.replace(folder / f"{record.number}.json")
        sync_folder(folder)
        return shown_record(changed, adopted=False)


def shown_record(record: PullRequest, adopted: bool) -> EffectResult:
    """Done, and this is what the forge shows."""
    return EffectResult(done=True, adopted=adopted, result=str(record.number), pull_request=record)


def _lock(folder: Path, look_only: bool) -> AbstractContextManager[object]:
    # Looking must work where nothing can be written, not even a lock.
    return nullcontext() if look_only else locked(folder / ".lock")


def _adopted(records: tuple[PullRequest, ...], effect: Effect) -> PullRequest | None:
    mine = (record for record in records if record.run_key == (effect.record_key or effect.run_key))
    # The same head on the same branch is the same request, whoever opened it. A ticket has no branch.
    same = (
        record
        for record in records
        if effect.branch and (record.branch, record.head_sha) == (effect.branch, effect.head_sha)
    )
    return next(mine, None) or next(same, None)


def _write(folder: Path, effect: Effect, number: int) -> PullRequest:
    place = folder / f"{number}.json"
    record = PullRequest(
        number=number,
        branch=effect.branch,
        base_branch=effect.base_branch,
        head_sha=effect.head_sha,
        title=effect.title,
        body=headed(effect.body, inert_text(effect, effect.head)),
        state="open",
        url=place.as_uri(),
        run_key=effect.record_key or effect.run_key,
        task_id=effect.task_id,
    )
    _seal(folder, number, record.body)
    fresh = half_written(folder, record.model_dump_json(indent=2).encode())
    place.hardlink_to(fresh)
    fresh.unlink()
    sync_folder(folder)
    return PullRequest.model_validate_json(place.read_bytes())


def _seal(folder: Path, number: int, body: str) -> None:
    """Digests of the texts that we gave a record; written before it has the text, so that none is taken for edited."""
    with _sealed(folder, number).open("a") as file:
        file.write(f"{sha256_hex(body.encode())}\n")
        file.flush()
        os.fsync(file.fileno())


def _edited(folder: Path, record: PullRequest, wanted: str) -> bool:
    """Whether its text is none of ours, our head apart. Not knowing is yes."""
    try:
        ours = _sealed(folder, record.number).read_text().split()
    except FileNotFoundError:
        ours = []
    return wanted != record.body and sha256_hex(unheaded(record.body).encode()) not in ours


def _sealed(folder: Path, number: int) -> Path:
    return folder / f"{number}.written"


def half_written(folder: Path, body: bytes) -> Path:
    """The body in a synced file of the folder, to be linked or renamed to its name."""
    # One name for the half-written file: the lock is held, and a killed writer's is simply written over.
    fresh = folder / ".new"
    with fresh.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    return fresh
