"""What an operator has in hand."""

from __future__ import annotations

from pathlib import Path

import pytest
from shell import Shell
from world import World, make_world

from settings import ROOT


@pytest.fixture
def policies(tmp_path: Path) -> Path:
    """A policy folder without targets."""
    folder = tmp_path / "policies"
    folder.mkdir()
    for file in (ROOT / "policies").glob("*.toml"):
        (folder / file.name).write_text(file.read_text())
    return folder


@pytest.fixture
def nobody_there(tmp_path: Path, policies: Path) -> Shell:
    """A shell on a machine where no server runs."""
    return Shell(
        {
            "AUTONOMY_HOME": str(tmp_path / "home"),
            "AUTONOMY_POLICIES": str(policies),
            # Port 1 is nobody's: a developer's own server must not answer.
            "TEMPORAL_ADDRESS": "127.0.0.1:1",
        }
    )


@pytest.fixture(scope="module")
async def installation(tmp_path_factory: pytest.TempPathFactory, server: str, environments: Path) -> World:
    """One world for a module whose tests do not disturb each other."""
    made = await make_world(tmp_path_factory.mktemp("installation") / "world", server, environments)
    made.add_target()
    return made
