"""Objects coming in and going out: fetching the base branch, carrying a change as a bundle."""

import hashlib
from pathlib import Path

from adapters.git.environment import ClosedGit, branch_name, commit_id
from adapters.git.merging import is_ancestor
from adapters.git.partial_clone import BaseFetch
from adapters.git.remotes import checked_remote, default_branch, remote_heads
from ports.repository import RemoteUnavailable, RepositoryError

_HEADER = b"# v2 git bundle\n"
_DIGEST = 20
"""Bytes of the SHA-1 that a pack ends with."""
_SHOWN = 20
_REMEMBERED = 10_000
_whole: set[tuple[Path, int, int, str, str]] = set()
"""Mirror, base and head of what this process found whole there, as each step of a run asks for the same change again.
A mirror that was made anew since is another one; nothing ever takes an object out of one."""


def base_ref(branch: str) -> str:
    """Where the mirror keeps the remote's base branch."""
    return f"refs/remotes/origin/{branch_name(branch)}"


def fetch_branch(git: ClosedGit, remote: str, branch: str, *, partial: bool = False) -> str:
    """Fetch one branch and return its commit. The caller holds the mirror's lock: FETCH_HEAD is shared.

    ``partial``: without the contents of its files, if the remote can leave them out.
    """
    refspec = f"+refs/heads/{branch_name(branch)}:{base_ref(branch)}"
    before = git.run("rev-parse", "--verify", "--quiet", base_ref(branch), accept=(0, 1)).text
    fetch = BaseFetch(git, checked_remote(remote), partial)
    # Git takes a commit that came without contents for a whole one and asks for nothing more: a remote that was shallow
    # and no longer is has to be asked anew.
    for options in ((), ("--refetch",)) if partial else ((),):
        code, stderr = fetch.run(refspec, *options)
        if code:
            raise _why_not(git, remote, branch, stderr)
        if commit := _with_its_history(git, before):
            fetch.succeeded()
            return commit
    git.run("update-ref", "-d", base_ref(branch))
    raise RepositoryError(
        f"the remote {remote} is a shallow clone: history is missing. Run `git fetch --unshallow` in it"
    )


def _with_its_history(git: ClosedGit, before: str) -> str:
    """The fetched commit; empty if history of it is missing.

    A shallow remote makes git warn, fetch nothing, and succeed: FETCH_HEAD tells. Asked again it sends nothing more,
    and only the missing history tells; what the base held before was looked at then.
    """
    fetched = (git.git_dir / "FETCH_HEAD").read_text(errors="surrogateescape").split()
    commit = commit_id(fetched[0]) if fetched else ""
    if commit == before:
        return commit
    known = ("--not", before) if before else ()
    return "" if commit and git.run("rev-list", "--quiet", commit, *known, accept=(0, 1, 128)).code else commit


def _why_not(git: ClosedGit, remote: str, branch: str, message: str) -> RepositoryError:
    heads = remote_heads(git, remote)
    if branch in heads:
        return RemoteUnavailable(f"the branch {branch} could not be fetched from {remote}: {message}")
    if not heads:
        return RepositoryError(f"the remote {remote} is empty: push a first commit to {branch}")
    names = sorted(heads)
    known = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    named = default_branch(git, remote)
    renamed = f" Its default branch is {named}: was {branch} renamed?" if named else ""
    return RepositoryError(
        f"the remote {remote} has no branch {branch!r}; it has: {known}.{renamed} Set base_branch to one of them"
    )


def bundle(git: ClosedGit, base: str, head: str) -> bytes:
    """A git bundle of ``base..head``, without making a ref for it."""
    revisions = f"{commit_id(head)}\n^{commit_id(base)}\n".encode()
    pack = git.run(
        "pack-objects", "--revs", "--stdout", "--thin", "--delta-base-offset", "--threads=1", "-q", stdin=revisions
    ).out
    return _HEADER + f"-{base} \n{head} refs/heads/change\n\n".encode() + pack


def unbundle(git: ClosedGit, content: bytes, base: str, head: str) -> None:
    """Import a bundle and prove that the mirror then holds ``head`` whole, on top of ``base``."""
    commit_id(base)
    header, separator, pack = content.partition(b"\n\n")
    if not header.startswith(_HEADER) or not separator:
        raise RepositoryError("the change is not a git bundle of version 2")
    if f"{commit_id(head)} refs/heads/change".encode() not in header.split(b"\n"):
        raise RepositoryError(f"the bundle does not hold {head}")
    if hashlib.sha1(pack[:-_DIGEST], usedforsecurity=False).digest() != pack[-_DIGEST:]:
        # As git says it, which may never see it.
        raise RepositoryError(f"the bundle of {head} is cut or damaged: its pack is not what its digest says")
    made = (git.git_dir / "HEAD").stat()
    known = (git.git_dir, made.st_ino, made.st_mtime_ns, base, head)
    if known in _whole:
        return
    here = holds(git, head)
    whole = ("rev-list", "--objects", "--quiet", head, f"^{base}")
    arrived = here and not git.run(*whole, accept=(0, 1, 128)).code
    if not arrived:
        git.run("index-pack", "--stdin", "--fix-thin", stdin=pack)
    if not is_ancestor(git, base, head):
        raise RepositoryError(f"the bundled change {head} does not descend from {base}")
    if not arrived:
        git.run(*whole)
    if len(_whole) >= _REMEMBERED:
        _whole.clear()
    _whole.add(known)


def holds(git: ClosedGit, commit: str) -> bool:
    """Whether the commit itself is here."""
    listing = git.run("cat-file", "--batch-check", stdin=f"{commit_id(commit)}\n".encode()).text
    return listing.split(" ")[1] == "commit"
