"""One step of one run on a real bench: real policy files, git and store, no server; only the agent is played."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from temporalio.testing import ActivityEnvironment
from world import PACKAGE, World, scripted_measures

import composition
from activities.run.checking import CheckRunner
from activities.run.coding import Coding
from activities.step_session import StepPorts
from adapters.environments.wheels import WheelEnvironments
from contracts.artifact import ArtifactRef, Contract
from contracts.handover import PinnedPolicy, RunRef, StepInput, StepResult
from contracts.messages import RESERVE, SETTLE_COST, SOURCES, Message, View
from contracts.modes import Mode, Role, RunKind
from contracts.source import SourceBook
from contracts.task import Candidate, CandidateTasks, Finding, StateSnapshot, TaskContract, TaskType
from policies.settings.schema import EffectivePolicy
from policies.task.candidates import task_id
from policies.task.planning import make_contract
from ports.agents import Agent, Brief
from ports.measures import Detection, Look
from settings import ROOT, Settings
from workflows.control import budget
from workflows.control.state import ControlState

FILES: dict[str, str | bytes] = PACKAGE | {
    ".env": "PASSWORD=none\n",
    ".github/workflows/ci.yml": "on: push\n",
    "Makefile": "all:\n",
    "conftest.py": "",
    "deploy/run.sh": "#!/bin/sh\n",
    "pkg/data.txt": "data\n",
    "pytest.ini": "[pytest]\n",
    "uv.lock": "version = 1\n",
}
TYPO, RIGHT = "Recieve", "Receive"
PATH = "pkg/__init__.py"


def typos(count: int) -> tuple[Finding, ...]:
    """So many in the one file."""
    said = {"tool": "codespell", "rule": "comments", "path": PATH, "message": ""}
    return tuple(Finding(fingerprint=str(number), line=1, fixable=True, **said) for number in range(count))


@dataclass
class PlayedAgent:
    """Says and does what a test wants; its measuring is honest and quick, so that no row is refused for that."""

    answers: dict[Role, Callable[[Brief], str]] = field(default_factory=dict)
    asked: list[Brief] = field(default_factory=list)
    name: str = "played"

    def detect(self, look: Look) -> Detection:
        """Count one typo in one file."""
        file = look.tree / PATH
        found = file.read_bytes().count(TYPO.encode()) if file.is_file() and not file.is_symlink() else 0
        return Detection(typos(found), 1, ())

    def answer(self, brief: Brief) -> str:
        """Whatever was scripted."""
        brief.meter.free()
        self.asked.append(brief)
        return self.answers[brief.role](brief)


@dataclass
class LedgerOnly:
    """Control's own ledger in memory: the only thing that the steps on this stage ask Control for."""

    state: ControlState = field(default_factory=lambda: ControlState(target="demo"))

    def ask(self, _target: str, message: Message[Any, Any], request: Any) -> Any:
        """May it cost this much? It cost this much."""
        rule = {RESERVE.name: budget.reserve, SETTLE_COST.name: budget.settle}[message.name]
        return rule(self.state, request, datetime.now(UTC))

    def query(self, _target: str, view: View[Any], *_arguments: str) -> Any:
        """Nothing failed here before, nothing was merged, and no source was lowered."""
        return SourceBook() if view.name == SOURCES.name else None


@dataclass
class Stage:
    """A target, a run that was admitted, and a contract for one typo in one file."""

    world: World
    adapters: composition.Adapters
    bench: StepPorts
    run: RunRef
    base: str
    contract: TaskContract

    @property
    def policy(self) -> EffectivePolicy:
        """The pinned policy."""
        return self.bench.pinned_policy(self.run)

    @property
    def candidates(self) -> CandidateTasks:
        """The one idea."""
        return CandidateTasks(run_id=self.run.run_id, base_sha=self.base, candidates=(candidate(),))

    @property
    def snapshot(self) -> StateSnapshot:
        """What Sensing would have seen."""
        return StateSnapshot(
            run_id=self.run.run_id,
            target="demo",
            base_branch="main",
            base_sha=self.base,
            files=1,
            bytes=1,
            completeness=1.0,
            findings=typos(1),
        )

    def given(self, *artifacts: tuple[str, Contract | bytes]) -> StepInput:
        """A step's input with these artifacts."""
        return StepInput(run=self.run, base_sha=self.base, artifacts=tuple(self._put(*each) for each in artifacts))

    def to_code(self, contract: TaskContract, **seen: Any) -> StepInput:
        """What the coding step of a run has."""
        snapshot = self.snapshot.model_copy(update=seen)
        return self.given(("task_contract.json", contract), ("state_snapshot.json", snapshot))

    def after(self, result: StepResult, *artifacts: tuple[str, Contract | bytes]) -> StepInput:
        """The next step's input: what one step put out, and these artifacts."""
        given = self.given(*artifacts)
        return given.model_copy(update={"artifacts": (*given.artifacts, *result.handover.output_artifacts)})

    def with_agent(self, agent: Agent) -> StepPorts:
        """The bench with a played agent in every role."""
        measures = scripted_measures(self.bench.measures, agent)
        return replace(self.bench, agents=lambda _policy, _role: agent, measures=measures)

    def code(self, act: Callable[[Path], None], said: str = "{}", **scope: Any) -> StepResult:
        """The coding step, with an agent that mends the typo and then does something else."""

        def coding(brief: Brief) -> str:
            assert brief.tree is not None
            file = brief.tree / PATH
            file.write_text(file.read_text().replace(TYPO, RIGHT))
            act(brief.tree)
            return said

        contract = self.contract.model_copy(update={"scope": self.contract.scope.model_copy(update=scope)})
        bench = self.with_agent(PlayedAgent({Role.CODING: coding}))
        return done(Coding(bench, CheckRunner(bench.environments, bench.sandbox)).code, self.to_code(contract))

    def kept(self, name: str) -> bytes:
        """An artifact of the run as an operator finds it."""
        return (self.world.settings.artifacts / "runs" / self.run.run_id / name).read_bytes()

    def kept_json(self, name: str) -> dict[str, Any]:
        """The same, parsed."""
        loaded: dict[str, Any] = json.loads(self.kept(name))
        return loaded

    def _put(self, name: str, body: Contract | bytes) -> ArtifactRef:
        data = body if isinstance(body, bytes) else body.model_dump_json().encode()
        return self.bench.store.put(self.run.run_id, name, data)


def done(step: Callable[[StepInput], StepResult], given: StepInput) -> StepResult:
    """Run one activity as a worker would, now."""
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, started_time=datetime.now(UTC))
    return environment.run(step, given)


def candidate(**other: Any) -> Candidate:
    """The typo."""
    values: dict[str, Any] = {
        "task_id": task_id("demo", "codespell", "comments", (PATH,)),
        "type": TaskType.DOCUMENTATION_UPDATE,
        "title": "codespell: fix 2 findings",
        "tool": "codespell",
        "rule": "comments",
        "paths": (PATH,),
        "metric": "codespell comments findings",
        "before": 2,
        "expected_after": 0,
        "confidence": 0.9,
        "score": 1.0,
        "estimated_files": 1,
        "estimated_lines": 4,
    }
    return Candidate(**(values | other))


def make_stage(
    root: Path,
    environments: Path,
    files: dict[str, str | bytes] | None = None,
    more: str = "",
    coder: str = "",
    charter: str = "",
) -> Stage:
    """Policies, a remote, a pinned policy, a fetched base; ``coder``: who codes, ``charter``: more tables, as TOML."""
    policies = root / "policies"
    policies.mkdir(parents=True)
    for name in ("autopilot.toml", "protected_paths.toml", "charter.toml"):
        (policies / name).write_text((ROOT / "policies" / name).read_text())
    if coder:
        head, _, rest = (policies / "charter.toml").read_text().partition("[roles.coding]\n")
        other = rest.partition("[roles.review]")[2]
        (policies / "charter.toml").write_text(f"{head}[roles.coding]\n{coder}\n[roles.review]{other}{charter}")
    settings = Settings(home=root / "home", policies=policies, server_port=0, ui_port=0)
    world = World(root, "", "", None, settings, environments)  # type: ignore[arg-type]  # no server in these tests
    world.add_target(files=files or FILES, **({"more": more} if more else {}))
    adapters = composition.compose(settings)
    bench = composition.workbench(adapters, LedgerOnly(), None)  # type: ignore[arg-type]  # no server in these tests
    bench = replace(bench, environments=WheelEnvironments(environments, adapters.sandbox))
    policy = bench.policies.effective("demo")
    pinned = bench.store.put("demo-run", "policy.json", policy.model_dump_json().encode())
    run = RunRef(
        run_id="demo-run",
        target="demo",
        kind=RunKind.DAILY,
        mode=Mode.PR_ONLY,
        date=datetime.now(UTC).date().isoformat(),
        attempt=1,
        workflow_id="demo",
        started_at=datetime.now(UTC),
        started_by="test",
        policy=PinnedPolicy(digest=policy.digest, artifact=pinned),
    )
    base = bench.repositories(policy.target).fetch_base()
    return Stage(world, adapters, bench, run, base, make_contract(candidate(), policy, run.run_id))
