"""A newcomer's way: every folder's note has a line for every file, and every place that is named is there."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from settings import ROOT

FOLDERS = (
    "contracts",
    "policies",
    "ports",
    "workflows",
    "activities",
    "adapters",
    "commands",
    "reporting",
    "composition",
)
ROOMS = sorted(path.parent for top in FOLDERS for path in (ROOT / top).rglob("__init__.py"))
OURS = "|".join(FOLDERS)
NAMED_FILE = re.compile(rf"(?<![\w./-])(?:{OURS}|tests|demo|docs)(?:/[\w-]+)+\.(?:py|md|json|toml)\b")
NAMED_MODULE = re.compile(rf"``?((?:{OURS})(?:\.\w+)+)``?")
WRITTEN_BY_INIT = re.compile(r"policies/targets/")


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: str(room.relative_to(ROOT)))
def test_a_rooms_note_has_a_line_for_everything_in_it(room: Path) -> None:
    """``__init__.py`` begins each line with a file or a folder of the room, and names no other."""
    note = ast.get_docstring(ast.parse((room / "__init__.py").read_text(encoding="utf-8"))) or ""
    named = set(re.findall(r"^([\w]+\.py|\w+/)(?=\s{2,}\S)", note, re.MULTILINE))
    files = {path.name for path in room.glob("*.py")} - {"__init__.py", "__main__.py"}
    rooms = {f"{path.parent.name}/" for path in room.glob("*/__init__.py")}
    assert named == files | rooms


def _texts() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    texts = (ROOT / name for name in listed if name.endswith((".py", ".md")))
    # Tests name files of their own making; what an ADR or the change log says was true when it was written.
    left_out = {"adr", "tests", "CHANGELOG.md", "repositories.md"}
    return [path for path in texts if left_out.isdisjoint(path.relative_to(ROOT).parts) and path.exists()]


def test_every_file_that_is_named_is_there() -> None:
    """In documents, comments and docstrings."""
    lost = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in _texts()
        for name in NAMED_FILE.findall(path.read_text(encoding="utf-8"))
        if not (ROOT / name).exists() and not WRITTEN_BY_INIT.match(name)
    }
    assert set() == lost


def test_every_module_that_is_named_is_there() -> None:
    """``policies.paths.rules`` in a docstring leads somewhere, a class or function of it as well."""
    lost = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in _texts()
        for name in NAMED_MODULE.findall(path.read_text(encoding="utf-8"))
        if not _is_there(name)
    }
    assert set() == lost


def _is_there(name: str) -> bool:
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        place = ROOT.joinpath(*parts[:end])
        if place.is_dir() and end == len(parts):
            return True
        file = place.with_suffix(".py") if not place.is_dir() else place / "__init__.py"
        if file.exists():
            return not parts[end:] or bool(re.search(rf"\b{re.escape(parts[end])}\b", file.read_text(encoding="utf-8")))
    return False


def test_every_section_of_the_runbook_that_is_named_is_there() -> None:
    """``runbook §6.3`` leads to a heading or an entry of docs/runbook.md."""
    runbook = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
    there = set(re.findall(r"^(?:##|-) §([\d.]+\d|\d+)", runbook, re.MULTILINE))
    lost = {
        f"{path.relative_to(ROOT)}: §{section}"
        for path in _texts()
        for cited in re.findall(r"runbook ((?:(?:, | and )?§[\d.]*\d)+)", path.read_text(encoding="utf-8"))
        for section in re.findall(r"§([\d.]*\d)", cited)
        if section not in there
    }
    assert set() == lost
