"""A brief, a backend on the real sandbox, and packages as people write them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from adapters.agents.tools_backend import ToolsBackend
from adapters.sandbox.bubblewrap import BubblewrapSandbox
from adapters.tools.measures import TOOLS, ToolMeasures
from contracts.artifact import ArtifactRef
from contracts.evidence import ReviewProposal
from contracts.handover import PinnedPolicy, RunRef
from contracts.modes import Mode, Role, RunKind
from contracts.task import Finding, StateSnapshot, TaskContract
from policies.settings.schema import (
    Autopilot,
    CapSettings,
    Charter,
    CheckPolicy,
    DiffBudget,
    EffectivePolicy,
    ProtectedPaths,
    ProtectedRule,
    ReviewStamp,
    Target,
)
from policies.task.candidates import Memory, rank
from policies.task.planning import make_contract
from ports.agents import Brief
from ports.environments import CheckEnvironment
from ports.measures import Detection, Look

FAMILIES = ("F", "I", "UP", "B", "C4", "SIM", "PIE", "RUF", "E", "W")
BASE_SHA = "a" * 40
_SEEN: dict[bytes, Detection] = {}


def policy(lines: int = 400) -> EffectivePolicy:
    """The defaults, with one check and one protected path."""
    return EffectivePolicy(
        autopilot=Autopilot(caps=CapSettings(), diff_budget=DiffBudget(lines=lines)),
        protected_paths=ProtectedPaths(protected=(ProtectedRule(patterns=(".github/**",), reason="CI"),)),
        charter=Charter(roles={}, families=FAMILIES),
        target=Target(
            name="t",
            remote="/nowhere",
            base_branch="main",
            review=ReviewStamp(on=date(2026, 1, 1), by="op"),
            checks=(CheckPolicy(name="tests", kind="tests", argv=("pytest",)),),
        ),
        digest="0" * 64,
    )


def run_ref() -> RunRef:
    """Some run."""
    artifact = ArtifactRef(name="policy", sha256="0" * 64, size=1, media_type="application/json", location="x")
    return RunRef(
        run_id="run",
        target="t",
        kind=RunKind.DAILY,
        mode=Mode.PR_ONLY,
        date="2026-11-23",
        attempt=1,
        workflow_id="w",
        started_at=datetime(2026, 11, 23, tzinfo=UTC),
        started_by="test",
        policy=PinnedPolicy(digest="0" * 64, artifact=artifact),
    )


@dataclass
class Repo:
    """A base tree, a working copy of it, and the backend at work on them."""

    backend: ToolsBackend
    base: Path
    tree: Path
    policy: EffectivePolicy = field(default_factory=policy)
    measures: ToolMeasures = field(default_factory=lambda: ToolMeasures(BubblewrapSandbox()))
    environment: CheckEnvironment | None = None

    def brief(self, role: Role, **more: object) -> Brief:
        """What the activity of a role would hand over."""
        return Brief(
            role=role, run=run_ref(), policy=self.policy, base_sha=BASE_SHA, environment=self.environment, **more
        )

    def detect(self) -> tuple[tuple[Finding, ...], tuple[str, ...]]:
        """Measure the working copy."""
        look = Look(self.tree, self.policy, lambda: None, environment=self.environment)
        seen = self.measures.detect(look)
        return seen.findings, seen.missing

    def fixable(self) -> set[tuple[str, str, str]]:
        """Tool, rule and path of what could be fixed; nothing may be missing."""
        findings, missing = self.detect()
        assert () == missing
        return {(each.tool, each.rule, each.path) for each in findings if each.fixable}

    @property
    def is_plain(self) -> bool:
        """Whether nothing but a tree and the policy decides what is found."""
        return self.environment is None and self.measures.tools is TOOLS

    def seen(self, tree: Path) -> Detection:
        """What there is to find in a tree, looked for once in this process: the same tree has the same answer."""
        look = Look(tree, self.policy, lambda: None, environment=self.environment)
        if not self.is_plain:
            return self.measures.detect(look)
        what = sha256(self.policy.model_dump_json().encode())
        for path in sorted(tree.rglob("*")):
            content = b"" if path.is_dir() or path.is_symlink() else path.read_bytes()
            link = str(path.readlink()) if path.is_symlink() else ""
            what.update(repr((str(path.relative_to(tree)), path.lstat().st_mode, link, content)).encode())
        if (known := _SEEN.get(what.digest())) is not None:
            return known
        seen = self.measures.detect(look)
        if not seen.missing:
            _SEEN[what.digest()] = seen
        return seen

    def snapshot(self, findings: tuple[Finding, ...]) -> StateSnapshot:
        """What Sensing would write."""
        return StateSnapshot(
            run_id="run",
            target="t",
            base_branch="main",
            base_sha=BASE_SHA,
            files=1,
            bytes=1,
            completeness=1.0,
            findings=findings,
        )

    def contract(self, tool: str, rule: str) -> TaskContract:
        """The plan for one tool and rule, made by the policy's own rules."""
        memory = Memory(today=date(2026, 11, 23))
        ranked = rank(self.seen(self.tree).findings, self.policy, memory).candidates
        candidate = next(each for each in ranked if (each.tool, each.rule) == (tool, rule))
        return make_contract(candidate, self.policy, "run")

    def code(self, contract: TaskContract) -> str:
        """Let the coder work."""
        return self.backend.answer(self.brief(Role.CODING, tree=self.tree, contract=contract))

    def review(self, contract: TaskContract, **more: object) -> ReviewProposal:
        """Let the reviewer compare."""
        unproved = self.measures.unproved(self.base, sorted(self.changed()), Look(self.tree, self.policy, lambda: None))
        compared = {path: unproved.get(path, "") for path in self.changed()}
        given: dict[str, object] = {"compared": compared}
        if self.is_plain:
            # As in a run: Review is told what Sensing saw of the base.
            seen = self.seen(self.base)
            told = {"missing": seen.missing, "unread": seen.unread}
            given["snapshot"] = self.snapshot(seen.findings).model_copy(update=told)
        given |= more
        brief = self.brief(Role.REVIEW, tree=self.tree, base_tree=self.base, contract=contract, **given)
        return ReviewProposal.model_validate_json(self.backend.answer(brief))

    def changed(self) -> set[str]:
        """Paths whose bytes differ between base and working copy."""
        paths = {path.relative_to(root).as_posix() for root in (self.base, self.tree) for path in root.rglob("*")}
        return {path for path in paths if _bytes(self.base / path) != _bytes(self.tree / path)}

    def write(self, path: str, content: str | bytes) -> None:
        """Edit the working copy, as a hostile coder could."""
        place = self.tree / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content if isinstance(content, bytes) else content.encode())


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


MakeRepo = Callable[..., Repo]


@pytest.fixture(scope="session")
def backend() -> ToolsBackend:
    return ToolsBackend(BubblewrapSandbox())


@pytest.fixture
def repo(tmp_path: Path, backend: ToolsBackend) -> MakeRepo:
    """Make a repository of these files, path to content."""

    def make(files: dict[str, str | bytes], lines: int = 400) -> Repo:
        base, tree = tmp_path / "base", tmp_path / "tree"
        made = Repo(backend, base, tree, policy(lines))
        tree.mkdir()
        for path, content in files.items():
            made.write(path, content)
        shutil.copytree(tree, base, symlinks=True)
        return made

    return make
