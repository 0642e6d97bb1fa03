"""What a remote may be, what it shows, and the one push."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from adapters.git.environment import ClosedGit, GitOutput, branch_name, commit_id
from adapters.git.merging import first_parent
from adapters.git.partial_clone import may_lack_contents
from ports.repository import RemoteForbids, RemoteUnavailable, RepositoryError

_HELPER = re.compile(r"[A-Za-z0-9+.-]+::")
_SCHEMES = frozenset({"file", "http", "https", "ssh"})
_REFUSED = re.compile(r"^!\t\S+\t\[(?:remote )?rejected\]", re.MULTILINE)
# A server over http that takes nothing from this account says so before anything is sent.
_FORBIDDEN = re.compile(
    r"returned error: (?:30[1278]|40[134])\b|Authentication failed|could not read Username|unable to update url base"
)
# What a server's own hooks say of us, whatever we push.
_NOT_US = re.compile(
    r"protected branch|is protected from (?!changing)|protected ref\b|creations being restricted|cannot force-push"
    r"|through a pull request|verified signatures|required status check|permission denied|quota|no space left|archived"
    r"|read-only",
    re.IGNORECASE,
)
# What it says of itself, in the words of a refusal.
_BROKE = re.compile(
    r"^!\t\S+\t\[remote rejected\] \((?:internal server error|service unavailable|unpacker error|.*time(?:out|d out))",
    re.IGNORECASE | re.MULTILINE,
)
_ABSENT = "0" * 40
_SYMBOLIC = "ref: refs/heads/"


def checked_remote(remote: str) -> str:
    """``remote`` if git can only read it as a place, never as an option or a program.

    Raises:
        RepositoryError: it is dangerous, or it holds a credential.
    """
    if not remote or remote.startswith("-") or _HELPER.match(remote) or not remote.isprintable():
        raise RepositoryError(f"the remote {remote!r} is refused: use an absolute path or an https, ssh or file URL")
    if "://" in remote:
        try:
            url = urlsplit(remote)
        except ValueError as problem:
            raise RepositoryError(f"the remote is not a URL: {problem}") from problem
        if url.scheme not in _SCHEMES:
            raise RepositoryError(f"the remote's scheme {url.scheme!r} is refused: use https, ssh or file")
        # Over http a user name alone is a token, too; over ssh it is just a name.
        if url.password is not None or (url.username and url.scheme.startswith("http")):
            raise RepositoryError(f"the remote on {url.hostname} holds a credential: take it out of the address")
    elif local_path(remote) is not None and not remote.startswith("/"):
        raise RepositoryError(f"the remote {remote!r} is a relative path: write it as an absolute one")
    return remote


def local_path(remote: str) -> Path | None:
    """The folder of a remote on this machine; None for one reached over the network."""
    if "://" in remote:
        url = urlsplit(remote)
        return Path(unquote(url.path)) if url.scheme == "file" else None
    # git's own rule: a colon before the first slash makes it host:path.
    return None if ":" in remote.partition("/")[0] else Path(remote)


def remote_heads(git: ClosedGit, remote: str) -> dict[str, str]:
    """Every branch of the remote and where it points.

    Raises:
        RepositoryError: the remote cannot be reached.
    """
    answer = git.run("ls-remote", "--heads", checked_remote(remote), accept=(0, 128), seconds=120)
    if answer.code:
        kind = RemoteForbids if _FORBIDDEN.search(answer.error) else RemoteUnavailable
        raise kind(f"the remote {remote} cannot be reached: {answer.error}")
    lines = (line.split("\t", 1) for line in answer.out.decode(errors="surrogateescape").splitlines())
    return {name.removeprefix("refs/heads/"): sha for sha, name in lines}


def default_branch(git: ClosedGit, remote: str) -> str | None:
    """The branch behind the remote's HEAD; None when HEAD is detached or its branch has no commit.

    Raises:
        RepositoryError: the remote cannot be reached.
    """
    answer = git.run("ls-remote", "--symref", checked_remote(remote), "HEAD", accept=(0, 128), seconds=120)
    if answer.code:
        raise RepositoryError(f"the remote {remote} cannot be reached: {answer.error}")
    for line in answer.out.decode(errors="surrogateescape").splitlines():
        if line.startswith(_SYMBOLIC):
            return line.removeprefix(_SYMBOLIC).split("\t")[0]
    return None


@dataclass(frozen=True)
class Pushed:
    """Whether the remote took the branch."""

    accepted: bool
    reason: str
    forbidden: bool = False
    """It takes nothing from this account, or nothing at this address."""
    of_us: bool = False
    """Its hooks refuse who pushes where, and not what."""


def push_branch(git: ClosedGit, remote: str, branch: str, sha: str, expected_old: str, seconds: float) -> Pushed:
    """Move one remote branch from ``expected_old`` (empty: absent) to ``sha``, or learn that the remote refused.

    Raises:
        RepositoryError: not a branch of ours, or the remote could not be asked.
    """
    if not branch_name(branch).startswith("autonomy/"):
        raise RepositoryError(f"{branch!r} is not ours to push: branches of this system begin with autonomy/")
    return _swap(git, remote, branch, sha, expected_old, seconds)


def remove_branch(git: ClosedGit, remote: str, branch: str, expected_old: str, seconds: float) -> Pushed:
    """Remove one remote branch of ours where it stands at ``expected_old``, or learn that the remote refused.

    Raises:
        RepositoryError: not a branch of ours, or the remote could not be asked.
    """
    if not branch_name(branch).startswith("autonomy/"):
        raise RepositoryError(f"{branch!r} is not ours to remove: branches of this system begin with autonomy/")
    return _swap(git, remote, branch, "", commit_id(expected_old), seconds)


def advance_base(git: ClosedGit, remote: str, branch: str, sha: str, expected_old: str, seconds: float) -> Pushed:
    """Move a base branch from ``expected_old`` to its child ``sha``, or learn that the remote refused.

    Raises:
        RepositoryError: ``sha`` is no child of ``expected_old``, or the remote could not be asked.
    """
    if first_parent(git, sha) != commit_id(expected_old):
        raise RepositoryError(f"{sha} is no child of {expected_old}: a base branch is only ever moved on")
    return _swap(git, remote, branch_name(branch), sha, expected_old, seconds)


def _swap(git: ClosedGit, remote: str, branch: str, sha: str, expected_old: str, seconds: float) -> Pushed:
    """Compare-and-swap by git's own lease: the remote takes it only from ``expected_old``; ``sha`` empty: gone."""
    ref = f"refs/heads/{branch}"
    old = commit_id(expected_old) if expected_old else _ABSENT
    # Where the remote moved on to commits we lack, git sends all history, and stumbles over contents we lack, too;
    # unless it asks first which of ours the remote has.
    asking = ("-c", "push.negotiate=true") if may_lack_contents(git) else ()
    answer = git.run(
        *asking,
        "push",
        "--porcelain",
        "--no-verify",
        "--no-follow-tags",
        "--recurse-submodules=no",
        f"--force-with-lease={ref}:{old}",
        checked_remote(remote),
        f"{commit_id(sha) if sha else ''}:{ref}",
        accept=(0, 1, 128),
        seconds=seconds,
    )
    return judged(answer, remote)


def judged(answer: GitOutput, remote: str) -> Pushed:
    """What git's answer to a push means.

    Raises:
        RepositoryError: cut off on the way, or the remote broke down: whether it arrived is not known.
    """
    if _FORBIDDEN.search(answer.error):
        return Pushed(accepted=False, reason=" ".join(answer.error.split()), forbidden=True, of_us=True)
    reason = _words(answer) if answer.code else ""
    of_us = bool(_NOT_US.search(reason))
    if answer.code and (not _REFUSED.search(answer.text) or (_BROKE.search(answer.text) and not of_us)):
        # "[remote failure]", too.
        raise RepositoryError(f"the push to {remote} got no clear answer: {answer.error or answer.text}")
    return Pushed(accepted=answer.code == 0, reason=reason, of_us=of_us)


def _words(answer: GitOutput) -> str:
    """What the remote said, its hooks' own lines included."""
    told = [line for line in answer.error.splitlines() if line.startswith("remote:")]
    return "\n".join([answer.text, *told])
