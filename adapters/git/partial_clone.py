"""Mirrors fetched without file contents (`partial_clone` of a target), and how those that are needed come in.

Git itself would fetch a missing object the moment something reads it, from whatever its configuration names. Ours names
nothing: the remote that promised the rest is told to single commands only. To every other command a missing content is
an error, never a conversation nobody asked for; so whatever needs contents completes its commits first.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import combinations

from adapters.git.environment import ClosedGit, commit_id
from adapters.git.private import locked
from policies.counted import counted
from ports.repository import RemoteUnavailable, RepositoryError

_QUIET = ("--quiet", "--no-tags", "--no-recurse-submodules", "--no-auto-maintenance")
_NAME = "promised"
_MARKER = "partial-clone"
_FILTERED = "filtered\n"
_REFETCHED = "refetched\n"
"""The base's whole history is here. Commits it no longer holds may still lack contents."""
_UNFILTERED_ANSWER = "filtering not recognized by server"


def may_lack_contents(git: ClosedGit) -> bool:
    """Whether this mirror was ever fetched without contents: what is missing depends on that, not on a setting."""
    return (git.git_dir / _MARKER).exists()


@dataclass(frozen=True)
class BaseFetch:
    """How a base branch is fetched: with its contents, without, or once more from the beginning."""

    git: ClosedGit
    remote: str
    partial: bool

    def run(self, refspec: str, *options: str) -> tuple[int, str]:
        """Fetch; exit status and what git said. A server that knows no filter sends everything, which is fine."""
        if not self.partial:
            # Git would take what it has for whole, and get deltas against contents that are missing.
            return self._fetch(self.remote, refspec, *options, *(("--refetch",) if self._filtered() else ()))
        (self.git.git_dir / _MARKER).write_text(_FILTERED)
        code, stderr = self._promised_fetch(refspec, *options)
        if code and _UNFILTERED_ANSWER in stderr:
            return self._promised_fetch(refspec, "--refetch")
        return code, stderr

    def succeeded(self) -> None:
        """After a fetch that brought all of the base's history: remember that nothing of it is missing."""
        if not self.partial and self._filtered():
            (self.git.git_dir / _MARKER).write_text(_REFETCHED)

    def _promised_fetch(self, refspec: str, *options: str) -> tuple[int, str]:
        return self._fetch(_NAME, refspec, *options, flags=_promise(self.remote))

    def _fetch(self, place: str, refspec: str, *options: str, flags: tuple[str, ...] = ()) -> tuple[int, str]:
        answer = self.git.run(*flags, "fetch", *_QUIET, *options, place, refspec, accept=(0, 1, 128))
        return answer.code, answer.error

    def _filtered(self) -> bool:
        return may_lack_contents(self.git) and (self.git.git_dir / _MARKER).read_text() == _FILTERED


def _promise(remote: str) -> tuple[str, ...]:
    """For one command: ``remote``, under a name of ours, promises the contents it does not send.

    Named by `--filter` and its address, git would write it into the mirror's own configuration, and a plain path
    cannot be named there at all.
    """
    facts = (f"url={remote}", "promisor=true", "partialCloneFilter=blob:none")
    return tuple(part for fact in facts for part in ("-c", f"remote.{_NAME}.{fact}"))


@dataclass(frozen=True)
class PromisedContents:
    """Where the contents that one mirror lacks come from, and go to."""

    mirror: ClosedGit
    reaching_out: Callable[[], ClosedGit]
    """The mirror's git, able to read ``remote``; asked for only when something is missing."""
    remote: str

    def may_be_missing(self) -> bool:
        """Whether there is anything to look for."""
        return may_lack_contents(self.mirror)

    def complete(self, git: ClosedGit, commits: Iterable[str]) -> None:
        """Fetch, in one go, every content that the trees of ``commits`` lack in ``git``, which reads the mirror's.

        Raises:
            RepositoryError: something is missing and the remote did not give it.
        """
        wanted = sorted({commit_id(commit) for commit in commits})
        if not _missing(git, wanted):
            return
        with locked(self.mirror.git_dir / "fetch.lock"):
            # Another process may have fetched the same while we waited.
            if not (missing := _missing(git, wanted)):
                return
            self._fetch(missing)
            if left := _missing(git, wanted):
                raise RepositoryError(
                    f"{self.remote} did not send {counted(len(left), 'file content')}, such as {left[0]}"
                )

    def _fetch(self, contents: list[str]) -> None:
        answer = self.reaching_out().run(
            *_promise(self.remote),
            # As when git itself fetches what was promised: nothing we have helps the server to find it.
            *("-c", "fetch.negotiationAlgorithm=noop"),
            *("fetch", *_QUIET, "--no-write-fetch-head", "--stdin", _NAME),
            stdin="".join(f"{each}\n" for each in contents).encode(),
            accept=(0, 1, 128),
        )
        if answer.code:
            count = len(contents)
            raise RemoteUnavailable(
                f"{counted(count, 'file content')} could not be fetched from {self.remote}: {answer.error}"
            )


def _missing(git: ClosedGit, commits: list[str]) -> list[str]:
    fixed = ("rev-list", "--objects", "--quiet", "--missing=print", "--no-walk", "--stdin")
    listing = git.run(*fixed, stdin="".join(f"{commit}\n" for commit in commits).encode()).text
    return sorted(commit_id(line.removeprefix("?")) for line in listing.splitlines() if line.startswith("?"))


def merged_from(git: ClosedGit, ours: str, theirs: str) -> set[str]:
    """Every commit whose tree a merge of the two may read: both, their merge bases, and the bases of several bases."""
    level = {commit_id(ours), commit_id(theirs)}
    found = set(level)
    # Each base is older than one of its two: this ends.
    while len(level) > 1:
        level = {base for pair in combinations(sorted(level), 2) for base in _merge_bases(git, *pair)}
        found |= level
    return found


def _merge_bases(git: ClosedGit, one: str, other: str) -> list[str]:
    return git.run("merge-base", "--all", one, other, accept=(0, 1)).text.split()
