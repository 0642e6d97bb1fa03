"""The embedded forge, read: a bare repository, and pull requests and tickets as JSON files beside it."""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import ValidationError

from adapters.effects.local_records import RECORD, read_comments, read_record, read_records, record_numbers
from adapters.forges.local_issues import LocalIssues
from adapters.git.mirror import Mirror, open_mirror
from contracts.forge_facts import BranchProtection, CheckState, CommitCheck, HumanAct, Issue, IssueComment, PullComment
from contracts.pull_request import PullRequest
from ports.forge import ForgeError, OpenForge
from ports.repository import RepositoryError

if TYPE_CHECKING:
    from policies.settings.schema import Target


def forge_folder(home: Path, target: str) -> Path:
    """Where a target's pull requests and tickets are kept."""
    return home / "forge" / target


def acts_file(folder: Path, number: int) -> Path:
    """What people did with a pull request by `starter.py pr`, a line each."""
    return folder / "pulls" / f"{number}.acts.jsonl"


class _Books:
    """A folder of pull requests as one process knows it: what a look costs grows with those that go on, not with all.

    One that is merged, or closed with its branch gone, has ended: what it shows is kept until its file is another one,
    its branch is back, or the base holds its head after all. Records are replaced and never written in, so of one that
    has ended the inode is looked at, and that only when something in the folder was opened or replaced.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.ended: dict[int, PullRequest] = {}
        self._files: dict[int, tuple[tuple[int, int, int], PullRequest]] = {}
        self._inodes: dict[int, int] = {}
        """As the folder's own listing has them: on some file systems not those of the files."""
        self._base, self._scanned = "", 0

    @property
    def going(self) -> list[PullRequest]:
        """Records of those that have not ended."""
        return [self._files[number][1] for number in self._files.keys() - self.ended.keys()]

    def read(self, folder: Path) -> None:
        """Bring it up to date with the files.

        Raises:
            ForgeError: one is damaged.
        """
        try:
            changed = folder.stat().st_mtime_ns
            if changed != self._scanned:
                self._scan(folder)
                # Another change in the same moment may leave the same time.
                self._scanned = changed if time.time_ns() - changed > _MOMENT else 0
            for number in self._files.keys() - self.ended.keys():
                self._parse(folder / f"{number}.json", number)
        except FileNotFoundError:
            self._files, self._inodes, self.ended = {}, {}, {}
        except (OSError, ValidationError) as error:
            raise ForgeError(f"a record in {folder} cannot be read: {error}") from error

    def _scan(self, folder: Path) -> None:
        with os.scandir(folder) as entries:
            inodes = {int(found[1]): each.inode() for each in entries if (found := RECORD.fullmatch(each.name))}
        for number in [number for number, known in self._inodes.items() if inodes.get(number) != known]:
            self._files.pop(number, None)
            self.ended.pop(number, None)
        self._inodes = inodes
        for number in inodes.keys() - self._files.keys():
            self._parse(folder / f"{number}.json", number)

    def _parse(self, file: Path, number: int) -> None:
        status = file.stat()
        identity = (status.st_ino, status.st_mtime_ns, status.st_size)
        if number not in self._files or self._files[number][0] != identity:
            self._files[number] = (identity, PullRequest.model_validate_json(file.read_bytes()))

    def follow(self, base: str, heads: Mapping[str, str], mirror: Mirror) -> None:
        """Let go on what has not ended any more: the base moved on to its head, or back; its branch is there again."""
        brought: frozenset[str] | None = frozenset()
        if base != self._base:
            brought = mirror.since(self._base, base) if self._base else None
        if brought is None:
            self.ended.clear()
        else:
            closed = [(number, pull) for number, pull in self.ended.items() if pull.state == "closed"]
            for number, pull in closed:
                if pull.branch in heads or pull.head_sha in brought:
                    del self.ended[number]
        self._base = base

    def __bool__(self) -> bool:
        return bool(self._files)


_books: defaultdict[tuple[str, str, str], _Books] = defaultdict(_Books)
_MOMENT = 50_000_000
"""Nanoseconds; no kernel's own clock of files is coarser."""


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
        return bool(self._held(frozenset({commit}), self._present(self._heads())))

    def find_pull_request(self, run_key: str) -> PullRequest | None:
        """The pull request this run key opened."""
        records = read_records(self._folder / "pulls", run_key)
        return next(iter(self._in_state([record for record in records if record.run_key == run_key])), None)

    def pull_requests(self) -> tuple[PullRequest, ...]:
        """Every pull request, newest first, each in its present state."""
        folder = self._folder / "pulls"
        books = _books[str(folder), str(self._mirror.path), self._base_branch]
        with books.lock:
            books.read(folder)
            if not books:
                return ()
            heads = self._heads()
            base = self._present(heads)
            try:
                books.follow(base, heads, self._mirror)
            except RepositoryError as error:
                raise ForgeError(str(error)) from error
            going = books.going
            merged = self._held(frozenset(record.head_sha for record in going), base)
            shown = {record.number: _in_state(record, merged, heads) for record in going}
            over = {
                number: pull for number, pull in shown.items() if pull.state == "merged" or pull.branch not in heads
            }
            books.ended.update(over)
            found = {**books.ended, **shown}
        return tuple(found[number] for number in sorted(found, reverse=True))

    def pull_request(self, number: int) -> PullRequest | None:
        """The one of this number."""
        record = read_record(self._folder / "pulls", number)
        return self._in_state([record])[0] if record else None

    def newest(self, count: int) -> tuple[PullRequest, ...]:
        """The newest so many; no other record is opened."""
        pulls = self._folder / "pulls"
        records = (read_record(pulls, number) for number in sorted(record_numbers(pulls), reverse=True)[:count])
        return self._in_state([record for record in records if record])

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
        merged = self._held(frozenset(record.head_sha for record in records), self._present(heads))
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

    def issues(self, label: str) -> tuple[Issue, ...] | None:
        """Those that a person opened by ``starter.py issue``; a bare repository has no others."""
        found = LocalIssues(self._folder).newest()
        return found and tuple(each for each in found if each.state == "open" and label in each.labels)

    def issue_comments(self, number: int) -> tuple[IssueComment, ...]:
        """What people said by ``starter.py issue``, and what we asked: whoever types there may write."""
        return LocalIssues(self._folder).comments(number)

    def _heads(self) -> dict[str, str]:
        try:
            return self._mirror.remote_heads()
        except RepositoryError as error:
            raise ForgeError(str(error)) from error

    def _present(self, heads: Mapping[str, str]) -> str:
        """The remote's base branch, its history here."""
        base = heads.get(self._base_branch)
        if base is None:
            raise ForgeError(f"the remote has no branch {self._base_branch}: whether anything was merged is unknown")
        try:
            return base if self._mirror.holds(base) else self._mirror.fetch_base()
        except RepositoryError as error:
            raise ForgeError(str(error)) from error

    def _held(self, commits: frozenset[str], base: str) -> frozenset[str]:
        try:
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
