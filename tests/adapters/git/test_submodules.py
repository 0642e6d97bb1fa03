"""Submodules: an address is text of the repository, and a commit of another one is fetched to the letter (P8)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.git.submodules import Fetching, addresses, host_of, resolved, submodules
from policies.paths.base_limits import BaseLimits
from ports.repository import RemoteUnavailable, RepositoryError
from tests.adapters.git.served import Served, serving

COMMIT = "a" * 40
REMOTE = "https://git.example.com/team/app.git"
LISTED = '[submodule "any name"]\n\tpath = vendor/x\n\turl = {}\n'


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Git.Example.com/team/lib.git", "git.example.com:443"),
        ("http://git.example.com:8080/lib", "git.example.com:8080"),
        ("ssh://git@git.example.com/lib.git", "git.example.com:22"),
        ("git@git.example.com:team/lib.git", "git.example.com:22"),
        ("https://[::1]:3000/lib.git", "[::1]:3000"),
    ],
)
def test_whom_an_address_asks(url: str, host: str) -> None:
    """As the policy lists it."""
    assert host == host_of(url)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("file:///etc", "only plain https"),
        ("/srv/git/lib.git", "only plain https"),
        ("lib.git", "relative path"),
        ("ext::sh -c 'touch /tmp/x'", "is refused"),
        ("-u./run", "is refused"),
        ("--upload-pack=./run", "is refused"),
        ("ssh://-oProxyCommand=run/lib", "is refused"),
        ("-oProxyCommand=run:lib", "is refused"),
        ("https://user:secret@git.example.com/lib", "holds a credential"),
        ("https://token@git.example.com/lib", "holds a credential"),
        ("https://git.example.com/team/../../lib", "`..` in it"),
        ("https://git.example.com\\@evil.example.com/lib", "holds a credential"),
        ("https://git.example.com\\.evil.example.com/lib", "is refused"),
        ("https://git.example.com/lib?x=1", "is refused"),
        ("https://git.example.com/lib\n", "is refused"),
        ("git://git.example.com/lib", "scheme 'git' is refused"),
        ("https://git.example.com:99999999/lib", "is refused"),
        ("", "is refused"),
    ],
)
def test_what_no_address_may_be(url: str, says: str) -> None:
    """A program, an option, a folder of this machine, a credential, or what two readers would read differently."""
    with pytest.raises(RepositoryError, match=says.replace(".", r"\.")) as refused:
        host_of(url)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "remote", "address"),
    [
        ("../lib.git", REMOTE, "https://git.example.com/team/lib.git"),
        ("../../other/lib.git", REMOTE, "https://git.example.com/other/lib.git"),
        ("./lib.git", f"{REMOTE}/", f"{REMOTE}/lib.git"),
        ("../lib.git", "git@git.example.com:team/app.git", "git@git.example.com:team/lib.git"),
        ("../lib.git", "git@git.example.com:app.git", "git@git.example.com:lib.git"),
        ("../lib.git", "/srv/git/app.git", "/srv/git/lib.git"),
        ("https://elsewhere.example.com/x", REMOTE, "https://elsewhere.example.com/x"),
    ],
)
def test_a_relative_address_is_beside_the_remote(url: str, remote: str, address: str) -> None:
    """As git has it; what becomes a folder of this machine is refused afterwards."""
    assert address == resolved(url, remote)


@pytest.mark.parametrize("url", ["../../../lib", "../../../../evil.example.com/lib"])
def test_no_relative_address_leaves_the_host(url: str) -> None:
    """However many steps up it goes."""
    with pytest.raises(RepositoryError, match="leads above the host"):
        resolved(url, REMOTE)


@pytest.mark.parametrize(
    ("links", "listed", "says"),
    [
        (
            {"vendor/x": COMMIT},
            LISTED.format("https://evil.example.com/x"),
            "evil.example.com:443, which `environment.git_hosts`",
        ),
        ({"vendor/x": COMMIT}, LISTED.format("../../../x"), "leads above the host"),
        ({"vendor/x": COMMIT}, LISTED.format("file:///etc"), "only plain https"),
        ({"vendor/y": COMMIT}, LISTED.format("../lib.git"), "names no address for it"),
        ({"../x": COMMIT}, '[submodule "x"]\n\tpath = ../x\n\turl = ../lib.git\n', "its path is refused"),
        ({".git/x": COMMIT}, '[submodule "x"]\n\tpath = .git/x\n\turl = ../lib.git\n', "its path is refused"),
        ({"vendor/x": "HEAD"}, LISTED.format("../lib.git"), "not a full commit id"),
        ({"vendor/x": COMMIT}, "[submodule", "cannot be read"),
    ],
)
def test_what_a_tree_may_not_ask_for(links: dict[str, str], listed: str, says: str) -> None:
    """Each with its reason; nothing was asked of anybody."""
    with pytest.raises(RepositoryError, match=says):
        submodules(links, listed.encode(), REMOTE, ["git.example.com:443"])


def test_gitmodules_includes_no_file_of_this_machine(tmp_path: Path) -> None:
    """`include` is git's own, and could read what belongs to somebody else."""
    (tmp_path / "other").write_text(LISTED.format("https://git.example.com/secret"))
    assert {} == addresses(f"[include]\n\tpath = {tmp_path / 'other'}\n".encode())
    assert {"vendor/x": "../lib.git"} == addresses(LISTED.format("../lib.git").encode())


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """Repositories over HTTP."""
    (tmp_path / "served").mkdir()
    with serving(tmp_path / "served") as found:
        yield found


def fill(
    served: Served, tmp_path: Path, links: dict[str, tuple[str, str]], *, host: str = "", files: int = 1000
) -> Fetching:
    """Fetch these submodules into ``tree``."""
    listed = "".join(f'[submodule "{path}"]\n\tpath = {path}\n\turl = {url}\n' for path, (url, _) in links.items())
    found = submodules(
        {path: sha for path, (_, sha) in links.items()}, listed.encode(), served.url("app"), [served.host]
    )
    limits = BaseLimits(files=files)
    fetching = Fetching(lambda address: tmp_path / "mirrors" / str(abs(hash(address))), [host or served.host], limits)
    fetching.fill((each, tmp_path / "tree" / each.path) for each in found)
    return fetching


def test_the_very_commit_comes_with_what_is_inside_it(served: Served, tmp_path: Path) -> None:
    """An older commit than the branch's, one submodule in another, a relative address; asked again, nothing is sent."""
    deep = served.repository("deep", {"deep.txt": "deep\n"})
    lib = served.repository("lib", {"lib.txt": "one\n"}, {"inner": ("../deep.git", deep)})
    served.repository("lib", {"lib.txt": "two\n"})
    links = {"vendor/lib": ("../lib.git", lib)}
    said = fill(served, tmp_path, links).fetched
    assert "one\n" == (tmp_path / "tree/vendor/lib/lib.txt").read_text()
    assert "deep\n" == (tmp_path / "tree/vendor/lib/inner/deep.txt").read_text()
    assert [f"vendor/lib {lib} {served.url('lib')}", f"vendor/lib/inner {deep} {served.url('deep')}"] == said
    asked = len(served.asked)
    (tmp_path / "tree").rename(tmp_path / "first")
    fill(served, tmp_path, links)
    assert asked == len(served.asked)


def test_a_commit_that_is_gone_is_said(served: Served, tmp_path: Path) -> None:
    """Somebody rewrote its history."""
    served.repository("lib", {"lib.txt": "one\n"})
    with pytest.raises(RemoteUnavailable, match=rf"vendor/lib .*{COMMIT} could not be fetched"):
        fill(served, tmp_path, {"vendor/lib": ("../lib.git", COMMIT)})


def test_no_redirect_leads_to_another_host(served: Served, tmp_path: Path) -> None:
    """The list names whom the worker asks; a listed host may not send it on."""
    lib = served.repository("lib", {"lib.txt": "one\n"})
    served.moved = {"/old.git": f"http://localhost:{served.port}/lib.git"}
    with pytest.raises(RemoteUnavailable, match="could not be fetched"):
        fill(served, tmp_path, {"vendor/lib": ("../old.git", lib)})
    assert not [each for each in served.asked if each.startswith("/lib.git")]


def test_what_is_inside_is_held_to_the_same_list(served: Served, tmp_path: Path) -> None:
    """A submodule's own `.gitmodules` is text of somebody else."""
    lib = served.repository("lib", {}, {"inner": ("https://evil.example.com/x", COMMIT)})
    with pytest.raises(RepositoryError, match=r"inner is not fetched: it is on evil\.example\.com:443"):
        fill(served, tmp_path, {"vendor/lib": ("../lib.git", lib)})


def test_a_loop_ends(served: Served, tmp_path: Path) -> None:
    """One that holds an older commit of its own holder, and so on."""
    first = served.repository("lib", {"a": "1"})
    other = served.repository("other", {"b": "1"}, {"back": ("../lib.git", first)})
    looped = served.repository("lib", {"a": "2"}, {"on": ("../other.git", other)})
    with pytest.raises(RepositoryError, match="vendor/lib/on/back is not fetched: it holds itself"):
        fill(served, tmp_path, {"vendor/lib": ("../lib.git", looped)})


def test_one_that_is_too_large_is_refused_before_it_is_written(served: Served, tmp_path: Path) -> None:
    """The target's own limits."""
    lib = served.repository("lib", {f"{number}.txt": "x" for number in range(12)})
    with pytest.raises(RepositoryError, match=r"vendor/lib .*is refused"):
        fill(served, tmp_path, {"vendor/lib": ("../lib.git", lib)}, files=10)
    assert not (tmp_path / "tree").exists()
