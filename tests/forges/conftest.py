"""A Gitea per test process, and a stage on each forge."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# The supervisor of workers that die.
sys.path.insert(0, str(Path(__file__).parents[1] / "chaos"))

from forge_stages import TOKEN, GiteaStage, Stage, gitea_stage, local_stage
from gitea_server import BOT, PROGRAM, STATIC, GiteaServer, free_port


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever talks to the server is an opt-in: it has to be built first."""
    for item in items:
        needs = {"gitea", "on_gitea"} & set(getattr(item, "fixturenames", ()))
        callspec = getattr(item, "callspec", None)
        if needs or (callspec is not None and callspec.params.get("stage") == "gitea"):
            item.add_marker(pytest.mark.gitea)


@pytest.fixture(scope="session")
def gitea(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GiteaServer]:
    """One server for all tests of a process."""
    if not PROGRAM.exists() or not STATIC.exists():
        pytest.skip("no Gitea here: `make gitea` builds it (needs Go)")
    server = GiteaServer(tmp_path_factory.mktemp("gitea") / "home", free_port())
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def on_gitea(gitea: GiteaServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., GiteaStage]:
    """Makes stages on the Gitea."""
    monkeypatch.setenv(TOKEN, gitea.tokens[BOT])
    monkeypatch.setenv("STAGE_READ_TOKEN", gitea.tokens["reader"])

    def made(**options: object) -> GiteaStage:
        name = f"r{uuid.uuid4().hex[:8]}"
        return gitea_stage(tmp_path / name, gitea, name, **options)

    return made


@pytest.fixture(params=["local", "gitea"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    """The same stage on each forge."""
    if request.param == "local":
        return local_stage(tmp_path / "stage")
    made: Stage = request.getfixturevalue("on_gitea")()
    return made
