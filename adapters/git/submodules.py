"""Submodules: what `.gitmodules` may say, and one commit of another repository, in a mirror of its own.

An address is text of the repository (P8): it is read by git's own rules and refused unless it can only mean a place on
a host that the policy lists. Nothing of a submodule runs here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from adapters.git.environment import ClosedGit, commit_id
from adapters.git.mirror import Mirror
from adapters.git.private import locked
from adapters.git.remotes import checked_remote
from adapters.git.transfer import holds
from policies.paths.base_limits import BaseLimits
from policies.paths.canonical import canonical, readable
from policies.paths.rules import hostile_name
from ports.repository import PointerFile, RemoteUnavailable, RepositoryError

_PORTS = {"http": "80", "https": "443", "ssh": "22"}
_PATH = r"(?P<path>[\w./~+@%=,-]+)"
# Stricter than any reader of addresses: what git, curl and ssh could read in different ways matches neither.
_URL = re.compile(
    r"(?P<scheme>https?|ssh)://([\w.-]+@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9][A-Za-z0-9.-]*)(:(?P<port>\d{1,5}))?/"
    + _PATH,
    re.ASCII,
)
_BY_SSH = re.compile(rf"([\w.-]+@)?(?P<host>[A-Za-z0-9][A-Za-z0-9.-]*):(?!:){_PATH}", re.ASCII)
_SETTING = re.compile(r"submodule\.(.*)\.(path|url)", re.DOTALL)
_NOWHERE = ClosedGit(Path("/nonexistent"))
_MOST = 50
_DEEPEST = 5
_SECONDS = 600
_FETCH = ("fetch", "--quiet", "--no-tags", "--no-recurse-submodules", "--no-auto-maintenance")
_ONLY = {"GIT_ALLOW_PROTOCOL": "http:https:ssh"}
"""Beside the address's own check: of this command git starts nothing for other kinds, whatever it is given."""


@dataclass(frozen=True)
class Submodule:
    """One that a tree names, where it may be fetched from."""

    path: str
    commit: str
    address: str


def addresses(gitmodules: bytes) -> dict[str, str]:
    """What a `.gitmodules` says, by path: read by git itself, which follows no `include` there.

    Raises:
        RepositoryError: it cannot be read.
    """
    read = ("config", "--no-includes", "--file", "-", "--null", "--get-regexp", r"^submodule\..*\.(path|url)$")
    answer = _NOWHERE.run(*read, stdin=gitmodules, accept=(0, 1, 3, 128))
    if answer.code > 1:
        raise RepositoryError(f".gitmodules cannot be read: {answer.error}")
    sections: dict[str, dict[str, str]] = {}
    for entry in answer.out.decode(errors="surrogateescape").split("\0"):
        key, _, value = entry.partition("\n")
        if found := _SETTING.fullmatch(key):
            sections.setdefault(found[1], {})[found[2]] = value
    return {each["path"]: each["url"] for each in sections.values() if {"path", "url"} <= each.keys()}


def resolved(url: str, remote: str) -> str:
    """A submodule's address; a relative one is beside ``remote``, as git has it.

    Raises:
        RepositoryError: it leads above the remote's host.
    """
    if not url.startswith(("./", "../")):
        return url
    place, rest = remote.rstrip("/"), url
    while rest.startswith(("./", "../")):
        if rest.startswith("../"):
            above, separator, _ = place.rpartition("/")
            if not separator:
                above, separator, _ = place.rpartition(":")
            if not separator or above.endswith(("/", ":")):
                raise RepositoryError(f"its address {url!r} leads above the host of {remote}")
            place = above if separator == "/" else f"{above}:"
        rest = rest.partition("/")[2]
    return f"{place}{rest}" if place.endswith(":") else f"{place}/{rest}"


def host_of(address: str) -> str:
    """``host:port`` of an address that git may be given.

    Raises:
        RepositoryError: it is none: a program, an option, a folder of this machine, holds a credential, or is unclear.
    """
    checked_remote(address)
    found = (_URL if "://" in address else _BY_SSH).fullmatch(address)
    if found is None:
        raise RepositoryError(
            f"its address {address!r} is refused: only plain https, http and ssh addresses are fetched"
        )
    if ".." in found["path"].split("/") or found["path"].startswith("-"):
        raise RepositoryError(f"its address {address!r} is refused: `..` in it may lead anywhere")
    parts = found.groupdict()
    return f"{found['host'].lower()}:{parts.get('port') or _PORTS[parts.get('scheme') or 'ssh']}"


def submodules(
    gitlinks: Mapping[str, str], gitmodules: bytes, remote: str, hosts: Collection[str]
) -> tuple[Submodule, ...]:
    """Those at ``gitlinks``, each with the address that may be fetched from.

    Raises:
        RepositoryError: of one of them it may not, or it has none; says which, and why.
    """
    known, found = addresses(gitmodules), list[Submodule]()
    for path, commit in sorted(gitlinks.items()):
        try:
            found.append(_plain(path, commit, known, remote, hosts))
        except RepositoryError as problem:
            raise RepositoryError(f"the submodule {readable(path)} is not fetched: {problem}") from problem
    return tuple(found)


def _plain(path: str, commit: str, known: Mapping[str, str], remote: str, hosts: Collection[str]) -> Submodule:
    if hostile_name(path) or not {"..", ".git"}.isdisjoint(
        part if part == ".." else canonical(part) for part in path.split("/")
    ):
        raise RepositoryError(f"its path is refused: {hostile_name(path) or 'it leads elsewhere'}")
    if path not in known:
        raise RepositoryError("`.gitmodules` names no address for it")
    address = resolved(known[path], remote)
    if (host := host_of(address)) not in hosts:
        raise RepositoryError(f"it is on {host}, which `environment.git_hosts` does not list: add it if it is right")
    return Submodule(path, commit_id(commit), address)


@dataclass
class Fetching:
    """The submodules of one tree, and those inside them, each at its very commit."""

    mirror: Callable[[str], Path]
    """Where the mirror of an address is kept."""
    hosts: Collection[str]
    limits: BaseLimits
    credential: Callable[[], Mapping[str, str]] = dict
    """Variables that let git read the target's own remote: git asks for them on that origin alone."""
    contents: Callable[[str, str, Mapping[str, PointerFile], Path], None] = lambda *_: None
    """Told of one with pointers of git LFS: its path and address, the pointers, and the folder it was written to."""
    fetched: list[str] = field(default_factory=list)
    """A line each: path, commit, address."""

    def fill(self, wanted: Iterable[tuple[Submodule, Path]], above: tuple[str, ...] = (), named: str = "") -> None:
        """Write each into its empty folder.

        Raises:
            RemoteUnavailable: a host did not answer, or does not give that commit.
            RepositoryError: it is refused: by its address, its size, or because it holds itself.
        """
        for each, into in wanted:
            path = f"{named}{each.path}"
            if each.address in above or len(above) >= _DEEPEST or len(self.fetched) >= _MOST:
                loops = each.address in above
                why = "it holds itself" if loops else f"more than {_MOST} of them, or {_DEEPEST} inside each other"
                raise RepositoryError(f"the submodule {readable(path)} is not fetched: {why}")
            try:
                mirror = self._fetched(each)
                mirror.checkout(each.commit, into)
            except RepositoryError as problem:
                raise type(problem)(f"the submodule {readable(path)} ({each.address}): {problem}") from problem
            self.fetched.append(f"{path} {each.commit} {each.address}")
            if pointers := mirror.pointers(each.commit):
                self.contents(path, each.address, pointers, into)
            if inside := mirror.gitlinks(each.commit):
                listed = mirror.read(each.commit, ".gitmodules") or b""
                within = submodules(inside, listed, each.address, self.hosts)
                self.fill([(one, into / one.path) for one in within], (*above, each.address), f"{path}/")

    def _fetched(self, submodule: Submodule) -> Mirror:
        mirror = Mirror(self.mirror(submodule.address), submodule.address, "none", limits=self.limits)
        git, commit = ClosedGit(mirror.path, secret=self.credential()), submodule.commit
        with locked(mirror.path / "fetch.lock"):
            if holds(git, commit):
                return mirror
            # The commit alone where the server gives that; else all branches, whose history may hold it.
            for what in (
                ("--depth=1", submodule.address, commit),
                (submodule.address, "+refs/heads/*:refs/remotes/all/*"),
            ):
                redirects = ("-c", "http.followRedirects=false")
                result = git.run(*redirects, *_FETCH, *what, accept=(0, 1, 128), environment=_ONLY, seconds=_SECONDS)
                if not result.code and holds(git, commit):
                    git.run("update-ref", f"refs/submodules/{commit}", commit)
                    return mirror
        reason = " ".join(result.error.split()) or "it does not hold that commit (any more?)"
        raise RemoteUnavailable(f"{commit} could not be fetched: {reason}")
