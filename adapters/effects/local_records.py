"""The local forge's records: one JSON file per pull request or ticket, numbered by exclusive creation.

``opened.jsonl`` beside them names what each was opened for, a line a record: found without opening ten thousand files.
It is brought up to date under the lock of whoever opens the next one, and what it lacks is looked at itself.
"""

import json
import os
import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

from pydantic import ValidationError

from adapters.forges.http.ownership import headed, unheaded
from adapters.git.private import locked
from adapters.store.durable_files import locked_lines, sync_folder
from contracts.effect import Effect, EffectResult
from contracts.forge_facts import PullComment
from contracts.pull_request import PullRequest
from policies.digests import sha256_hex
from policies.texts.inert_markdown import inert_text
from ports.forge import ForgeError

RECORD = re.compile(r"([1-9][0-9]*)\.json")
_OPENED = "opened.jsonl"


def comments_file(pulls: Path, number: int) -> Path:
    """What is said below a pull request, a line each."""
    return pulls / f"{number}.comments.jsonl"


def read_comments(pulls: Path, number: int) -> tuple[PullComment, ...]:
    """The same as values, oldest first.

    Raises:
        ForgeError: a line is damaged.
    """
    try:
        lines = comments_file(pulls, number).read_bytes().splitlines()
        return tuple(PullComment.model_validate_json(line) for line in lines)
    except FileNotFoundError:
        return ()
    except (OSError, ValidationError) as error:
        raise ForgeError(f"what is said below pull request {number} cannot be read: {error}") from error


def read_record(folder: Path, number: int, *names: str) -> PullRequest | None:
    """The record of this number; None: there is none, or it holds none of ``names``, where some are given.

    Raises:
        ForgeError: it is damaged.
    """
    try:
        body = (folder / f"{number}.json").read_bytes()
        here = not names or any(_quoted(name) in body for name in names)
        return PullRequest.model_validate_json(body) if here else None
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise ForgeError(f"a record in {folder} cannot be read: {error}") from error


def _quoted(name: str) -> bytes:
    return json.dumps(name, ensure_ascii=False).encode()


def read_records(folder: Path, *names: str) -> tuple[PullRequest, ...]:
    """Records of a folder as they were written, newest first; with ``names``, those opened for one of them.

    A name is a run key, a branch or a commit.

    Raises:
        ForgeError: a record is damaged.
    """
    numbers = record_numbers(folder)
    wanted = _opened_for(folder, numbers, names) if names else numbers
    found = (read_record(folder, number, *names) for number in sorted(wanted, reverse=True))
    return tuple(record for record in found if record and (not names or set(names) & set(_names(record))))


def record_numbers(folder: Path) -> frozenset[int]:
    """Of every record that is there."""
    try:
        return frozenset(int(found[1]) for name in os.listdir(folder) if (found := RECORD.fullmatch(name)))  # noqa: PTH208
    except FileNotFoundError:
        return frozenset()


def _names(record: PullRequest) -> tuple[str, ...]:
    """What a record was opened for; no update changes it."""
    return record.run_key, record.branch, record.head_sha


def _listed(folder: Path) -> bytes:
    try:
        return (folder / _OPENED).read_bytes()
    except FileNotFoundError:
        return b""


def _unlisted(listed: bytes, numbers: frozenset[int]) -> frozenset[int]:
    """Records that the list does not name; all of them where it cannot be read."""
    lines = listed.splitlines()
    if not listed.endswith(b"\n") and lines:
        lines.pop()  # torn: of a writer that was killed
    try:
        return numbers.difference(int(line.partition(b" ")[0]) for line in lines)
    except ValueError:
        return numbers


def _opened_for(folder: Path, numbers: frozenset[int], names: Iterable[str]) -> frozenset[int]:
    listed = _listed(folder)
    found = set(_unlisted(listed, numbers))
    for name in names:
        needle, at = _quoted(name), -1
        while (at := listed.find(needle, at + 1)) >= 0:
            begins = listed.rfind(b"\n", 0, at) + 1
            number = listed[begins : listed.index(b" ", begins)]
            found |= {int(number)} & numbers if number.isdigit() else numbers
    return frozenset(found)


def _list(folder: Path, numbers: frozenset[int]) -> None:
    """Name in the list what it lacks; the lock is held."""
    if not (missing := _unlisted(_listed(folder), numbers)):
        return
    lines: list[bytes] = []
    for number in sorted(missing):
        # One that is damaged stays unlisted: it is looked at each time.
        with suppress(ForgeError):
            if record := read_record(folder, number):
                lines.append(f"{number} {json.dumps(_names(record), ensure_ascii=False)}\n".encode())
    if missing == numbers:
        (folder / _OPENED).unlink(missing_ok=True)
    if lines:
        with locked_lines(folder / _OPENED) as listed:
            listed.append(lines)


def open_record(folder: Path, effect: Effect, look_only: bool, obstacle: Callable[[], str]) -> EffectResult:
    """Adopt the record of this effect, or write it unless ``obstacle`` says why not."""
    with _lock(folder, look_only):
        key = effect.record_key or effect.run_key
        named = (key, effect.branch) if effect.branch else (key,)
        numbers = record_numbers(folder)
        if not look_only:
            _list(folder, numbers)
        if found := _adopted(read_records(folder, *named), effect):
            return shown_record(found, adopted=True)
        if reason := obstacle():
            return EffectResult(done=False, refused=reason)
        if look_only:
            return EffectResult(done=False)
        return shown_record(_write(folder, effect, 1 + max(numbers, default=0)), adopted=False)


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
