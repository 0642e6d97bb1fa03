"""Getting to know a repository: fetch, survey, and a trial of the proposed checks on its base."""

import hashlib
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from activities.run.checking import Checking, run_checks
from activities.work_folder import work_folder
from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.furnishing import Furnishing, cause
from composition import (
    Adapters,
    Clients,
    PolicyFiles,
    Survey,
    differently,
    fixer_measures,
    open_home,
    open_repository,
    render_target,
    survey,
    with_submodules,
)
from contracts.artifact import ArtifactRef
from contracts.evidence import CheckResult, CheckStatus
from contracts.modes import Mode
from contracts.task import FindingFacts, TaskType
from policies.counted import counted, shortened
from policies.paths.canonical import readable
from policies.paths.rules import matches
from policies.settings.environment import EnvironmentPolicy, FixerPolicy
from policies.settings.forge_access import ForgeAccess
from policies.settings.schema import (
    CheckKind,
    CheckPolicy,
    EffectivePolicy,
    ReviewStamp,
    Target,
)
from policies.task.candidates import untouched
from ports.environments import CheckEnvironment, EnvironmentUnavailable
from ports.measures import Look
from ports.policy_source import PolicyError
from ports.repository import Repository, RepositoryError
from ports.sandbox import SandboxUnavailable

POLICY_FILES = ("autopilot.toml", "protected_paths.toml", "charter.toml")
_FAILED_TEST = re.compile(r"^(FAILED|ERROR) (\S.*?)(?: - .*)?$", re.MULTILINE)
_MOST_FAILED = 20
"""With more failing tests than this the suite counts as red."""
_FEW_FILES = 5
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
    advisory: dict[str, str] = field(default_factory=dict)
    """Kept, but not required: by name, what is wrong with them on the base."""


@dataclass(frozen=True)
class InitRequest:
    """What ``init`` was asked for."""

    remote: str
    name: str
    base_branch: str | None
    by: str
    today: date
    maximum_mode: Mode | None = None
    forge: str = "local"
    access: ForgeAccess = field(default_factory=ForgeAccess)

    def target(self, base_branch: str) -> Target:
        """A target with just enough in it to reach its remote."""
        return Target(
            name=self.name,
            remote=self.remote,
            forge=self.forge,
            forge_access=self.access,
            base_branch=base_branch,
            review=ReviewStamp(on=self.today, by=self.by),
        )


def introduce(adapters: Adapters, request: InitRequest, tell: Callable[[str], None]) -> Introduction:
    """Fetch the base, look at it, try the checks.

    Raises:
        HomeUnusable: see ``open_home``.
        RepositoryError: unreachable, empty or shallow repository, missing base branch.
        ForgeError: the reading token is named and not there.
        CommandFailed: the remote's HEAD names no branch.
        SandboxUnavailable: nothing can be tried.
    """
    open_home(adapters.settings.home)
    name = request.name
    branch = request.base_branch or _branch_of(adapters, request)
    target = request.target(branch)
    repository = open_repository(adapters.settings, target)
    base = repository.fetch_base()
    tell(f"fetched {branch} at {base[:12]}, {counted(repository.facts(base).files, 'file')}")
    seen = with_submodules(survey(repository, base, Clients()), repository, base, request.remote)
    if not seen.checks:
        tell(f"nothing to try: {seen.notes[0]}")
    else:
        prepared = "prepared by commands of its own" if seen.environment.prepare else f"layout {seen.layout}"
        tell(f"{prepared}; trying {', '.join(check.name for check in seen.checks)} in the sandbox")

    def render(
        chosen: Survey,
        kept: tuple[CheckPolicy, ...],
        dropped: tuple[tuple[CheckPolicy, str], ...],
        advisory: dict[str, str] | None = None,
    ) -> str:
        return render_target(
            chosen, name, request.remote, branch, request.today, request.by, kept, dropped, request.maximum_mode,
            request.forge, request.access, advisory,
        )  # fmt: skip

    if not seen.checks:
        return Introduction(render(seen, (), ()), branch, base, seen, (), ())
    trial = Trial(adapters, repository, base, tell, adapters.settings.home / "logs" / f"init-{name}.log")
    seen = trial.updatable(seen, name, lambda chosen: render(chosen, chosen.checks, ()))
    try:
        seen, results = trial.whole(seen, name, lambda chosen: render(chosen, chosen.checks, ()))
    except EnvironmentUnavailable as problem:
        if not seen.environment.prepare:
            raise
        # What a person has to settle first, a host to allow or a lock file to mend, is settled in the file.
        dropped = tuple((check, f"not tried: {cause(problem)}") for check in seen.checks)
        return Introduction(render(seen, (), dropped), branch, base, seen, (), dropped)
    advisory = {check.name: trial.reason(result) for check, result in results if advises(result, seen.environment)}
    kept = tuple(
        check.model_copy(update={"required": False}) if check.name in advisory else check
        for check, result in results
        if _green(result) or check.name in advisory
    )
    answered = {check.name for check in kept}
    dropped = tuple((check, trial.reason(result)) for check, result in results if check.name not in answered)
    return Introduction(render(seen, kept, dropped, advisory), branch, base, seen, kept, dropped, advisory)


def _branch_of(adapters: Adapters, request: InitRequest) -> str:
    # A mirror needs some base branch; its place depends on name and remote only.
    mirror, remote = open_repository(adapters.settings, request.target("main")), request.remote
    found = mirror.default_branch()
    if found is not None:
        return found
    heads = sorted(mirror.remote_heads())
    if not heads:
        raise RepositoryError(
            f"the remote {remote} is empty, or no branch is left in it: make a first commit, then `init` again"
        )
    raise CommandFailed(
        Exit.USAGE,
        f"HEAD of {remote} points to no branch: choose one with --base-branch; there are {', '.join(heads[:20])}",
    )


def _green(result: CheckResult) -> bool:
    return result.status is CheckStatus.GREEN


def advises(result: CheckResult, environment: EnvironmentPolicy) -> bool:
    """Whether it says something of a change, although not with one voice, or not yes, of the base."""
    return result.status is CheckStatus.FLAKY or (result.status is CheckStatus.RED and bool(environment.prepare))


class Trial(Furnishing):
    """One environment, one base commit, checks in the sandbox."""

    def __init__(
        self, adapters: Adapters, repository: Repository, base: str, tell: Callable[[str], None], log: Path
    ) -> None:
        super().__init__(tell, log)
        log.unlink(missing_ok=True)
        self._adapters = adapters
        self._repository = repository
        self._base = base
        self._outputs: dict[str, bytes] = {}

    def updatable(self, seen: Survey, name: str, render: Callable[[Survey], str]) -> Survey:
        """Without lock files that the operator's own protection does not open; it says what to add there."""
        if not seen.lock_files:
            return seen
        try:
            self._policy(name, render(seen))
        except PolicyError as problem:
            if "dependency_update" not in str(problem):
                raise
            note = "Newer releases are not proposed: lock files are protected. To open them to that alone, "
            note += 'add `unless = ["dependency_update"]` to their rule in protected_paths.toml, then init again.'
            return replace(seen, lock_files=(), notes=(*seen.notes, note))
        self._tell(f"  newer releases of what {', '.join(seen.lock_files[:3])} locks will be proposed: [dependencies]")
        return seen

    def whole(
        self, seen: Survey, name: str, render: Callable[[Survey], str]
    ) -> tuple[Survey, list[tuple[CheckPolicy, CheckResult]]]:
        """Checks and fixers in the first environment that can be made and in which the tests are green.

        Where none is so, in the last that can be made.

        Raises:
            EnvironmentUnavailable: none can be made.
        """
        try:
            seen, policy, environment = self.furnish(seen, name, render)
            results = self.run(seen.checks, policy, environment)
            problem = ""
        except EnvironmentUnavailable as refused:
            if seen.instead is None:
                raise
            results, problem = [], f"cannot be prepared: {cause(refused)}"
        green = any(check.kind is CheckKind.TESTS and _green(result) for check, result in results)
        if seen.instead and not green:
            told = f"As its lock file says, it {problem or 'has no green tests'}. So what it declares is installed."
            if seen.instead.environment.prepare:
                told = f"With all its languages, it {problem or 'has no green tests'}. So it is looked at without some."
            self._tell(told)
            return self.whole(replace(seen.instead, notes=(*seen.instead.notes, told)), name, render)
        if not green and not seen.environment.prepare:
            known = {check.name for check, _ in results}
            results += self.run(() if _COMPILES.name in known else (_COMPILES,), policy, environment)
        return replace(seen, fixers=self.fixers(seen.fixers, policy, environment)), results

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
        tried: list[tuple[CheckPolicy, CheckResult]] = []
        for check in checks:
            [result] = run_checks((check,), checking)
            last = result.attempts[-1]
            if last.status is CheckStatus.INFRASTRUCTURE and last.exit_code is None:
                # Nothing was learned of the repository: a check that was not tried is not "not green".
                raise SandboxUnavailable(last.detail)
            if check.kind is CheckKind.TESTS and _green(result):
                result = agreed(result, run_checks((check,), checking)[0])
                last = result.attempts[-1]
            self._tell(f"  {result.name:<9} {result.status} {last.seconds:.1f} s {last.detail}".rstrip())
            if result.status is CheckStatus.RED and check.kind is CheckKind.TESTS and "pytest" in check.argv:
                check, result = self._without_failing(check, result, checking)  # noqa: PLW2901
            elif result.status is CheckStatus.RED and check.kind in {CheckKind.TESTS, CheckKind.BUILD}:
                check, result = self._differently(check, result, checks, checking)  # noqa: PLW2901
            if not _green(result):
                self._keep_output(check, result)
            tried.append((check, result))
        return tried

    def fixers(
        self, fixers: tuple[FixerPolicy, ...], policy: EffectivePolicy, environment: CheckEnvironment
    ) -> tuple[FixerPolicy, ...]:
        """Those that work, are the same twice, and by which the repository is evidently written."""
        kept = []
        for fixer in fixers:
            target = policy.target.model_copy(update={"fixers": (fixer,)})
            alone = policy.model_copy(update={"target": target})
            if refused := never(fixer, self._of_kind(fixer), alone):
                self._tell(f"  {fixer.name:<9} left out: no run could take what it mends: {refused}")
                continue
            with self._tree() as tree:
                seen = fixer_measures(self._adapters).detect(Look(tree, alone, _go_on, environment=environment))
            refused = next((each.message for each in seen.findings if each.message.startswith("refused:")), "")
            mended = {each.path for each in seen.findings if each.fixable}
            files = len(self._of_kind(fixer))
            if len(mended) > max(_FEW_FILES, files // 2):
                refused = f"it would change {len(mended)} of {counted(files, 'file')}: not what they are written by"
            if refused := refused or next(iter(seen.missing), ""):
                self._tell(f"  {fixer.name:<9} left out: {shortened(refused, 300)}")
                continue
            self._tell(f"  {fixer.name:<9} would mend {counted(len(mended), 'file')}")
            kept.append(fixer)
        return tuple(kept)

    def _of_kind(self, fixer: FixerPolicy) -> list[str]:
        return [path for path in self._repository.paths(self._base) if matches(path, fixer.files)]

    def _without_failing(
        self, check: CheckPolicy, red: CheckResult, checking: Checking
    ) -> tuple[CheckPolicy, CheckResult]:
        """The suite without the few tests that fail on the base, if it is green then; else as it was."""
        everything = tuple(word for word in check.argv if word != "-x")
        listing = check.model_copy(update={"argv": (*everything, "-rfE", "--tb=no", "--continue-on-collection-errors")})
        [listed] = run_checks((listing,), checking)
        output = listed.attempts[-1].output
        text = self._outputs.get(output.name, b"").decode("utf-8", "replace") if output else ""
        failing = dict.fromkeys(name for _, name in _FAILED_TEST.findall(text))
        if not 0 < len(failing) <= _MOST_FAILED:
            return check, red
        # A file that cannot be imported is no test to deselect. Names are the root's, also where settings lie deeper.
        left_out = (f"--deselect={name}" if "::" in name else f"--ignore={name}" for name in failing)
        less = check.model_copy(update={"argv": (*check.argv, "--rootdir=.", *left_out)})
        [result] = run_checks((less,), checking)
        if not _green(result):
            return check, red
        self._tell(f"  {check.name:<9} green without {', '.join(failing)}, which the base fails")
        return less, result

    def _differently(
        self, check: CheckPolicy, red: CheckResult, checks: tuple[CheckPolicy, ...], checking: Checking
    ) -> tuple[CheckPolicy, CheckResult]:
        """Tests or a build run in another way, if they are green then, twice; else as they were."""
        other = differently(check, checks)
        if other is None:
            return check, red
        [result] = run_checks((other,), checking)
        if not (_green(result) and _green(run_checks((other,), checking)[0])):
            return check, red
        self._tell(f"  {check.name:<9} green by `{' '.join(other.argv)}`")
        return other, result

    def _keep_output(self, check: CheckPolicy, result: CheckResult) -> None:
        """Beside what was said of environments: whoever mends it reads all of it there."""
        output = result.attempts[-1].output
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            log.write(f"\n$ {' '.join(check.argv)}\n".encode() + self._outputs.get(output.name if output else "", b""))
        self._tell(f"  {check.name:<9} all that it said: {self._log}")

    def reason(self, result: CheckResult) -> str:
        """Why a check is not kept, with the last words of its output."""
        last = result.attempts[-1]
        output = self._outputs.get(last.output.name, b"").decode("utf-8", "replace").split("\n") if last.output else []
        words = next((line.strip() for line in reversed(output) if line.strip()), "")
        return "; ".join(filter(None, (last.detail or result.status.value, shortened(words, 200))))

    def _policy(self, name: str, text: str) -> EffectivePolicy:
        """Read by the same loader a run uses, before anything is written to the operator's folder."""
        with tempfile.TemporaryDirectory(prefix="autonomy-init-") as made:
            folder = Path(made)
            for file in POLICY_FILES:
                shutil.copy(self._adapters.settings.policies / file, folder / file)
            (folder / "targets").mkdir()
            (folder / "targets" / f"{name}.toml").write_text(text, encoding="utf-8")
            return PolicyFiles(folder).effective(name)

    def _made(self, policy: EffectivePolicy) -> CheckEnvironment:
        environments, going = self._adapters.environments, Going(self._tell, "the check environment is being made")
        commands = [" ".join(argv) for argv in policy.target.environment.prepare]
        self._tell(f"making the check environment{': ' if commands else ''}{shortened('; '.join(commands), 200)}")
        environment = environments.prepare(self._repository, self._base, policy, going)
        for note in environment.notes:
            self._tell(f"  {note}")
        with self._tree() as tree:
            return environments.install(environment, tree, policy, going)

    @contextmanager
    def _tree(self) -> Iterator[Path]:
        # Held like a step's own: a run beside us must not take it for one that a dead worker left.
        with work_folder(self._adapters.settings.scratch, "init") as made:
            self._repository.checkout(self._base, made)
            yield made

    def _save(self, name: str, body: bytes) -> ArtifactRef:
        self._outputs[name] = body
        digest = hashlib.sha256(body).hexdigest()
        return ArtifactRef(name=name, sha256=digest, size=len(body), media_type="text/plain", location="")


def never(fixer: FixerPolicy, paths: Sequence[str], policy: EffectivePolicy) -> str:
    """Why no run may change any of a fixer's files; empty: of one it may, or there is none yet."""
    facts = FindingFacts(type=TaskType.CODE_IMPROVEMENT, may_change=fixer.files)
    reasons = {path: untouched(policy, path, facts) for path in paths}
    path = min(reasons, default="")
    return f"{readable(path)}: {reasons[path]}" if path and all(reasons.values()) else ""


def agreed(first: CheckResult, second: CheckResult) -> CheckResult:
    """Of two results on one commit: tests that are green only sometimes are flaky."""
    if _green(second):
        return first
    told = second.attempts[0].model_copy(update={"detail": f"green, then {second.attempts[0].detail or 'red'}"})
    return second.model_copy(update={"status": CheckStatus.FLAKY, "attempts": (*first.attempts, told)})


@dataclass
class Going:
    """Called several times a second while something takes its time: says now and then how long it took so far."""

    tell: Callable[[str], None]
    what: str
    every: float = 15
    """Seconds."""
    began: float = field(default_factory=time.monotonic)
    told: float = 0

    def __call__(self) -> None:
        """Goes on; Ctrl-C raises by itself."""
        so_far = time.monotonic() - self.began
        if so_far - self.told >= self.every:
            self.told = so_far
            self.tell(f"  {self.what}: {so_far:.0f} s so far")


def _go_on() -> None:
    """Nothing cancels this but Ctrl-C, which raises by itself."""
