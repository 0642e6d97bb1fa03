"""A GitHub App instead of tokens: signed for by its key, scoped to one repository and one use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from forge_stages import GitHubStage
from github_server import App

from adapters.forges.github import app_tokens
from adapters.forges.http.tokens import TOKEN_VARIABLE, reading_environment, writing_environment
from contracts.modes import WriteAction
from ports.forge import ForgeError

KEY = "STAGE_APP_KEY"  # the variable's name
NONE: dict[str, object] = {"variable": "", "command": ()}


@pytest.fixture
def as_app(on_github: Callable[..., GitHubStage], monkeypatch: pytest.MonkeyPatch) -> GitHubStage:
    """A stage in a private repository whose target is an App's."""
    stage = on_github(private=True)
    app = stage.server.app
    monkeypatch.setenv(KEY, app.pem)
    monkeypatch.setattr(app_tokens, "_KEPT", {})
    stage.server.minted.clear()
    access = {"id": str(app.number), "installation": app.installation, "key": {"variable": KEY}}
    return stage.through(stage.server.address, account=f"{app.slug}[bot]", write=NONE, read=NONE, app=access)


def test_an_app_pushes_opens_reads_and_lands(as_app: GitHubStage) -> None:
    """The whole stage, each write with a token of its own, reading with one that may only read."""
    pull = as_app.opened()
    assert as_app.perform(as_app.effect(WriteAction.OPEN_PULL_REQUEST)).adopted
    assert pull == as_app.shown()
    assert as_app.perform(as_app.effect(WriteAction.OPEN_TICKET, branch="", head_sha="")).done
    assert as_app.perform(as_app.landing()).done
    reads = [asked for asked in as_app.server.minted if "write" not in asked["permissions"].values()]
    writes = [asked for asked in as_app.server.minted if "write" in asked["permissions"].values()]
    assert (1, 6) == (len(reads), len(writes))
    assert {as_app.repository.split("/")[1]} == {
        name for asked in as_app.server.minted for name in asked["repositories"]
    }
    assert {"contents", "issues", "pull_requests", "metadata"} == set(writes[0]["permissions"])


def test_the_child_gets_a_token_and_never_the_key(as_app: GitHubStage) -> None:
    """Short-lived, and its own for each write."""
    first, second = (writing_environment(as_app.target)[TOKEN_VARIABLE] for _ in range(2))
    assert first.startswith("ghs_")
    assert first != second
    kept = [reading_environment(as_app.target)[TOKEN_VARIABLE] for _ in range(2)]
    assert 1 == len(set(kept))
    assert not any("PRIVATE" in value for value in writing_environment(as_app.target).values())


def test_a_token_to_read_is_renewed_before_it_ends(as_app: GitHubStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that has less than a step's time left is not used."""
    first = reading_environment(as_app.target)[TOKEN_VARIABLE]
    monkeypatch.setattr(app_tokens, "_LEFT_SECONDS", 2 * 3600)
    assert first != reading_environment(as_app.target)[TOKEN_VARIABLE]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"account": "other[bot]"}, r"is autonomy-app\[bot\], not"),
        ({"app": {"id": "4711", "installation": 78, "key": {"variable": KEY}}}, "404.*making a token"),
        ({"app": {"id": "4712", "installation": 77, "key": {"variable": KEY}}}, "401"),
        ({"app": {"id": "4711", "installation": 77, "key": {"variable": "NO_KEY"}}}, "NO_KEY is not set"),
        ({"app": {"id": "4711", "installation": 77, "key": {"command": ("echo", "x")}}}, "no private key in PEM"),
    ],
)
def test_what_is_wrong_with_an_app_is_told(as_app: GitHubStage, change: dict[str, object], words: str) -> None:
    """By setting, before anything is asked of the repository."""
    wrong = as_app.target.forge_access.model_dump() | change
    target = as_app.target.model_copy(update={"forge_access": type(as_app.target.forge_access).model_validate(wrong)})
    with pytest.raises(ForgeError, match=words):
        writing_environment(target)


def test_another_key_signs_nothing(as_app: GitHubStage, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """GitHub's answer is told, the key is not; a command may print it, and lines may be written as one."""
    monkeypatch.setenv(KEY, App().pem)
    with pytest.raises(ForgeError, match="401") as error:
        writing_environment(as_app.target)
    assert "PRIVATE" not in str(error.value)
    monkeypatch.setenv(KEY, as_app.server.app.pem.replace("\n", "\\n"))
    assert writing_environment(as_app.target)
    (tmp_path / "key").write_text(as_app.server.app.pem)
    app = {"id": "4711", "installation": 77, "key": {"command": ("cat", str(tmp_path / "key"))}}
    assert writing_environment(as_app.through(as_app.server.address, app=app).target)


def test_an_installation_that_lacks_a_right_is_told(as_app: GitHubStage, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the names of the rights."""
    monkeypatch.setitem(as_app.server.app.rights, "issues", "read")
    with pytest.raises(ForgeError, match=r"422.*pull_requests"):
        writing_environment(as_app.target)
