"""Secrets of the worker's surroundings are in nothing it leaves behind."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from temporalio.client import WorkflowFailureError
from world import QUICK_CHECK, World, make_world

import composition
from contracts.modes import RunStatus

SECRET = "c4n4ry/s3cret+value"
VARIABLES = (
    "AWS_SECRET_ACCESS_KEY", "GITHUB_TOKEN", "GH_TOKEN", "DATABASE_PASSWORD", "OPENAI_API_KEY", "MY_SECRET",
    "GIT_ASKPASS", "GIT_CONFIG_PARAMETERS", "HTTP_COOKIE",
)  # fmt: skip
TELLS_ALL = """
[[checks]]
name = "tells"
kind = "tests"
argv = ["sh", "-c", "env; cat /proc/*/environ /proc/*/cmdline 2>/dev/null; cat ~/.netrc ~/.git-credentials; true"]
"""


def forms(secret: str) -> tuple[bytes, ...]:
    """Spellings a secret may leak in."""
    plain = secret.encode()
    # Any offset in a longer text: the middle of its base64 is the same for one of three paddings.
    shifted = (base64.b64encode(b"x" * pad + plain)[4:-4] for pad in range(3))
    return (plain, plain[::-1], plain.hex().encode(), quote(secret, safe="").encode(), *shifted)


def hits(needles: tuple[bytes, ...], *places: Path) -> Iterator[str]:
    """Files that hold one of them; names count, too."""
    for place in places:
        for file in [place] if place.is_file() else sorted(place.rglob("*")):
            if not file.is_file() or file.is_symlink():
                continue
            kept = file.read_bytes()
            body = bytes(file) + b"\0" + (gzip.decompress(kept) if file.suffix == ".gz" else kept)
            if any(needle in body for needle in needles):
                yield str(file)


def server_files(factory: pytest.TempPathFactory) -> list[Path]:
    """The embedded server's database, its write-ahead log, its log file."""
    return [file for file in factory.getbasetemp().glob("server*/*") if file.is_file()]


@pytest.fixture
async def kept(tmp_path: Path, environments: Path) -> AsyncIterator[World]:
    """A world on a server that keeps its database in a file, as ``starter.py up`` does."""
    folder = tmp_path / "server"
    folder.mkdir()
    server = await composition.start_embedded_server(folder / "temporal.db", folder / "server.log")
    yield await make_world(tmp_path / "world", server.address, environments)
    await server.stop()


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """A secret in every place a worker has secrets in."""
    for name in VARIABLES:
        monkeypatch.setenv(name, SECRET)
    home = tmp_path / "person"
    home.mkdir()
    (home / ".netrc").write_text(f"machine example.invalid login x password {SECRET}\n")
    (home / ".git-credentials").write_text(f"https://x:{SECRET}@example.invalid\n")
    (home / ".gitconfig").write_text(f'[user]\n\tname = {SECRET}\n[http]\n\textraHeader = "X: {SECRET}"\n')
    monkeypatch.setenv("HOME", str(home))
    return SECRET


async def test_no_secret_of_the_worker_is_left_anywhere(kept: World, secrets: str, tmp_path: Path) -> None:
    """A check prints all it can see: nothing in artifacts, logs, pull request, mirror, remote, history, database."""
    world = kept
    world.add_target("nosy", more=QUICK_CHECK + TELLS_ALL)
    async with world.worker():
        result = await world.run("nosy")

    database = sorted((tmp_path / "server").iterdir())
    run = world.settings.artifacts / "runs" / result.run_id
    places = (world.settings.home, world.root / "nosy.git", *database)
    assert RunStatus.PR_OPENED is result.status, result.reason
    assert [] == list(hits(forms(secrets), *places))
    # The check did look, and the search does find: the run's own id is in history, log and database.
    assert "PATH=" in (run / "checks" / "tells-1.txt").read_text()
    found = set(hits((result.run_id.encode(),), *places))
    assert {str(run / "history.json.gz"), str(run / "audit_log.jsonl")} < found
    assert str(tmp_path / "server" / "temporal.db") in {name.removesuffix("-wal") for name in found}


REMOTES = (
    f"https://person:{quote(SECRET, safe='')}@example.invalid/x.git",
    f"https://{quote(SECRET, safe='')}@example.invalid/x.git",
    f"ssh://person:{quote(SECRET, safe='')}@example.invalid/x.git",
)


@pytest.mark.parametrize("remote", REMOTES, ids=("password", "token as user name", "password over ssh"))
async def test_credential_in_a_remote_is_refused_unseen(
    remote: str, world: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Refused before the policy is kept with a run; the refusal names the host and not the secret."""
    world.write_target("demo", QUICK_CHECK, remote=remote)
    async with world.worker():
        with pytest.raises(WorkflowFailureError) as failed:
            await world.run()
    cause = failed.value.cause.__cause__
    assert "example.invalid holds a credential: take it out of the address" in str(cause)
    assert [] == list(hits(forms(SECRET), world.settings.home, *server_files(tmp_path_factory)))


def test_the_search_finds_every_form(tmp_path: Path) -> None:
    """The measure itself can fail."""
    inside = [base64.b64encode(f"{'-' * pad}{SECRET} and more".encode()).decode() for pad in range(3)]
    texts = [SECRET, SECRET[::-1], SECRET.encode().hex(), quote(SECRET, safe=""), *inside]
    for number, text in enumerate(texts):
        (tmp_path / str(number)).write_text(json.dumps(text).replace("\\/", "/"))
    assert 7 == len(list(hits(forms(SECRET), tmp_path)))
