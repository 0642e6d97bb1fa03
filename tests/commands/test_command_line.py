"""The table of commands: true to what each command says of itself, and nothing is loaded that was not typed."""

from __future__ import annotations

import ast
import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer
from shell import shell_of
from typer.testing import CliRunner
from world import World

from commands import doctor
from commands.app import COMMANDS, build_app, load
from commands.budget import cells
from commands.terminal import guarded
from contracts.budget import BudgetLine, Measure
from settings import ROOT

LOADED = """
import runpy, sys
sys.argv = {argv}
try:
    runpy.run_path("starter.py", run_name="starter")["main"]()
finally:
    print(sorted({{name.partition(".")[0] for name in sys.modules}} | {{*sys.modules}}), file=sys.stderr)
"""


@pytest.mark.parametrize("name", COMMANDS)
def test_the_overview_says_what_the_command_says(name: str) -> None:
    """A line of the table that went stale would promise something else than the command's own help."""
    help_text = load(name).help or ""
    assert COMMANDS[name].line == help_text.split("\n")[0]
    assert name == load(name).name


def _commands(command: Any) -> Iterator[Any]:
    yield command
    for each in getattr(command, "commands", {}).values():
        yield from _commands(each)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_is_shown_as_it_was_written_and_offers_what_works(name: str) -> None:
    """A word in brackets is markup there, and vanishes; completion would be of one command, as if it were all."""
    for command in _commands(load(name)):
        said = [command.help, *(each.help for each in command.params if hasattr(each, "help"))]
        assert [] == re.findall(r"\[[a-z#/@][^]]*\]", " ".join(filter(None, said)))
        assert {"install_completion", "show_completion"}.isdisjoint(each.name for each in command.params)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_defaults_that_could_be_typed_and_examples_of_its_own(name: str) -> None:
    """A default outside of its option's range says something else than what happens without the option."""
    for command in _commands(load(name)):
        for each in command.params:
            least, default = getattr(each, "min", None), each.default
            assert least is None or default is None or default >= least, each.name
        examples = re.findall(r"`starter.py (\S+)", command.epilog or "")
        assert name in examples or not examples


@pytest.mark.parametrize(
    ("typed", "missing"),
    [
        ("resume shop", "'--cause' and '--evidence'"),
        ("resume shop --evidence x", "'--cause'"),
        ("budget set shop --period day", "'--measure', '--cap' and '--reason'"),
        ("rollback", "'run_id' and '--reason'"),
        ("decide demo-2026-11-23-pr-1", "'--approve' and '--reason'"),
    ],
)
def test_all_that_is_missing_is_said_at_once(typed: str, missing: str) -> None:
    """With what each means, as ``--help`` says it, and the command's examples; what was given is not asked for."""
    done = CliRunner().invoke(build_app(), typed.split(), prog_name="starter.py", env={"COLUMNS": "200"})
    assert done.exit_code == 2
    assert f"Missing {missing}." in done.output
    command = load(typed.split(maxsplit=1)[0])
    for each in getattr(command, "commands", {}).get("set", command).params:
        if getattr(each, "help", None):
            assert (each.help in done.output) is (f"'{each.opts[0]}'" in missing), each.name
    assert (command.epilog or "Missing")[:40] in done.output or typed.startswith("budget")


@pytest.mark.parametrize("typed", ["mode shop NONE", "try shop --issue 0", "up --port 99999", "budget set --cap -1"])
def test_a_wrong_value_is_said_before_what_is_missing(typed: str) -> None:
    """As the library says it, naming the option."""
    done = CliRunner().invoke(build_app(), typed.split(), prog_name="starter.py", env={"COLUMNS": "200"})
    assert (done.exit_code, "Missing" in done.output) == (2, False)
    assert "Invalid value for" in done.output


def test_ctrl_c_says_what_goes_on(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever stops a command that watches has not stopped what it watched."""

    @guarded
    def watching() -> int:
        raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as end:
        watching()
    assert (end.value.exit_code, "goes on" in capsys.readouterr().err) == (130, True)


def test_minutes_are_shown_as_people_read_them() -> None:
    """Money as it is booked, however little."""
    line = BudgetLine(period="day/2026-11-27", measure=Measure.AGENT_MINUTES, cap=120, spent=2e-05, reserved=0.117687)
    assert cells(line)[2:5] == ("0", "0.1", "120")
    assert cells(line.model_copy(update={"measure": Measure.USD}))[2:4] == ("0.00002", "0.117687")
    tokens = line.model_copy(update={"measure": Measure.TOKENS, "spent": 5_000_000, "reserved": 0})
    assert cells(tokens)[2:4] == ("5000000", "0")


def _loaded(environment: dict[str, str], *argv: str) -> set[str]:
    program = LOADED.format(argv=["starter.py", *argv])
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return set(ast.literal_eval(done.stderr.splitlines()[-1]))


def test_the_overview_loads_no_command(tmp_path: Path) -> None:
    """``--help`` is asked by people and by completion all day."""
    assert set() == _loaded({"AUTONOMY_HOME": str(tmp_path)}, "--help") & {"temporalio", "pydantic", "adapters", "git"}


def test_who_asks_no_server_loads_no_client(tmp_path: Path) -> None:
    """``runs`` reads the disk: neither Temporal, nor git, nor any workflow."""
    assert set() == _loaded({"AUTONOMY_HOME": str(tmp_path)}, "runs") & {"temporalio", "git", "workflows", "activities"}


async def test_who_asks_a_question_loads_what_it_shows(installation: World) -> None:
    """``status`` of a target that ran needs a client: no worker, tracing, policy, nor means of steps."""
    shell = shell_of(installation)
    async with installation.worker():
        await shell.typed("run", "demo", "--mode", "DRY_RUN")
        loaded = await asyncio.to_thread(_loaded, shell.environment, "status")
    steps = {"git", "githubkit", "urllib3", "jinja2", "activities.step_session", "activities.after.evidence"}
    others = {"temporalio.worker", "opentelemetry", "policies.settings", "reporting.run_report_text"}
    assert set() == loaded & (steps | others)
    assert {"commands.status", "contracts.control", "temporalio.client"} <= loaded


def test_a_contract_is_built_when_it_is_used() -> None:
    """A third of what all of them cost is building what a process never reads or writes."""
    program = "from contracts.control import StatusView; print(StatusView.__pydantic_complete__)"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert "False\n" == done.stdout


@pytest.mark.parametrize(("heads", "well"), [(("main", "autonomy/t-1"), True), (("main", "autonomy"), False)])
def test_doctor_names_a_branch_that_keeps_ours_out(
    monkeypatch: pytest.MonkeyPatch, heads: tuple[str, ...], well: bool
) -> None:
    """Git keeps a branch as a file or as a folder: each run would do its work, and be refused at its push."""
    mirror = SimpleNamespace(remote_heads=lambda: dict.fromkeys(heads, "a" * 40), default_branch=lambda: "main")
    monkeypatch.setattr(doctor, "open_repository", lambda _settings, _target: mirror)
    target = SimpleNamespace(name="demo", base_branch="main")
    name, fine, said, _ = doctor._base(SimpleNamespace(settings=None), target)  # type: ignore[arg-type]  # so much is used
    assert ("demo base", well, not well) == (name, fine, "called autonomy keeps" in said)
