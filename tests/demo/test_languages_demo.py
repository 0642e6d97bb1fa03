"""``make demo-languages``: what is fetched is what was pinned, and what was not shown is said."""

from __future__ import annotations

import hashlib
import io
import subprocess
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest

from commands.exit_statuses import Exit
from contracts.evidence import CheckStatus
from demo import registries
from demo.languages import PACKAGES, PROGRAMS, conclude, missing, unproven
from demo.registries import REGISTRIES, Released, fetch
from demo.source_distribution import FetchFailed
from settings import ROOT


def tarred(name: str) -> bytes:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w:gz") as archive:
        member = tarfile.TarInfo(name)
        archive.addfile(member, io.BytesIO())
    return body.getvalue()


def zipped(name: str) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr(name, "")
    return body.getvalue()


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (tarred("package/index.js"), "a-1.tgz"),
        (tarred("a-1/index.js"), "a-1.crate"),
        (zipped("h/o/a@v1/index.js"), "z.zip"),
    ],
    ids=["tgz", "crate", "zip"],  # else of the bytes, which hold the time: no two processes collect the same
)
def test_what_is_pinned_is_fetched_once(body: bytes, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Of every archive the folder with the package; the second time no registry is asked."""
    monkeypatch.setitem(registries.REGISTRIES, "Go", lambda *_given: (body, name))
    released = Released("Go", "a", "1", hashlib.sha256(body).hexdigest())
    assert ["index.js"] == [path.name for path in fetch(released, tmp_path / "kept", tmp_path / "one").iterdir()]
    monkeypatch.delitem(registries.REGISTRIES, "Go")
    assert ["index.js"] == [path.name for path in fetch(released, tmp_path / "kept", tmp_path / "two").iterdir()]


def test_other_bytes_than_pinned_are_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Nothing of them is unpacked, now or when they are there already."""
    monkeypatch.setitem(registries.REGISTRIES, "Go", lambda *_given: (tarred("a/b"), "a.tgz"))
    for _ in range(2):
        with pytest.raises(FetchFailed, match="is not used"):
            fetch(Released("Go", "a", "1", "0" * 64), tmp_path / "kept", tmp_path / "work")
    assert not (tmp_path / "work").exists()


def test_a_client_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """A program that is not there, too."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FetchFailed, match="npm pack"):
        fetch(Released("JavaScript", "a", "1", "0" * 64), tmp_path / "kept", tmp_path / "work")


def test_what_the_machine_lacks_is_said_and_is_no_success(capsys: pytest.CaptureFixture[str]):
    """A line for each language; a failure counts for more than what was left out."""
    assert {"Go"} == set(missing(lambda program: None if program == "go" else program))
    assert set(PROGRAMS) == set(missing(lambda _program: None))
    assert Exit.OK == conclude({}, {})
    assert Exit.TROUBLE == conclude({}, {"Go": "Go (1.21 or newer)"})
    assert Exit.FAILED == conclude({"Rust": "ended FAILED"}, {"Go": "Go (1.21 or newer)"})
    said = capsys.readouterr()
    for words in ("Go: left out, Go (1.21 or newer) is missing: install it", "Rust: ended FAILED", "Python: shown"):
        assert words in said.out + said.err


def test_each_language_has_one_package_and_a_client():
    """The table is whole."""
    assert sorted(REGISTRIES) == sorted(each.registry for each in PACKAGES.values())
    assert set(REGISTRIES) == {"Python", *PROGRAMS}


@pytest.mark.parametrize(
    ("tool", "status", "expected"),
    [
        ("fixer", CheckStatus.GREEN, ""),
        ("dependencies", CheckStatus.GREEN, ""),
        ("ruff", CheckStatus.GREEN, "its pull request is of no program of its own"),
        ("fixer", CheckStatus.FLAKY, "its own tests were not green in the sandbox"),
        ("fixer", None, "its own tests were not green in the sandbox"),
    ],
)
def test_another_pull_request_shows_nothing(tool: str, status: CheckStatus | None, expected: str):
    """Made by a tool of ours, or without tests: the demo failed."""
    results = [SimpleNamespace(name="tests", status=status)] if status else []
    contract = SimpleNamespace(tool=tool, title="x", rule="isort")
    kept = SimpleNamespace(contract=contract, checks=SimpleNamespace(results=results))
    assert expected == unproven(kept)  # type: ignore[arg-type]
    assert "its pull request is of no program of its own" == unproven(SimpleNamespace(contract=None, checks=None))  # type: ignore[arg-type]


@pytest.mark.parametrize("program", ["go", "npm", "cargo"])
def test_the_gate_requires_every_language(program: str, tmp_path: Path):
    """``.ci/run`` ends at once, and says what is missing."""
    for name in {"go", "npm", "cargo", "bash", "dirname", "mktemp", "rm"} - {program}:
        found = subprocess.run(["/bin/sh", "-c", f"command -v {name}"], capture_output=True, text=True, check=True)
        (tmp_path / name).symlink_to(found.stdout.strip())
    ran = subprocess.run(
        [ROOT / ".ci/run"], env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=30, check=False
    )
    assert 1 == ran.returncode
    assert "is missing: install it; the gate needs Go, Node and Rust" in ran.stderr
