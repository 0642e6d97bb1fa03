"""A stage per test: one run of one target, ready for any step."""

from __future__ import annotations

from pathlib import Path

import pytest
from world import PACKAGE

from tests.attacks.stage import Stage, make_stage


@pytest.fixture
def stage(tmp_path: Path, environments: Path) -> Stage:
    """One run of one target, ready for any step."""
    return make_stage(tmp_path / "stage", environments, PACKAGE)
