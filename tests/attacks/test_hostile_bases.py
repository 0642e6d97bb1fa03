"""Repositories that are hostile from their first commit: a run ends with a name for it, and the worker goes on (P8)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from world import PACKAGE, World, git

from activities.run.checking import CheckRunner
from activities.run.preflight import Preflight
from contracts.handover import StepResult
from contracts.modes import RunStatus
from contracts.verdict import Decision
from policies.verdicts import deciding
from tests.attacks.stage import Stage, done, make_stage

TIGHT = "seconds = 20\ncpu_seconds = 20\nmemory_mb = 512\nprocesses = 64\nfile_mb = 64\noutput_kb = 64\n"
MARK = f"autonomy-hostile-check-{os.getpid()}"


def commit(world: World, name: str = "demo") -> None:
    """Commit whatever stands in the work folder, and push it."""
    work = world.root / f"{name}-work"
    git("add", "--all", "--force", cwd=work)
    git("commit", "--quiet", "--message=Hostile", cwd=work)
    git("push", "--quiet", "--force", str(world.root / f"{name}.git"), "HEAD:main", cwd=work)


def fill_with_tricks(work: Path, canary: Path, outside: Path) -> None:
    """All at once: what each of them would do alone, the canary tells."""
    touch = f"import os; os.system('touch {canary}')\n"
    for folder in ("hooks", ".githooks", ".git-templates/hooks", "buried.git/hooks"):
        (work / folder).mkdir(parents=True)
        for hook in ("post-checkout", "pre-commit", "reference-transaction"):
            (work / folder / hook).write_text(f"#!/bin/sh\ntouch {canary}\n")
            (work / folder / hook).chmod(0o755)
    (work / "buried.git" / "HEAD").write_text("ref: refs/heads/main\n")
    (work / "buried.git" / "config").write_text(f"[core]\n\tbare = true\n\tfsmonitor = touch {canary}\n")
    (work / "outside").symlink_to(outside)
    (work / "passwd.py").symlink_to("/etc/passwd")
    (work / "pkg" / "loop").symlink_to("..")
    (work / "autonomy-rollback-drill.txt").symlink_to(outside / "written-by-the-drill")
    (work / "windows.py").write_bytes(b'"""Recieve."""\r\nX = 1\r\n')
    (work / "naïve_тест.py").write_text("X = 1\n")
    Path(os.fsdecode(os.fsencode(work) + b"/caf\xe9.py")).write_text("X = 1\n")
    (work / "empty.py").write_text("")
    (work / "broken.py").write_text("def (:\n")
    (work / "ruff.toml").write_text('extend = "/etc/passwd"\nline-length = 100\n')
    for name in ("conftest.py", "sitecustomize.py", "setup.py"):
        (work / name).write_text(touch + "import setuptools; setuptools.setup()\n" * (name == "setup.py"))
    (work / "many").mkdir()
    for number in range(2000):
        (work / "many" / f"f{number}.txt").write_text(f"{number}\n")
    (work / "backend.py").write_text(touch + "from setuptools.build_meta import *\n")
    (work / "pyproject.toml").write_text(
        '[project]\nname = "pkg"\nversion = "1.0"\n[tool.setuptools]\npackages = ["pkg"]\n'
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    (work / ".gitattributes").write_text(
        "* text eol=crlf ident filter=evil diff=evil\n*.py working-tree-encoding=UTF-16\n"
    )


def submodule(work: Path) -> None:
    """An entry whose commit is nowhere."""
    git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},sub", cwd=work)


async def test_base_full_of_tricks_runs_nothing_and_writes_nowhere(world: World, canary: Path, tmp_path: Path) -> None:
    """Hooks, attributes, links, submodule, odd names, broken and hostile configuration: one run to its end."""
    outside = tmp_path / "outside"
    outside.mkdir()
    work = world.root / "demo-work"
    fill_with_tricks(work, canary, outside)
    # Enough that can be looked at: what cannot be lowers the completeness by its share.
    for number in range(20):
        (work / "pkg" / f"plain_{number}.py").write_text('"""Plain."""\n')
    attributes = (work / ".gitattributes").read_bytes()
    (work / ".gitattributes").unlink()
    git("add", "--all", "--force", cwd=work)
    submodule(work)
    (work / ".gitattributes").write_bytes(attributes)
    git("update-index", "--add", ".gitattributes", cwd=work)
    git("commit", "--quiet", "--message=Hostile", cwd=work)
    git("push", "--quiet", str(world.remote), "HEAD:main", cwd=work)

    async with world.worker():
        result = await world.run()

    assert RunStatus.PR_OPENED is result.status, result.reason
    assert [] == list(outside.iterdir())
    base, head = world.refs()["refs/heads/main"], world.refs()[f"refs/heads/{world.pulls()[0]['branch']}"]
    changed = git("diff-tree", "-r", "--name-only", base, head, cwd=world.remote).splitlines()
    assert {name.split("/")[0] for name in changed} <= {"pkg", "README.md", "windows.py"}


HOSTILE = (
    ("hangs", "timeout", "while True: time.sleep(1)"),
    ("deaf", "timeout", "[signal.signal(n, signal.SIG_IGN) for n in (1, 2, 15)]; [time.sleep(1) for _ in range(99)]"),
    ("floods", "red", "[os.write(1, b'x' * 65536) for _ in range(16384)]"),
    ("forks", "red", "[os.fork() for _ in iter(int, 1)]"),
    ("daemon", "red", "os.fork() or (os.setsid(), os.fork() or time.sleep(999)); sys.exit(3)"),
)
"""Name, status, script. The flood is a gigabyte; the forks are refused by the process limit."""


def check(name: str, script: str) -> str:
    """A required check that runs this."""
    argv = f'["python", "-c", "import os, signal, sys, time\\n{script}", "{MARK}"]'
    return f'[[checks]]\nname = "{name}"\nkind = "tests"\nargv = {argv}\nseconds = 3\n'


def left_over() -> list[int]:
    """Processes of the whole machine that carry our mark."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if MARK.encode() in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


async def test_hostile_checks_are_named_and_the_worker_goes_on(world: World) -> None:
    """A check that hangs, floods, forks, ignores SIGTERM or leaves a daemon: REFUSED by name; then a good run."""
    limits = world.settings.policies / "autopilot.toml"
    text = limits.read_text()
    head, _, tail = text.partition("[sandbox]")
    limits.write_text(f"{head}[sandbox]\n{TIGHT}\n[agents]{tail.partition('[agents]')[2]}")
    world.add_target("hostile", more="".join(check(name, script) for name, _, script in HOSTILE))

    async with world.worker():
        refused = await world.run("hostile")
        left = left_over()
        good = await world.run()

    assert RunStatus.REFUSED is refused.status
    assert "check hangs ran out of time" in refused.reason
    results = {each["name"]: each for each in world.artifact(refused.run_id, "checks/base.json")["results"]}
    assert {name: status for name, status, _ in HOSTILE} == {name: each["status"] for name, each in results.items()}
    assert "more output than" in results["floods"]["attempts"][0]["detail"]
    assert [] == left
    assert RunStatus.PR_OPENED is good.status


def preflight(stage: Stage) -> StepResult:
    """The step alone."""
    room = CheckRunner(stage.bench.environments, stage.bench.sandbox)
    return done(Preflight(stage.bench, room).preflight, stage.given().model_copy(update={"base_sha": ""}))


PYPROJECTS = {
    "not TOML": "[project\n",
    "project is a list": "project = [1]\n",
    "project is a number": "project = 1\n",
    "dependencies are a number": '[project]\nname = "pkg"\nversion = "1"\ndependencies = 5\n',
    "dependencies are tables": '[project]\nname = "pkg"\nversion = "1"\ndependencies = [{a = 1}]\n',
    "dynamic is a number": '[project]\nname = "pkg"\nversion = "1"\ndynamic = 5\n',
    "requires is a number": "[build-system]\nrequires = 5\n",
    "requires an option": '[build-system]\nrequires = ["--index-url=http://127.0.0.1/"]\n',
    "requires an address": '[build-system]\nrequires = ["evil @ git+https://example.invalid/x"]\n',
    "requires a path": '[build-system]\nrequires = ["./evil"]\n',
    "groups that include themselves": '[dependency-groups]\na = [{include-group = "a"}]\n',
    "no such backend": '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "nowhere"\n',
    "not UTF-8": b"\xff\xfe\x00",
    "dynamic files are a number": '[project]\nname = "pkg"\nversion = "1"\ndynamic = ["dependencies"]\n'
    "[tool.setuptools.dynamic]\ndependencies = {file = 5}\n",
    "deep": "a = " + "[" * 3000 + "]" * 3000 + "\n",
}


@pytest.mark.parametrize("name", PYPROJECTS)
def test_hostile_pyproject_is_a_verdict(name: str, tmp_path: Path, environments: Path) -> None:
    """Refused with a reason that names the file, or harmless; never an error that is tried again for hours."""
    stage = make_stage(tmp_path / "stage", environments, PACKAGE | {"pyproject.toml": PYPROJECTS[name]})
    result = preflight(stage)
    if not result.verdict.allowed:
        cause = deciding(result.verdict)
        assert Decision.DENY is cause.decision
        assert "pyproject.toml" in cause.reason or "build" in cause.reason, cause.reason


def test_a_base_deeper_than_any_path_is_a_verdict(tmp_path: Path, environments: Path) -> None:
    """Refused before anything of it is written; nothing is left in scratch (1,500 folders: no path names the file)."""
    stage = make_stage(tmp_path / "stage", environments)
    work = stage.world.root / "demo-work"
    blob = git("hash-object", "-w", "README.md", cwd=work).strip()
    git("update-index", "--add", "--cacheinfo", f"100644,{blob},{'d/' * 1500}x.py", cwd=work)
    git("commit", "--quiet", "--message=Deep", cwd=work)
    git("push", "--quiet", str(stage.world.remote), "HEAD:main", cwd=work)
    cause = deciding(preflight(stage).verdict)
    assert (Decision.DENY, "the base is within the target's limits") == (cause.decision, cause.rule)
    assert "65 folders deep, the most is 64 (limits.depth)" in cause.reason
    assert not list(stage.world.settings.scratch.glob("*"))


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No test leaves a process behind."""
    yield
    assert [] == left_over()


def test_drill_writes_through_no_link(tmp_path: Path, environments: Path) -> None:
    """The rollback drill is the one step of ours that writes into a checkout: whatever name the base links away."""
    stage = make_stage(tmp_path / "stage", environments)
    victim = tmp_path / "victim"
    work = stage.world.root / "demo-work"
    for name in ("autonomy-rollback-drill.txt", f"autonomy-rollback-drill-{stage.base}.txt"):
        (work / name).symlink_to(victim)
    commit(stage.world)
    result = preflight(stage)
    receipts = {each["name"]: each["verdict"] for each in stage.kept_json("preflight.json")["receipts"]}
    assert Decision.ALLOW == receipts["rollback_tested"]["decision"]
    assert result.base_sha != stage.base
    assert not victim.exists()
