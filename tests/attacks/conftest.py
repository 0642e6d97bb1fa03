"""A stage per test, and a canary that only a command of the repository could make."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attacks.stage import Stage, make_stage


@pytest.fixture
def stage(tmp_path: Path, environments: Path) -> Stage:
    """One run of one target, ready for any step."""
    return make_stage(tmp_path / "stage", environments)


@pytest.fixture
def canary(tmp_path: Path) -> Iterator[Path]:
    """Never there afterwards: nothing of a repository runs on the host (P8)."""
    path = tmp_path / "CANARY"
    yield path
    assert not path.exists(), "a command of the repository ran on the host"
