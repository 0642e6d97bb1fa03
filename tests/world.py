"""A small world for whole-run tests: real server, real git, real sandbox, the local forge; only agents are scripted.

One embedded server is shared by all tests of a process; every world has its own namespace, home, policies and
remote, so tests may run side by side.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import subprocess
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import forked
from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError

import composition
from activities.step_session import StepPorts
from adapters.agents.tools_backend import ToolsBackend
from adapters.effects import runner
from adapters.environments.wheels import WheelEnvironments
from adapters.temporal import control_desk
from adapters.temporal.alert_sink import TemporalAlertSink
from adapters.temporal.control_desk import TemporalControlDesk
from adapters.tools.measures import TOOLS
from contracts.admission import RunResult, RunView
from contracts.control import InstallationView, StatusView
from contracts.task import FindingFacts, MeasureKind, TaskContract
from ports.agents import Agent, Brief
from ports.measures import Counted, Detection, Look, Measures
from settings import ROOT, Settings
from workflows import api

REVIEWED = date.today()  # noqa: DTZ011  # the day a person would write into the file

PACKAGE = {
    "pyproject.toml": (
        '[project]\nname = "pkg"\nversion = "1.0"\nrequires-python = ">=3.9"\n'
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"\n'
    ),
    "pkg/__init__.py": '"""Recieve names."""\n\n\ndef names():\n    """Recieve the names."""\n    return ["a", "b"]\n',
    "pkg/other.py": '"""Seperate."""\n\nVALUE = 1\n',
    "README.md": "# pkg\n\nYou recieve names.\n",
}
NO_CI = "\n[ci]\nfirst_seconds = 0\n"
"""For a forge where nobody's CI speaks: no run need wait for its first word."""
QUICK_CHECK = """
[[checks]]
name = "imports"
kind = "tests"
argv = ["python", "-c", "import pkg, sys; sys.exit(pkg.names() != ['a', 'b'])"]
"""


MADE: list[World] = []
"""Worlds that have not been looked at: in the end each of their histories must replay."""


def git(*argv: str, cwd: Path) -> str:
    """Plain git, as a person at this machine would run it."""
    identity = {
        "GIT_CONFIG_GLOBAL": "/dev/null",
        "GIT_CONFIG_NOSYSTEM": "1",
        "HOME": str(cwd),
        "PATH": os.environ["PATH"],
    }
    who = {
        f"GIT_{one}_{what}": f"{what.lower()}@example.invalid"
        for one in ("AUTHOR", "COMMITTER")
        for what in ("NAME", "EMAIL")
    }
    done = subprocess.run(
        ["git", *argv],
        cwd=cwd,
        env=identity | who,
        check=True,
        capture_output=True,
        text=True,
        errors="surrogateescape",
    )
    return done.stdout.strip()


@dataclass
class ScriptedAgent:
    """The ``tools`` backend, with single answers replaced by what a test wants said or done."""

    real: Agent
    code: Callable[[Brief], str] | None = None
    answers: dict[str, Callable[[Brief], str]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """For reports."""
        return "scripted"

    def answer(self, brief: Brief) -> str:
        """The scripted answer of the role, or the real one."""
        self.asked.append(brief.role)
        scripted = self.answers.get(brief.role)
        brief.meter.free()
        return scripted(brief) if scripted else self.real.answer(brief)


@dataclass(frozen=True)
class ScriptedMeasures:
    """Finds what a test says, with the facts that the tool named there has; all else is measured as ever."""

    real: Measures
    found: Callable[[Look], Detection]
    words_alone: bool = False
    """What is changed is a word: no sandbox is started to compare what it does."""

    def detect(self, look: Look) -> Detection:
        """As scripted."""
        seen = self.found(look)
        tools = {tool.name: tool for tool in TOOLS}
        known = [each for each in seen.findings if each.tool in tools and each.facts == FindingFacts()]
        facts = {each: {"facts": tools[each.tool].facts(each.rule, look.policy)} for each in known}
        return replace(seen, findings=tuple(each.model_copy(update=facts.get(each)) for each in seen.findings))

    def count(self, contract: TaskContract, look: Look) -> Counted:
        """Of what is found, that of the contract's tool and rule in its paths; what checks show, by them."""
        if contract.measure is not MeasureKind.FINDINGS:
            return self.real.count(contract, look)
        kind, paths = (contract.tool, contract.rule, True), contract.scope.allowed_paths
        found = self.found(look).findings
        return Counted(sum((each.tool, each.rule, each.fixable) == kind and each.path in paths for each in found))

    def unproved(self, base: Path, paths: Sequence[str], look: Look) -> Mapping[str, str]:
        """As the real ones, unless a test's agent changes words alone."""
        return {} if self.words_alone else self.real.unproved(base, paths, look)


def scripted_measures(real: Measures, agent: Any) -> Measures:
    """What the agent of a test finds, if it can find anything; else the real measures."""
    while not hasattr(agent, "detect") and hasattr(agent, "real"):
        agent = agent.real
    words_alone = getattr(agent, "words_alone", False)
    return ScriptedMeasures(real, agent.detect, words_alone) if hasattr(agent, "detect") else real


@dataclass
class World:
    """One installation with one target called ``demo`` (more by ``add_target``)."""

    root: Path
    address: str
    namespace: str
    client: Client
    settings: Settings
    environments: Path
    jailed: bool = False
    """Effects in their jail, where that is the point; else their child is forked, with its imports done."""

    @property
    def remote(self) -> Path:
        """The bare repository of target ``demo``."""
        return self.root / "demo.git"

    def add_target(
        self, name: str = "demo", files: dict[str, str | bytes] | None = None, more: str = QUICK_CHECK
    ) -> Path:
        """Make a repository and its target file; ``more`` is TOML after the defaults."""
        remote = self.root / f"{name}.git"
        work = self.root / f"{name}-work"
        for path, body in (files or PACKAGE).items():
            (work / path).parent.mkdir(parents=True, exist_ok=True)
            (work / path).write_bytes(body if isinstance(body, bytes) else body.encode())
        git("init", "--quiet", "--initial-branch=main", cwd=work)
        git("add", "--all", "--force", cwd=work)
        git("commit", "--quiet", "--message=First", cwd=work)
        git("clone", "--quiet", "--bare", str(work), str(remote), cwd=self.root)
        self.write_target(name, more)
        return remote

    def write_target(self, name: str, more: str, **top: str) -> None:
        """Write ``targets/<name>.toml``."""
        lines = {"name": name, "remote": str(self.root / f"{name}.git"), "base_branch": "main"} | top
        head = "\n".join(f'{key} = "{value}"' for key, value in lines.items())
        place = self.settings.policies / "targets"
        place.mkdir(parents=True, exist_ok=True)
        review = f'\n[review]\non = {REVIEWED.isoformat()}\nby = "tester"\n'
        (place / f"{name}.toml").write_text(head + review + more)

    def bench(self, agent: Callable[[Agent], Agent] | None = None, **ports: Any) -> StepPorts:
        """The default composition's workbench, with environments shared between tests."""
        adapters = composition.compose(self.settings)
        loop = asyncio.get_running_loop()
        desk, alerts = TemporalControlDesk(self.client, loop), TemporalAlertSink(self.client, loop)
        bench = composition.workbench(adapters, desk, alerts)
        bench = replace(bench, environments=WheelEnvironments(self.environments, adapters.sandbox))
        if agent is not None:
            scripted = agent(ToolsBackend(adapters.sandbox))
            ports["agents"] = lambda _policy, _role: scripted
            # What an agent of a test can find is what there is to find in its world.
            ports.setdefault("measures", scripted_measures(bench.measures, scripted))
        return replace(bench, **ports)

    @asynccontextmanager
    async def worker(self, bench: StepPorts | None = None, **options: Any) -> AsyncIterator[None]:
        """A worker in this process."""
        # `make test-uncached` runs every test without cached workflows, which replays at every task.
        options.setdefault("max_cached_workflows", int(os.environ.get("WORLD_CACHED_WORKFLOWS", "1000")))
        options.setdefault("graceful_shutdown_timeout", timedelta(seconds=1))
        with ExitStack() as leaving:
            if not self.jailed:
                await asyncio.to_thread(forked.ready)
                leaving.enter_context(patch.object(runner, "run_jailed", forked.effect))
            async with composition.build_worker(self.client, self.settings, bench or self.bench(), **options):
                yield
                # No workflow answers a worker that leaves: what its steps still say to Control waits for a second only.
                leaving.enter_context(patch.object(control_desk, "_PATIENCE", timedelta(seconds=1)))

    async def start(
        self, target: str = "demo", workflow_id: str | None = None, **spec: Any
    ) -> WorkflowHandle[Any, Any]:
        """Start a DailyRun as a person would."""
        return await self.client.start_workflow(
            api.DAILY_RUN,
            {"target": target, **spec},
            id=workflow_id or f"run-{uuid.uuid4().hex[:8]}",
            task_queue=api.TASK_QUEUE,
            result_type=RunResult,
        )

    async def run(self, target: str = "demo", **spec: Any) -> RunResult:
        """Start a DailyRun and wait for its end."""
        handle = await self.start(target, **spec)
        return await asyncio.wait_for(handle.result(), 120)

    def control(self, target: str = "demo") -> WorkflowHandle[Any, Any]:
        """The target's Control."""
        return self.client.get_workflow_handle(api.control_id(target))

    async def status(self, target: str = "demo") -> StatusView:
        """What Control says now."""
        return await self.control(target).query(api.STATUS, result_type=StatusView)

    async def installation(self) -> InstallationView:
        """What the Installation says now."""
        handle = self.client.get_workflow_handle(api.INSTALLATION_ID)
        return await handle.query(api.STATUS, result_type=InstallationView)

    async def state(self, handle: WorkflowHandle[Any, Any]) -> RunView:
        """What a run says now."""
        return await handle.query(api.STATE, result_type=RunView)

    async def until(self, what: Callable[[], Any], seconds: float = 120) -> Any:
        """Poll an async question until it answers truly; the last answer is in the error.

        Asked rarely and more rarely; an answer that is dear, such as a query that replays a whole history, is asked
        for a fifth of the time at most.
        """
        end = time.monotonic() + seconds
        pause = 0.05
        answer: Any = None
        while (asked := time.monotonic()) < end:
            try:
                answer = await what()
            except RPCError as absent:
                answer = absent
            if answer and not isinstance(answer, RPCError):
                return answer
            await asyncio.sleep(max(pause, 4 * (time.monotonic() - asked)))
            pause = min(1.2 * pause, 0.4)
        raise AssertionError(f"not within {seconds} s; last answer: {answer!r}")

    def refs(self, target: str = "demo") -> dict[str, str]:
        """Every ref of the remote."""
        listed = git("for-each-ref", "--format=%(refname) %(objectname)", cwd=self.root / f"{target}.git")
        return dict(line.split() for line in listed.splitlines())

    def autonomy_branches(self, target: str = "demo") -> list[str]:
        """Branches this system pushed."""
        return [ref for ref in self.refs(target) if ref.startswith("refs/heads/autonomy/")]

    def pulls(self, target: str = "demo") -> list[dict[str, Any]]:
        """Pull request records of the local forge."""
        folder = self.settings.home / "forge" / target / "pulls"
        return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]

    def artifact(self, run_id: str, name: str) -> dict[str, Any]:
        """A JSON artifact of a run."""
        body = (self.settings.artifacts / "runs" / run_id / name).read_bytes()
        loaded: dict[str, Any] = json.loads(gzip.decompress(body) if name.endswith(".gz") else body)
        return loaded


def _furnish(home: Path, environments: Path) -> None:
    """Also a worker of its own process, and what is typed, find the environments that were made before."""
    home.mkdir()
    environments.mkdir(exist_ok=True)
    (home / "environments").symlink_to(environments)


async def make_world(root: Path, address: str, environments: Path) -> World:
    """A namespace, a home, policies and the target ``demo``."""
    policies = root / "policies"
    policies.mkdir(parents=True)
    for name in ("autopilot.toml", "protected_paths.toml", "charter.toml", "alerts.toml"):
        (policies / name).write_text((ROOT / "policies" / name).read_text())
    namespace = f"world-{uuid.uuid4().hex[:10]}"
    default = await composition.connect(address)
    await default.workflow_service.register_namespace(
        RegisterNamespaceRequest(
            namespace=namespace,
            workflow_execution_retention_period=Duration(seconds=int(timedelta(days=90).total_seconds())),
        )
    )
    client = await composition.connect(address, namespace)
    for _ in range(100):
        # The server's namespace cache learns of a new one within a few seconds.
        if not await composition.prepare_namespace(client):
            break
        await asyncio.sleep(0.2)
    settings = Settings(home=root / "home", policies=policies, server_port=0, ui_port=0)
    _furnish(settings.home, environments)
    world = World(root, address, namespace, client, settings, environments)
    MADE.append(world)
    return world
