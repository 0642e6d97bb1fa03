"""The embedded forge, read: a bare repository, and pull requests and tickets as JSON files beside it."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from adapters.git.mirror import Mirror, open_mirror
from contracts.forge_facts import BranchProtection, CheckState, CommitCheck, HumanAct, PullComment
from contracts.pull_request import PullRequest
from ports.forge import ForgeError, OpenForge
from ports.repository import RepositoryError

if TYPE_CHECKING:  # a child that writes starts at every effect: what it does not read, it does not import
    from policies.settings.schema import Target

_RECORD = re.compile(r"[1-9][0-9]*\.json")


def forge_folder(home: Path, target: str) -> Path:
    """Where a target's pull requests and tickets are kept."""
    return home / "forge" / target


def acts_file(folder: Path, number: int) -> Path:
    """What people did with a pull request by `starter.py pr`, a line each."""
    return folder / "pulls" / f"{number}.acts.jsonl"


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


def read_records(folder: Path, *names: str) -> tuple[PullRequest, ...]:
    """Records of a folder as they were written, newest first; with ``names``, at least those that hold one of them.

    A file is parsed once by a process, for as long as it is the same file: a folder only ever grows. ``names`` spare a
    process that has read none: a run key, a branch, a commit.

    Raises:
        ForgeError: a record is damaged.
    """
    needles = [json.dumps(name, ensure_ascii=False).encode() for name in names]
    try:
        with os.scandir(folder) as found:
            files = [file for file in found if _RECORD.fullmatch(file.name)]
        records = [_record(file, needles) for file in files]
    except FileNotFoundError:
        return ()
    except (OSError, ValidationError) as error:
        raise ForgeError(f"a record in {folder} cannot be read: {error}") from error
    return tuple(sorted(filter(None, records), key=lambda record: record.number, reverse=True))


def _numbered(folder: Path, numbers: Iterable[int]) -> tuple[PullRequest, ...]:
    """The records of these numbers that are there, in this order.

    Raises:
        ForgeError: a record is damaged.
    """
    try:
        bodies = [place.read_bytes() for place in (folder / f"{number}.json" for number in numbers) if place.exists()]
        return tuple(map(PullRequest.model_validate_json, bodies))
    except (OSError, ValidationError) as error:
        raise ForgeError(f"a record in {folder} cannot be read: {error}") from error


def last_number(folder: Path) -> int:
    """The highest number that a record has; 0 without one."""
    names = (place.name for place in folder.iterdir()) if folder.is_dir() else ()
    return max((int(name.removesuffix(".json")) for name in names if _RECORD.fullmatch(name)), default=0)


_parsed: dict[str, tuple[tuple[int, int, int], PullRequest]] = {}
_REMEMBERED = 50_000


def _record(file: os.DirEntry[str], needles: list[bytes]) -> PullRequest | None:
    status = file.stat()
    # A record is replaced, never written in: another one is another file.
    identity = (status.st_ino, status.st_mtime_ns, status.st_size)
    known = _parsed.get(file.path)
    if known and known[0] == identity:
        return known[1]
    body = Path(file).read_bytes()
    if needles and not any(needle in body for needle in needles):
        return None
    record = PullRequest.model_validate_json(body)
    if len(_parsed) >= _REMEMBERED:
        _parsed.clear()
    _parsed[file.path] = (identity, record)
    return record


class LocalForge:
    """ports.forge.Forge over a bare repository, which knows no pull requests of its own.

    Their state is read off the branches: merged when the base holds the head, closed when the branch is gone
    without that (so a person closes one by deleting its branch) or when we closed it, open otherwise.
    """

    def __init__(self, folder: Path, mirror: Mirror, base_branch: str) -> None:
        """``folder`` holds the records; ``mirror`` reaches the remote."""
        self._folder = folder
        self._mirror = mirror
        self._base_branch = base_branch

    def branch_head(self, branch: str) -> str | None:
        """Where the remote branch points now."""
        return self._heads().get(branch)

    def base_holds(self, commit: str) -> bool:
        """Whether the history of the remote's base branch holds the commit now."""
        return bool(self._held(frozenset({commit}), self._heads().get(self._base_branch)))

    def find_pull_request(self, run_key: str) -> PullRequest | None:
        """The pull request this run key opened."""
        records = read_records(self._folder / "pulls", run_key)
        return next(iter(self._in_state([record for record in records if record.run_key == run_key])), None)

    def pull_requests(self) -> tuple[PullRequest, ...]:
        """Every pull request, newest first, each in its present state."""
        return self._in_state(read_records(self._folder / "pulls"))

    def pull_request(self, number: int) -> PullRequest | None:
        """The one of this number."""
        return next(iter(self._in_state(_numbered(self._folder / "pulls", (number,)))), None)

    def newest(self, count: int) -> tuple[PullRequest, ...]:
        """The newest so many; no other record is opened."""
        pulls = self._folder / "pulls"
        last = last_number(pulls)
        return self._in_state(_numbered(pulls, range(last, max(0, last - count), -1)))

    def open_ones(self) -> tuple[PullRequest, ...]:
        """Those that wait for somebody, newest first; a record is parsed only if it names a branch that is there."""
        heads = self._heads()
        records = read_records(self._folder / "pulls", *(head for head in heads if head != self._base_branch))
        there = [record for record in records if record.state == "open" and record.branch in heads]
        return tuple(pull for pull in self._in_state(there) if pull.state == "open")

    def _in_state(self, records: Sequence[PullRequest]) -> tuple[PullRequest, ...]:
        if not records:
            return ()
        heads = self._heads()
        merged = self._held(frozenset(record.head_sha for record in records), heads.get(self._base_branch))
        return tuple(_in_state(record, merged, heads) for record in records)

    def tickets(self) -> tuple[PullRequest, ...]:
        """Every ticket this system opened, newest first."""
        return read_records(self._folder / "tickets")

    def required_checks(self, commit: str, named: tuple[str, ...] = ()) -> tuple[CommitCheck, ...] | None:
        """A bare repository has no CI: nobody will ever report what is named."""
        del commit
        detail = "a repository without a forge has no CI"
        return tuple(CommitCheck(name=name, state=CheckState.MISSING, detail=detail) for name in named) or None

    def reported_checks(self, commit: str) -> tuple[CommitCheck, ...]:
        """A bare repository has no CI."""
        del commit
        return ()

    def protection(self) -> BranchProtection:
        """A bare repository protects nothing."""
        return BranchProtection(protected=False, writer_may_push=True)

    def human_acts(self, number: int) -> tuple[HumanAct, ...]:
        """What was done by `starter.py pr`; who moves a branch with plain git is written nowhere."""
        try:
            lines = acts_file(self._folder, number).read_bytes().splitlines()
            return tuple(HumanAct.model_validate_json(line) for line in lines)
        except FileNotFoundError:
            return ()
        except (OSError, ValidationError) as error:
            raise ForgeError(f"what people did with pull request {number} cannot be read: {error}") from error

    def comments(self, number: int) -> tuple[PullComment, ...]:
        """What we said below it; people have no page here."""
        return read_comments(self._folder / "pulls", number)

    def _heads(self) -> dict[str, str]:
        try:
            return self._mirror.remote_heads()
        except RepositoryError as error:
            raise ForgeError(str(error)) from error

    def _held(self, commits: frozenset[str], base: str | None) -> frozenset[str]:
        if base is None:
            raise ForgeError(f"the remote has no branch {self._base_branch}: whether anything was merged is unknown")
        try:
            if not self._mirror.holds(base):
                base = self._mirror.fetch_base()
            return self._mirror.merged(commits, base)
        except RepositoryError as error:
            raise ForgeError(str(error)) from error


def _in_state(record: PullRequest, merged: frozenset[str], heads: dict[str, str]) -> PullRequest:
    if record.head_sha in merged:
        return record.model_copy(update={"state": "merged"})
    if record.state == "closed":
        return record
    if record.branch not in heads:
        return record.model_copy(update={"state": "closed"})
    return record.model_copy(update={"head_sha": heads[record.branch]})


def open_local_forge(home: Path, mirrors: Path) -> OpenForge:
    """Forges of targets whose ``forge`` is ``local``: their records under ``home``, our mirrors under ``mirrors``."""
    open_repository = open_mirror(mirrors)

    def opened(target: Target) -> LocalForge:
        return LocalForge(forge_folder(home, target.name), open_repository(target), target.base_branch)

    return opened
