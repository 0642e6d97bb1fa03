"""What keeps a run from its repository (item 34): heard with its cure, FAILED, and the idea comes again once mended."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from forge_stages import soon
from gitea_server import BOT, BOT_SCOPES, GiteaServer
from gitea_world import Hosted, host
from world import NO_CI, make_world

from contracts.modes import RunStatus
from tests.workflows.quick import CHECK, quick

Deed = Callable[[Hosted], object]
GOOD, REVOKED, MUTE = "OUT_GOOD_TOKEN", "OUT_REVOKED_TOKEN", "OUT_MUTE_TOKEN"  # the variables' names


def _renamed(hosted: Hosted) -> None:
    # Renamed before it has looked at the first push, Gitea never comes to know the branch.
    soon(lambda: not hosted.ask("GET", "")["empty"])
    hosted.repository = hosted.ask("PATCH", "", name=f"{hosted.repository.split('/')[1]}-moved")["full_name"]


def _right(level: str) -> Deed:
    return lambda hosted: hosted.ask("PUT", f"/collaborators/{BOT}", permission=level)


def _set(**how: bool) -> Deed:
    return lambda hosted: hosted.ask("PATCH", "", **how)


def _nothing(_hosted: Hosted) -> None:
    pass


OBSTACLES: dict[str, tuple[str, Deed, Deed, str]] = {
    "archived": (GOOD, _set(archived=True), _set(archived=False), "unarchive the repository"),
    "private": (GOOD, _set(private=True), _set(private=False), r"set \[forge_access\] read.variable of .*private.toml"),
    "renamed": (GOOD, _renamed, _nothing, "-moved now.* set `remote` in targets/renamed.toml to the repository's"),
    "unpermitted": (GOOD, _right("read"), _right("write"), f"give {BOT} the right to write"),
    "revoked": (REVOKED, _nothing, _nothing, f"renew the token of the variable {REVOKED}"),
    "mute": (MUTE, _nothing, _nothing, f"give {BOT} the right to write, and the token of the variable {MUTE} the sc"),
}
"""Which token the target names, what happens, how a person mends it, and what they are told."""


IN_MAKE_TEST = ("renamed", "unpermitted")
"""Heard when looking, heard when writing. Each one's cure, as the forge's adapter tells it: test_gitea.py."""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("names", [IN_MAKE_TEST, pytest.param(tuple(OBSTACLES), marks=pytest.mark.sweep)])
async def test_what_keeps_us_out_is_heard_and_suppresses_nothing(
    tmp_path: Path,
    server: str,
    environments: Path,
    gitea: GiteaServer,
    monkeypatch: pytest.MonkeyPatch,
    names: tuple[str, ...],
) -> None:
    """Whole runs against a real forge, side by side, each before and after somebody mended it."""
    world = await make_world(tmp_path / "world", server, environments)
    obstacles = {name: OBSTACLES[name] for name in names}
    hosted = {name: host(world, gitea, name) for name in obstacles}
    monkeypatch.setenv(GOOD, gitea.tokens[BOT])
    monkeypatch.setenv(REVOKED, "0" * 40)
    monkeypatch.setenv(MUTE, gitea.token(BOT, "read:repository,read:issue,read:user"))

    def point(name: str) -> None:
        access = f'\n[forge_access]\naccount = "{BOT}"\nwrite.variable = "{OBSTACLES[name][0]}"\n'
        remote = gitea.remote(hosted[name].repository)
        world.write_target(name, access + NO_CI + CHECK, remote=remote, forge="gitea")

    for name, (_variable, happens, _mends, _cure) in obstacles.items():
        point(name)
        happens(hosted[name])
    async with world.worker(quick(world)):
        results = dict(zip(obstacles, await asyncio.gather(*(world.run(name) for name in obstacles)), strict=True))
        heard = [json.loads(line) for line in (world.settings.home / "alerts.jsonl").read_text().splitlines()]
        for name, (_variable, _happens, mends, _cure) in obstacles.items():
            mends(hosted[name])
            point(name)
        for variable in (REVOKED, MUTE):
            monkeypatch.setenv(variable, gitea.token(BOT, BOT_SCOPES))
        again = dict(
            zip(obstacles, await asyncio.gather(*(world.run(name, again=True) for name in obstacles)), strict=True)
        )
    for name, (_variable, _happens, _mends, cure) in obstacles.items():
        result = results[name]
        assert RunStatus.FAILED is result.status, (name, result.reason)
        assert re.search(cure, result.reason), (name, result.reason)
        assert 1 == result.reason.count("To mend it: "), (name, result.reason)
        alerts = [each for each in heard if each["target"] == name]
        assert ["run_failed"] == [each["kind"] for each in alerts], alerts
        assert "To mend it: " in alerts[0]["summary"]
        assert RunStatus.PR_OPENED is again[name].status, (name, again[name].reason)
        assert 1 == len(hosted[name].pulls())
