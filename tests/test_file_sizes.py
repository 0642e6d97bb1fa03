"""One module, one thing: small files with names that say what is in them."""

from __future__ import annotations

from pathlib import Path

from settings import ROOT

SAYS_NOTHING = {"utils", "helpers", "common", "manager", "misc", "tools_common"}
SKIPPED = {".venv", ".git", ".cache", ".autonomy"}


def _modules() -> list[Path]:
    found = (path for path in ROOT.rglob("*.py") if SKIPPED.isdisjoint(path.relative_to(ROOT).parts))
    return sorted(path.relative_to(ROOT) for path in found)


def test_files_stay_small():
    """A soft end at 450 lines: a file holds one concept whole, and who wants more has two things in it."""
    lines = {path: len((ROOT / path).read_text(encoding="utf-8").splitlines()) for path in _modules()}
    assert {} == {str(path): count for path, count in lines.items() if count >= 450}


def test_names_say_what_is_in_the_file():
    """No drawer for everything."""
    assert [] == [str(path) for path in _modules() if path.stem in SAYS_NOTHING]
