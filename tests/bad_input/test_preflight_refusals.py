"""What keeps a run from starting at all: REFUSED with the reason, and nothing was run (runbook §3, P8, P13)."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import world as world_module
from world import PACKAGE, REVIEWED, World, git

from activities.run.checking import CheckRunner
from activities.run.preflight import Preflight
from adapters.git import merging
from adapters.git.environment import ClosedGit
from contracts.handover import StepResult
from contracts.verdict import Decision
from ports.environments import Environments
from ports.repository import MergeResult
from tests.attacks.stage import Stage, done, make_stage


def preflight(stage: Stage, environments: Environments | None = None) -> StepResult:
    """The step alone, before the base is known; in the environments that were made before, unless in others."""
    room = CheckRunner(environments or stage.bench.environments, stage.bench.sandbox)
    return done(Preflight(stage.bench, room).preflight, stage.given().model_copy(update={"base_sha": ""}))


def gone(world: World) -> None:
    """Nothing is there."""
    shutil.rmtree(world.remote)


def no_repository(world: World) -> None:
    """A folder that is no repository."""
    shutil.rmtree(world.remote)
    world.remote.mkdir()


def empty(world: World) -> None:
    """A repository without a commit."""
    shutil.rmtree(world.remote)
    world.remote.mkdir()
    git("init", "--quiet", "--bare", cwd=world.remote)


def shallow(world: World) -> None:
    """A clone that lacks its history."""
    work = world.root / "demo-work"
    (work / "more.txt").write_text("more\n")
    git("add", "--all", cwd=work)
    git("commit", "--quiet", "--message=Second", cwd=work)
    shutil.rmtree(world.remote)
    git("clone", "--quiet", "--bare", "--depth=1", f"file://{work}", str(world.remote), cwd=world.root)


def without_main(world: World) -> None:
    """The base branch was renamed."""
    git("branch", "--move", "main", "trunk", cwd=world.remote)


REMOTES: dict[str, tuple[Callable[[World], None], str]] = {
    "gone": (gone, "cannot be reached"),
    "no repository": (no_repository, "cannot be reached"),
    "empty": (empty, "is empty: push a first commit to main"),
    "shallow": (shallow, "is a shallow clone"),
    "base branch missing": (without_main, "has no branch 'main'; it has: trunk"),
}


@pytest.mark.parametrize("name", REMOTES)
def test_remote_that_cannot_be_used_is_refused(name: str, stage: Stage) -> None:
    """Each with its own sentence, as a decision and not as an error that is tried again."""
    act, says = REMOTES[name]
    act(stage.world)
    result = preflight(stage)
    assert Decision.DENY is result.verdict.decision
    assert says in result.verdict.reason


CHECKS = {
    "none": ("# no checks\n", "no required check is configured for demo: add one to its [[checks]]"),
    "only optional ones": (
        '[[checks]]\nname = "lint"\nkind = "lint"\nargv = ["true"]\nrequired = false\n',
        "no required check is configured for demo",
    ),
    "red": ('[[checks]]\nname = "unit"\nkind = "tests"\nargv = ["false"]\n', "check unit is red"),
    "not there": (
        '[[checks]]\nname = "unit"\nkind = "tests"\nargv = ["no-such-program"]\n',
        "check unit could not be run",
    ),
}


@pytest.mark.parametrize("name", CHECKS)
def test_base_without_green_checks_is_refused(name: str, tmp_path: Path, environments: Path) -> None:
    """No required check, or one that is not green on the base: refused by its name."""
    more, says = CHECKS[name]
    result = preflight(make_stage(tmp_path / "stage", environments, PACKAGE, more))
    assert Decision.DENY is result.verdict.decision
    assert says in result.verdict.reason


@pytest.mark.parametrize("days", [-91, 2])
def test_policy_nobody_looked_at_lately_is_refused(
    days: int, tmp_path: Path, environments: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reviewed too long ago, or in the future: refused, with the file to look at."""
    monkeypatch.setattr(world_module, "REVIEWED", REVIEWED + timedelta(days=days))
    result = preflight(make_stage(tmp_path / "stage", environments, PACKAGE))
    assert Decision.DENY is result.verdict.decision
    assert "set [review] on in targets/demo.toml" in result.verdict.reason


def no_bwrap(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with git and without bubblewrap."""
    for name in ("env", "git"):
        (folder / name).symlink_to(shutil.which(name) or "")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr("adapters.sandbox.bwrap_program.importlib.util.find_spec", lambda name: None)


SPEAKING_STUB = f"""#!{Path(sys.executable).resolve()}
import os, subprocess, sys
arguments = sys.argv[1:]
if arguments == ["--version"]:
    print("bubblewrap 0.11.0"); sys.exit()
reports = [int(arguments[i + 1]) for i, word in enumerate(arguments) if word == "--json-status-fd"]
for report in reports:
    os.write(report, b'{{ "child-pid": %d }}\\n' % os.getpid())
tree = [arguments[i + 1] for i, word in enumerate(arguments) if word == "--bind"][0]
command = [word.replace("/work", tree) for word in arguments[arguments.index("/usr/bin/prlimit"):]]
code = subprocess.call(command, cwd=tree)
for report in reports:
    os.write(report, b'{{ "exit-code": %d }}\\n' % code)
"""
STUBS = {
    "fails": '#!/bin/sh\n[ "$1" = --version ] && echo bubblewrap 0.11.0 && exit 0\nexit 1\n',
    "is silent": "#!/bin/sh\nexit 0\n",
    "runs everything unconfined": SPEAKING_STUB,
}


def stub(script: str) -> Callable[[Path, pytest.MonkeyPatch], None]:
    """A program of that name in front of the real one."""

    def act(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (folder / "bwrap").write_text(script)
        (folder / "bwrap").chmod(0o755)
        monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    return act


SANDBOXES = {"missing": no_bwrap} | {name: stub(script) for name, script in STUBS.items()}


@pytest.mark.parametrize("name", SANDBOXES)
def test_without_a_sandbox_that_holds_nothing_is_run(
    name: str, tmp_path: Path, environments: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P8: fail closed; neither the check nor the package's build ran, not even once."""
    canary = tmp_path / "CANARY"
    more = f'[[checks]]\nname = "unit"\nkind = "tests"\nargv = ["touch", "{canary}"]\n'
    stage = make_stage(tmp_path / "stage", environments, PACKAGE, more)
    folder = tmp_path / "bin"
    folder.mkdir()
    SANDBOXES[name](folder, monkeypatch)
    result = preflight(stage, stage.adapters.environments)
    assert Decision.DENY is result.verdict.decision
    assert "bubblewrap" in result.verdict.reason or "self-test" in result.verdict.reason
    assert not canary.exists()
    assert not (stage.world.settings.artifacts / "runs" / stage.run.run_id / "checks").exists()


def test_good_machine_passes(stage: Stage) -> None:
    """The counterpart of every refusal here."""
    assert preflight(stage).verdict.allowed


def test_a_rollback_that_restores_another_tree_is_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The drill runs the very code of real rollbacks: where that undoes nothing, nothing may begin."""

    def undoes_nothing(git: ClosedGit, merged: str, onto: str, message: str) -> MergeResult:
        tree = git.run("rev-parse", "--verify", f"{onto}^{{tree}}").text
        return MergeResult(
            commit=merging.commit(git, tree, (onto,), "nothing", merging.committed_at(git, onto)), tree=tree
        )

    monkeypatch.setattr(merging, "revert", undoes_nothing)
    result = preflight(stage)
    assert Decision.DENY is result.verdict.decision
    assert "the restored tree differs" in result.verdict.reason
