"""A Gitea per test process, and a stage on each forge."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# The supervisor of workers that die.
sys.path.insert(0, str(Path(__file__).parents[1] / "chaos"))

from forge_stages import TOKEN, GiteaStage, GitHubStage, Stage, gitea_stage, github_stage, local_stage
from gitea_server import BOT, PROGRAM, STATIC, GiteaServer, free_port
from gitea_world import TOKEN as WORLD_TOKEN
from github_contract import PROGRAM as PRISM
from github_contract import PUBLISHED, Description
from github_server import GitHubServer
from world import World, make_world


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever talks to a server is an opt-in: it has to be built or installed first."""
    for item in items:
        callspec = getattr(item, "callspec", None)
        for kind in ("gitea", "github"):
            needs = {kind, f"on_{kind}", *({"contract"} if kind == "github" else ())} & set(
                getattr(item, "fixturenames", ())
            )
            if needs or (callspec is not None and kind in {callspec.params.get(name) for name in ("stage", "hosted")}):
                item.add_marker(kind)


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


@pytest.fixture(scope="session")
def contract() -> Description:
    """GitHub's published description of what we use."""
    if not PRISM.exists() or not PUBLISHED.exists():
        pytest.skip("no Prism here: `make prism` installs it (needs Node)")
    return Description.published()


@pytest.fixture(scope="session")
def github(contract: Description, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GitHubServer]:
    """One double behind one Prism for all tests of a process."""
    server = GitHubServer(tmp_path_factory.mktemp("github") / "home", contract)
    yield server
    server.stop()


@pytest.fixture
def on_github(
    github: GitHubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., GitHubStage]]:
    """Makes stages on the GitHub; in the end, no request and no answer broke GitHub's contract."""
    monkeypatch.setenv(TOKEN, github.tokens[BOT])
    monkeypatch.setenv("STAGE_READ_TOKEN", github.tokens["reader"])

    def made(**options: object) -> GitHubStage:
        name = f"r{uuid.uuid4().hex[:8]}"
        return github_stage(tmp_path / name, github, name, **options)

    github.broken.clear()
    yield made
    assert [] == github.broken


@pytest.fixture(params=["local", "gitea", "github"])
def stage(request: pytest.FixtureRequest, tmp_path: Path) -> Stage:
    """The same stage on each forge."""
    if request.param == "local":
        return local_stage(tmp_path / "stage")
    made: Stage = request.getfixturevalue(f"on_{request.param}")()
    return made


@pytest.fixture(params=["gitea", "github"])
def hosted(request: pytest.FixtureRequest) -> GiteaStage | GitHubStage:
    """The same stage on each forge that has accounts."""
    made: GiteaStage | GitHubStage = request.getfixturevalue(f"on_{request.param}")()
    return made


@pytest.fixture
async def beside_gitea(
    tmp_path: Path, server: str, environments: Path, gitea: GiteaServer, monkeypatch: pytest.MonkeyPatch
) -> World:
    """An installation that may write to the Gitea; what it may, and its targets, are each file's own."""
    monkeypatch.setenv(WORLD_TOKEN, gitea.tokens[BOT])
    return await make_world(tmp_path / "world", server, environments)
