"""What is run to measure a task's effect: checks and commands on copies of a tree (``measured/…``; P6, P8)."""

import itertools
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path

from activities.run.checking import Checking, CheckRunner, fresh_trees, not_run, run_checks
from activities.step_session import StepSession
from contracts.artifact import ArtifactRef
from contracts.evidence import CheckResult
from ports.environments import CheckEnvironment, EnvironmentUnavailable
from ports.measures import MeasureError
from ports.sandbox import CommandResult, Limits


@dataclass
class TargetRuns:
    """See ``ports.measures.Runs``; of one attempt of one step."""

    session: StepSession
    checks: CheckRunner
    _built: dict[Path, CheckEnvironment] = field(default_factory=dict)
    _place: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def check(self, name: str, tree: Path) -> CheckResult:
        """See the port; its output and report are artifacts of the step."""
        policy, place = self.session.policy, next(self._place)
        check = next(each for each in policy.target.checks if each.name == name)
        with self._copy(tree) as first:
            try:
                environment = self._install(first)
            except EnvironmentUnavailable as broken:
                # A tree that does not build is red; without the network nothing is known of it.
                if broken.unreachable:
                    raise
                return not_run(check, broken)
            checking = Checking(
                fresh=fresh_trees(first, partial(self._copy, tree)),
                environment=environment,
                sandbox=self.checks.sandbox,
                limits=policy.autopilot.sandbox,
                save=lambda kept, body: self._save(f"{place}-{Path(kept).name}", body),
                alive=self.session.alive,
                base_counts=None,
            )
            return run_checks((check,), checking)[0]

    def command(self, argv: tuple[str, ...], tree: Path, seconds: float) -> CommandResult:
        """See the port; built once a tree. What a failed one said is an artifact of the step."""
        limits = self.session.policy.autopilot.sandbox
        with self._copy(tree) as fresh:
            if tree not in self._built:
                try:
                    self._built[tree] = self._install(fresh)
                except EnvironmentUnavailable as broken:
                    if broken.unreachable:
                        raise
                    raise MeasureError(f"the tree does not build: {str(broken).partition(chr(10))[0]}") from broken
            command = self._built[tree].command(argv, fresh, Limits.of(limits, min(seconds, limits.seconds)))
            result = self.checks.sandbox.run(command, self.session.alive)
        if result.exit_code:
            self._save(f"{next(self._place)}-command.txt", result.output)
        return result

    def kept(self, ref: ArtifactRef) -> bytes:
        """See the port."""
        return self.session.bench.store.get(ref)

    @cached_property
    def _prepared(self) -> CheckEnvironment:
        """By what the base says, always: a change must not choose what it is measured with."""
        session = self.session
        prepare = self.checks.environments.prepare
        return prepare(session.repository, session.input.base_sha, session.policy, session.alive)

    def _install(self, tree: Path) -> CheckEnvironment:
        return self.checks.environments.install(self._prepared, tree, self.session.policy, self.session.alive)

    def _save(self, name: str, body: bytes) -> ArtifactRef:
        return self.session.save(f"measured/{name}", body, "text/plain")

    @contextmanager
    def _copy(self, tree: Path) -> Iterator[Path]:
        with self.session.bench.folder("measured") as folder:
            shutil.copytree(tree, folder, symlinks=True, dirs_exist_ok=True)
            yield folder
