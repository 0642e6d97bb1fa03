"""Commands typed with no server, or with no worker, say so and end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from pydantic import ValidationError
from shell import Shell, shell_of
from world import World

import composition
from adapters.store.run_index import RunIndex
from commands import home
from settings import ROOT, Settings
from tests.adapters.test_run_index import ended

COMMANDS = (
    ("status",),
    ("queue", "demo"),
    ("watch", "demo"),
    ("pause", "--all", "--reason", "x"),
    ("resume", "--all", "--cause", "a cause", "--evidence", "evidence"),
    ("mode", "demo", "DRY_RUN", "--reason", "because"),
    ("decide", "demo-2026-01-01-pr-1", "--approve", "--reason", "because"),
    ("schedule", "list"),
)


@pytest.mark.parametrize("argv", COMMANDS, ids=lambda argv: argv[0])
def test_without_a_server_one_sentence_and_its_own_status(nobody_there: Shell, argv: tuple[str, ...]):
    """Exit status 20 and how to start one; never a traceback."""
    done = nobody_there.type(*argv)
    assert 20 == done.status, done.err
    assert "starter.py up" in done.err
    assert 1 == len(done.err.strip().splitlines())


@pytest.mark.parametrize("argv", COMMANDS, ids=lambda argv: argv[0])
def test_with_a_port_of_its_own_no_command_asks_a_stranger(tmp_path: Path, policies: Path, argv: tuple[str, ...]):
    """AUTONOMY_SERVER_PORT is set and no server of this home runs: whoever has Temporal's usual port is not asked."""
    shell = Shell(
        {"AUTONOMY_HOME": str(tmp_path / "home"), "AUTONOMY_POLICIES": str(policies), "AUTONOMY_SERVER_PORT": "1"}
    )
    done = shell.type(*argv)
    assert 20 == done.status, done.err
    assert "AUTONOMY_SERVER_PORT is set, and no server of this AUTONOMY_HOME runs" in done.err


@pytest.mark.parametrize(
    ("set_to", "argv", "said"),
    [
        ({"AUTONOMY_SERVER_PORT": "70000"}, ("status",), "server_port must be less than or equal to 65535"),
        ({"AUTONOMY_UI_PORT": "-1"}, ("status",), "ui_port must be greater than or equal to 0"),
        ({"AUTONOMY_CONCURRENT_STEPS": "0"}, ("status",), "concurrent_steps must be greater than or equal to 1"),
        ({}, ("up", "--port", "4444", "--ui-port", "4444"), "server and UI cannot share port 4444"),
    ],
    ids=["no such port", "below zero", "no step at all", "one port twice"],
)
def test_a_setting_that_cannot_be_is_named(
    tmp_path: Path, policies: Path, set_to: dict[str, str], argv: tuple[str, ...], said: str
):
    """One sentence and exit status 2, before anything is started."""
    shell = Shell({"AUTONOMY_HOME": str(tmp_path / "home"), "AUTONOMY_POLICIES": str(policies), **set_to})
    done = shell.type(*argv)
    assert 2 == done.status, done.err
    assert said in done.err


async def test_without_a_worker_a_run_is_not_waited_for(world: World):
    """After ten seconds the command says so; the run stays and begins when a worker comes."""
    shell = shell_of(world)
    done = await shell.typed("run", "demo", "--mode", "DRY_RUN", "--json")
    assert 20 == done.status
    assert "no worker" in done.json["error"]
    async with world.worker():
        later = await shell.typed("run", "demo", "--mode", "DRY_RUN", "--json")
    assert "DRY_RUN_COMPLETE" == later.json["status"], later.err


async def test_without_a_worker_the_brake_is_recorded(world: World):
    """The command says exactly that, and a worker that comes later finds the target paused."""
    shell = shell_of(world)
    recorded = await shell.typed("pause", "demo", "--reason", "at night", "--json")
    assert 0 == recorded.status, recorded.err
    assert {"recorded": True, "inForce": False, "quiescent": None} == recorded.json
    assert "in force once a worker runs" in recorded.err
    async with world.worker():
        held = await shell.typed("pause", "demo", "--reason", "again", "--wait")
        refused = await shell.typed("run", "demo")
    assert 0 == held.status, held.err
    # Refused, or queued by a Control that was just born and cancelled with the queue.
    assert refused.status in {11, 13}, refused.out
    assert [] == world.autonomy_branches()


def test_up_serves_one_home_once_and_ends_in_order(tmp_path: Path, policies: Path):
    """A second `up` is refused with the first one's address; commands find it; Ctrl-C ends worker and server."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("TEMPORAL_", "AUTONOMY_"))},
        "AUTONOMY_HOME": str(tmp_path / "home"),
        "AUTONOMY_POLICIES": str(policies),
    }
    starter = [sys.executable, str(ROOT / "starter.py")]
    ports = ["--port", str(_free_port()), "--ui-port", str(_free_port())]
    first = subprocess.Popen(
        [*starter, "up", *ports], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert first.stdout is not None
        address = first.stdout.readline().split()[-1]
        first.stdout.readline()
        shell = Shell({**environment, "TEMPORAL_ADDRESS": ""})
        second = shell.type("up", "--port", str(_free_port()), "--ui-port", str(_free_port()))
        assert 11 == second.status
        assert address in second.err
        # A process that used the Temporal client may abort in teardown: each must leave with the status it meant.
        for _ in range(10):
            done = subprocess.run([*starter, "status"], env=environment, capture_output=True, text=True, check=False)
            assert (0, "") == (done.returncode, done.stderr)
    finally:
        first.send_signal(signal.SIGINT)
        _, said = first.communicate(timeout=60)
    assert 0 == first.returncode, said
    assert 20 == shell.type("status").status


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def test_the_server_and_a_workers_imports_begin_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Else `up` waits for one after the other: here the server does not answer before the imports have begun."""
    importing = threading.Event()

    async def server(*_given: object) -> str:
        return "server" if await asyncio.to_thread(importing.wait, 5) else "too late"

    monkeypatch.setattr(composition, "start_embedded_server", server)
    monkeypatch.setattr(home, "import_module", lambda _name: importing.set())
    assert "server" == await home._started(Settings(home=tmp_path), 0, 0)


def test_a_list_shows_the_newest_and_says_that_there_are_more(nobody_there: Shell, tmp_path: Path):
    """``runs`` of an installation that ran for years."""
    index = RunIndex(tmp_path / "home" / "artifacts")
    for number in range(4):
        index.add(ended(number))
    short, whole = nobody_there.type("runs", "--limit", "3"), nobody_there.type("runs")

    assert (0, True, False) == (short.status, "demo-1" in short.out, "demo-0" in short.out)
    assert ("older runs: --limit" in short.err, "older runs" in whole.err) == (True, False)


@pytest.mark.parametrize(("targets", "status"), [('["example"]', 0), ('["exmaple"]', 16)])
def test_a_task_of_a_target_that_nobody_has_is_said(nobody_there: Shell, policies: Path, targets: str, status: int):
    """No target's own policy is wrong by it, so nothing else says why the task never comes."""
    (policies / "targets").mkdir()
    (policies / "targets/example.toml").write_text((ROOT / "examples/targets/example.toml").read_text())
    said = 'name = "gaps"\ntitle = "Test more"\nprompt = "Write tests that are missing."\nmeasure = "acceptance"'
    (policies / "tasks.toml").write_text(f"[[tasks]]\n{said}\ntargets = {targets}\n")
    done = nobody_there.type("policy", "check")
    assert status == done.status, done.out
    assert (status == 16) == (
        "tasks.toml\ntasks.gaps.targets: no target is called 'exmaple'; did you mean example?" in done.out
    )
    (policies / "task.toml").touch()
    (policies / "pyproject.toml").touch()
    done = nobody_there.type("policy", "check")
    assert "task.toml\nnobody reads a file of this name; did you mean tasks.toml?" in done.out
    assert (done.status, "pyproject.toml" in done.out) == (16, False)


@pytest.mark.parametrize(
    ("typed", "status", "says"),
    [
        ("policy explain dem", 16, "no target 'dem' in"),
        ("policy explain exmple", 16, "did you mean example?"),
        ("why INC-demo", 2, "is not an incident's id"),
        ("run example --grant nope", 2, "--grant 'nope' is no run id"),
        ("issue show example 7", 2, "example has no issue 7: see `starter.py issue list example --all`"),
        ("silence run_failed", 2, "say how long by --for (30m, 2h, 1d), and why by --reason"),
        ("up --port 99999", 2, "--port"),
        ("try example --task a --issue 1", 2, "one of the two"),
    ],
)
def test_what_was_mistyped_is_named(nobody_there: Shell, policies: Path, typed: str, status: int, says: str):
    """In words of the command line, with what to type instead; no server is asked for that."""
    (policies / "targets").mkdir()
    (policies / "targets/example.toml").write_text((ROOT / "examples/targets/example.toml").read_text())
    done = nobody_there.type(*typed.split())
    assert (status, True) == (done.status, says in done.err), done.err


def test_a_place_set_to_nothing_is_not_set_and_a_tilde_is_the_users_home(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """By a service manager or a compose file, say, which read no variable as a shell does."""
    plain = Settings()
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("HOME", "POLICIES", "SERVER_PORT"):
        monkeypatch.setenv(f"AUTONOMY_{name}", "")
    unset = Settings()
    assert (plain, set()) == (unset, unset.model_fields_set)
    monkeypatch.setenv("AUTONOMY_POLICIES", "rules")
    assert Path("rules").absolute() == Settings().policies
    monkeypatch.setenv("AUTONOMY_HOME", "~/kept")
    assert tmp_path / "kept" == Settings().home
    monkeypatch.setenv("AUTONOMY_HOME", "~nobody-of-this-name/kept")
    with pytest.raises(ValidationError, match="home directory"):
        Settings()
