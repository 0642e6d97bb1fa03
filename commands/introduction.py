"""Getting to know a repository: fetch, survey, and a trial of the proposed checks on its base."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Literal

from activities.checking import Checking, run_checks
from activities.work_folder import work_folder
from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from composition import (
    Adapters,
    PolicyFiles,
    Survey,
    open_repository,
    render_target,
    survey,
)
from contracts.artifact import ArtifactRef
from contracts.evidence import CheckResult, CheckStatus
from contracts.modes import Mode
from policies.forge_access import ForgeAccess
from policies.schema import CheckKind, CheckPolicy, EffectivePolicy, EnvironmentPolicy, ReviewStamp, Target
from ports.environments import CheckEnvironment, EnvironmentUnavailable
from ports.repository import Repository, RepositoryError

_POLICY_FILES = ("autopilot.toml", "protected_paths.toml", "charter.toml")
_COMPILES = CheckPolicy(name="compile", kind=CheckKind.BUILD, argv=("python", "-m", "compileall", "-q", "."))


@dataclass(frozen=True)
class Introduction:
    """What was learned, and the target file that says so."""

    text: str
    base_branch: str
    base: str
    survey: Survey
    kept: tuple[CheckPolicy, ...]
    dropped: tuple[tuple[CheckPolicy, str], ...]


@dataclass(frozen=True)
class Asked:
    """What ``init`` was asked for."""

    remote: str
    name: str
    base_branch: str | None
    by: str
    today: date
    maximum_mode: Mode | None = None
    forge: Literal["local", "gitea", "github"] = "local"
    access: ForgeAccess = field(default_factory=ForgeAccess)

    def target(self, base_branch: str) -> Target:
        """Enough of a target to reach its remote."""
        return Target(
            name=self.name,
            remote=self.remote,
            forge=self.forge,
            forge_access=self.access,
            base_branch=base_branch,
            review=ReviewStamp(on=self.today, by=self.by),
        )


def introduce(adapters: Adapters, asked: Asked, tell: Callable[[str], None]) -> Introduction:
    """Fetch the base, look at it, try the checks.

    Raises:
        RepositoryError: unreachable, empty or shallow repository, missing base branch.
        ForgeError: the reading token is named and not there.
        CommandFailed: the remote's HEAD names no branch.
        SandboxUnavailable: nothing can be tried.
    """
    name = asked.name
    branch = asked.base_branch or _branch_of(adapters, asked)
    target = asked.target(branch)
    repository = open_repository(adapters.settings, target)
    base = repository.fetch_base()
    tell(f"fetched {branch} at {base[:12]}, {repository.facts(base).files} files")
    seen = survey(repository, base)
    tell(f"layout {seen.layout}; trying {', '.join(check.name for check in seen.checks)} in the sandbox")

    def render(chosen: Survey, kept: tuple[CheckPolicy, ...], dropped: tuple[tuple[CheckPolicy, str], ...]) -> str:
        return render_target(
            chosen, name, asked.remote, branch, asked.today, asked.by, kept, dropped, asked.maximum_mode,
            asked.forge, asked.access,
        )  # fmt: skip

    trial = _Trial(adapters, repository, base, tell)
    seen, policy, environment = trial.furnish(seen, name, lambda chosen: render(chosen, chosen.checks, ()))
    results = trial.run(seen.checks, policy, environment)
    if not any(check.kind is CheckKind.TESTS and _green(result) for check, result in results):
        known = {check.name for check, _ in results}
        results += trial.run(() if _COMPILES.name in known else (_COMPILES,), policy, environment)
    kept = tuple(check for check, result in results if _green(result))
    dropped = tuple((check, trial.reason(result)) for check, result in results if not _green(result))
    return Introduction(render(seen, kept, dropped), branch, base, seen, kept, dropped)


def _branch_of(adapters: Adapters, asked: Asked) -> str:
    # A mirror needs some base branch; its place depends on name and remote only.
    mirror, remote = open_repository(adapters.settings, asked.target("main")), asked.remote
    found = mirror.default_branch()
    if found is not None:
        return found
    heads = sorted(mirror.remote_heads())
    if not heads:
        raise RepositoryError(f"the remote {remote} is empty: make a first commit, then `init` again")
    raise CommandFailed(
        Exit.USAGE, f"HEAD of {remote} names no branch: choose one with --base-branch; it has {', '.join(heads[:20])}"
    )


def _green(result: CheckResult) -> bool:
    return result.status is CheckStatus.GREEN


class _Trial:
    """One environment, one base commit, checks in the sandbox."""

    def __init__(self, adapters: Adapters, repository: Repository, base: str, tell: Callable[[str], None]) -> None:
        self._adapters = adapters
        self._repository = repository
        self._base = base
        self._tell = tell
        self._outputs: dict[str, bytes] = {}

    def furnish(
        self, seen: Survey, name: str, render: Callable[[Survey], str]
    ) -> tuple[Survey, EffectivePolicy, CheckEnvironment]:
        """The first environment that can be made: as declared, else without a build, else without requirements."""
        refusal: EnvironmentUnavailable | None = None
        for chosen in _environments(seen.environment):
            candidate = replace(seen, environment=chosen)
            policy = self._policy(name, render(candidate))
            try:
                return candidate, policy, self._made(policy)
            except EnvironmentUnavailable as problem:
                refusal = problem
                self._tell(f"tried an environment with less: {str(problem).splitlines()[0]}")
        raise refusal or EnvironmentUnavailable("no environment was tried")

    def run(
        self, checks: tuple[CheckPolicy, ...], policy: EffectivePolicy, environment: CheckEnvironment
    ) -> list[tuple[CheckPolicy, CheckResult]]:
        """Run checks on the base, exactly as a run's preflight will."""
        checking = Checking(
            fresh=self._tree,
            environment=environment,
            sandbox=self._adapters.sandbox,
            limits=policy.autopilot.sandbox,
            save=self._save,
            alive=_go_on,
            base_counts=None,
        )
        results = run_checks(checks, checking)
        for result in results:
            last = result.attempts[-1]
            self._tell(f"  {result.name:<9} {result.status} {last.seconds:.1f} s {last.detail}".rstrip())
        return list(zip(checks, results, strict=True))

    def reason(self, result: CheckResult) -> str:
        """Why a check is not kept, with the last words of its output."""
        last = result.attempts[-1]
        said = self._outputs.get(last.output.name, b"").decode("utf-8", "replace").split("\n") if last.output else []
        words = next((line.strip() for line in reversed(said) if line.strip()), "")
        return "; ".join(filter(None, (last.detail or result.status.value, words[:200])))

    def _policy(self, name: str, text: str) -> EffectivePolicy:
        """Read by the same loader a run uses, before anything is written to the operator's folder."""
        with tempfile.TemporaryDirectory(prefix="autonomy-init-") as made:
            folder = Path(made)
            for file in _POLICY_FILES:
                shutil.copy(self._adapters.settings.policies / file, folder / file)
            (folder / "targets").mkdir()
            (folder / "targets" / f"{name}.toml").write_text(text, encoding="utf-8")
            return PolicyFiles(folder).effective(name)

    def _made(self, policy: EffectivePolicy) -> CheckEnvironment:
        environments = self._adapters.environments
        environment = environments.prepare(self._repository, self._base, policy, _go_on)
        with self._tree() as tree:
            return environments.install(environment, tree, policy, _go_on)

    @contextmanager
    def _tree(self) -> Iterator[Path]:
        with work_folder(self._adapters.settings.scratch, "init") as made:
            self._repository.checkout(self._base, made)
            yield made

    def _save(self, name: str, body: bytes) -> ArtifactRef:
        self._outputs[name] = body
        digest = hashlib.sha256(body).hexdigest()
        return ArtifactRef(name=name, sha256=digest, size=len(body), media_type="text/plain", location="")


def _environments(declared: EnvironmentPolicy) -> Iterator[EnvironmentPolicy]:
    yield declared
    if declared.build:
        yield declared.model_copy(update={"build": False})
    if declared.requirements or declared.extras or declared.groups:
        yield declared.model_copy(update={"requirements": (), "extras": (), "groups": (), "build": False})
    yield declared.model_copy(
        update={"requirements": (), "extras": (), "groups": (), "packages": ("pytest",), "build": False}
    )


def _go_on() -> None:
    """Nobody cancels but Ctrl-C, which raises by itself."""
