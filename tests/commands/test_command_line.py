"""The table of commands: true to what each command says of itself, and nothing is loaded that was not typed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from commands.app import COMMANDS, load
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


def _loaded(tmp_path: Path, *argv: str) -> set[str]:
    program = LOADED.format(argv=["starter.py", *argv])
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"AUTONOMY_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    return set(ast.literal_eval(done.stderr.splitlines()[-1]))


def test_the_overview_loads_no_command(tmp_path: Path) -> None:
    """``--help`` is asked by people and by completion all day."""
    assert set() == _loaded(tmp_path, "--help") & {"temporalio", "pydantic", "adapters", "git"}


def test_who_asks_no_server_loads_no_client(tmp_path: Path) -> None:
    """``runs`` reads the disk: neither Temporal, nor git, nor any workflow."""
    assert set() == _loaded(tmp_path, "runs") & {"temporalio", "git", "workflows", "activities"}


def test_who_asks_a_question_loads_no_worker(tmp_path: Path) -> None:
    """``status`` needs a client, and none of the steps' own means."""
    steps = {"activities.step_session", "activities.after.evidence"}
    assert set() == _loaded(tmp_path, "status") & {"git", "githubkit", "urllib3", "jinja2", *steps}
