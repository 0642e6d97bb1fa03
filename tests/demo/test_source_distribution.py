"""The demo's package: fetched by name from a registry, never executed, never outside its folder."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from demo.source_distribution import FetchFailed, Pin, fetch

TRAP = "open('executed', 'w')\nraise SystemExit('set-up code ran')\n"


def _archive(place: Path, files: dict[str, str], links: dict[str, str] | None = None) -> None:
    with tarfile.open(place, "w:gz") as archive:
        for name, body in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(body)
            archive.addfile(member, io.BytesIO(body.encode()))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that uv takes for its registry."""
    folder = tmp_path / "registry"
    folder.mkdir()
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return folder


def test_set_up_code_is_data(registry: Path, tmp_path: Path):
    """A source distribution whose set-up code would leave a trace leaves none; links are not made."""
    files = {"trap-1.0/setup.py": TRAP, "trap-1.0/PKG-INFO": "Metadata-Version: 1.0\nName: trap\nVersion: 1.0\n"}
    _archive(registry / "trap-1.0.tar.gz", files, {"trap-1.0/out": "/etc"})
    package = fetch(Pin.parse("Trap==1.0"), tmp_path / "downloads", tmp_path / "work")
    assert {"setup.py", "PKG-INFO"} == {path.name for path in package.iterdir()}
    assert [] == list(tmp_path.rglob("executed"))


def test_a_path_that_leads_out_is_refused(registry: Path, tmp_path: Path):
    """Nothing is written beside the folder, and no git folder is planted."""
    for name in ("../outside", "/outside", "trap-1.0/.git/config"):
        _archive(registry / "trap-1.0.tar.gz", {name: "x"})
        with pytest.raises(FetchFailed, match="leads where it must not"):
            fetch(Pin.parse("trap==1.0"), tmp_path / "downloads", tmp_path / f"work-{len(name)}")
    assert not (tmp_path / "outside").exists()


def test_what_is_not_there_or_not_pinned_is_said(registry: Path, tmp_path: Path):
    """The message names the package and what to write instead."""
    with pytest.raises(FetchFailed, match=r"does not give gone==1\.0"):
        fetch(Pin.parse("gone==1.0"), tmp_path / "downloads", tmp_path / "work")
    with pytest.raises(FetchFailed, match="name==version"):
        Pin.parse("itsdangerous>=1")


def test_what_is_pinned_by_its_digest_is_that_or_nothing(registry: Path, tmp_path: Path):
    """Other bytes under the pinned name are refused; the right ones, once here, need no registry."""
    place = registry / "list-1.0.tar.gz"
    _archive(place, {"list-1.0/PKG-INFO": "Metadata-Version: 1.0\nName: list\nVersion: 1.0\n"})
    digest = hashlib.sha256(place.read_bytes()).hexdigest()
    with pytest.raises(FetchFailed, match="not what was pinned"):
        fetch(Pin.parse("list==1.0", "0" * 64), tmp_path / "downloads", tmp_path / "first")
    fetch(Pin.parse("list==1.0", digest), tmp_path / "downloads", tmp_path / "second")
    place.unlink()
    assert fetch(Pin.parse("list==1.0", digest), tmp_path / "downloads", tmp_path / "third").exists()
