"""Merging a target's settings into the common policy: overrides may only tighten."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from contracts.modes import Mode, Role
from contracts.task import MeasureKind, TaskType
from policies.digests import policy_digest
from policies.paths.rules import can_match, matches
from policies.settings.charter import Charter
from policies.settings.schema import Autopilot, EffectivePolicy, ProtectedPaths, ProtectedRule, Target
from policies.settings.sources import Sources
from policies.settings.tasks import StandingTask, Tasks

MODES = tuple(Mode)
"""From least to most."""

WORKING_ROLES = (Role.SENSING, Role.TRIAGING, Role.PLANNING, Role.CODING, Role.REVIEW)
"""Those a backend plays; the charter must name all of them."""
_PROTECTING = frozenset({"patterns", "compliance", "agent_orders"})


class Fault(NamedTuple):
    """Why well-formed files make no policy; ``file`` and ``key`` say where to look."""

    file: str
    key: tuple[str | int, ...]
    problem: str


def merge(
    autopilot: Autopilot,
    protected: ProtectedPaths,
    charter: Charter,
    target: Target,
    sources: Sources | None = None,
    standing: Tasks | None = None,
) -> EffectivePolicy:
    """Fold the target's overrides in, so that every rule reads one place, and seal it with its digest (P6)."""
    maximum = target.maximum_mode or autopilot.modes.maximum
    modes = autopilot.modes.model_copy(
        update={"maximum": maximum, "first": min(autopilot.modes.first, maximum, key=MODES.index)}
    )
    budget = autopilot.diff_budget
    if stricter := target.diff_budget:
        budget = budget.model_copy(update={name: getattr(stricter, name) for name in stricter.model_fields_set})
        target = target.model_copy(update={"diff_budget": budget})
    effective = EffectivePolicy(
        autopilot=autopilot.model_copy(update={"modes": modes, "diff_budget": budget}),
        protected_paths=protected.model_copy(update={"protected": (*protected.protected, *target.protected)}),
        charter=charter,
        target=target,
        sources=sources or Sources(),
        standing=standing or Tasks(),
        digest="",
    )
    return effective.model_copy(update={"digest": policy_digest(effective)})


def faults(
    autopilot: Autopilot, protected: ProtectedPaths, charter: Charter, target: Target, standing: Tasks | None = None
) -> Iterator[Fault]:
    """Everything that forbids the merge.

    Rules, in order: a target only tightens (mode, diff budget, check seconds) · the names of its checks differ, and
    those of its probes and fixers · tasks and issues are measured by checks that there are · every working role has
    a backend · the first mode is PR_ONLY or below · the risk weights add up to 1 and the levels ascend · every
    pattern can match something, and no protected one is negative (it would silently unprotect) · lock files of
    `[dependencies]` decide what is prepared, and are open to such tasks.
    """
    yield from _loosenings(autopilot, target)
    names = [check.name for check in target.checks]
    for index, name in enumerate(names):
        if name in names[:index]:
            yield Fault("target", ("checks", index, "name"), f"a second check is named {name!r}; names must differ")
    probes = [probe.name for probe in target.probes]
    for index, name in enumerate(probes):
        if name in probes[:index]:
            yield Fault("target", ("probes", index, "name"), f"a second probe is named {name!r}; names must differ")
    fixers = [fixer.name for fixer in target.fixers]
    for index, name in enumerate(fixers):
        if name in fixers[:index]:
            yield Fault("target", ("fixers", index, "name"), f"a second fixer is named {name!r}; names must differ")
    yield from _task_faults(target, standing or Tasks())
    for role in WORKING_ROLES:
        if role not in charter.roles:
            yield Fault("charter", ("roles",), f"no backend for role {role.value!r}; add [roles.{role.value}]")
    if MODES.index(autopilot.modes.first) > MODES.index(Mode.PR_ONLY):
        yield Fault("autopilot", ("modes", "first"), "the first mode ever used must be PR_ONLY or below")
    yield from _risk_faults(autopilot)
    yield from _dependency_faults((*protected.protected, *target.protected), target)
    for file, key, patterns in _pattern_lists(autopilot, protected, target):
        for pattern in patterns:
            if problem := _pattern_problem(pattern, protecting=key[-1] in _PROTECTING):
                yield Fault(file, key, f"{pattern!r} {problem}")


def _task_faults(target: Target, standing: Tasks) -> Iterator[Fault]:
    known = {check.name: check for check in target.checks}
    if target.issues and target.issues.check and target.issues.check not in known:
        yield Fault("target", ("issues", "check"), f"{target.issues.check!r} is none of its checks")
    seen: set[str] = set()
    for index, task in enumerate(standing.tasks):
        if task.name in seen:
            yield Fault("tasks", ("tasks", index, "name"), f"a second task is named {task.name!r}; names must differ")
        seen.add(task.name)
        yield from _benchmark_faults(index, task)
        if task not in standing.of(target.name) or not task.check:
            continue
        if task.check not in known:
            hint = "" if task.targets else '; if it is not for every target, name those it is for: targets = ["…"]'
            yield Fault("tasks", ("tasks", index, "check"), f"{task.check!r} is no check of {target.name}{hint}")
        elif task.measure is MeasureKind.COUNTED and known[task.check].count == "none":
            problem = f"the check {task.check!r} of {target.name} counts nothing; give it `count`"
            yield Fault("tasks", ("tasks", index, "check"), problem)


_FILE = re.compile(r"[\w.-]+(/[\w.-]+)+|[\w-]+\.(py|sh|[cm]?js|ts|rb|pl)")
"""A word of a command line that names a file of the tree, or looks like it."""


def _benchmark_faults(index: int, task: StandingTask) -> Iterator[Fault]:
    """A change must not touch what it is measured by: what the command line names, at the least (P6)."""
    if task.benchmark is None:
        return
    key, files = ("tasks", index, "benchmark"), task.benchmark.files
    for pattern in files:
        if problem := _pattern_problem(pattern, protecting=True):
            yield Fault("tasks", (*key, "files"), f"{pattern!r} {problem}")
    for word in filter(_FILE.fullmatch, task.benchmark.argv):
        if not matches(word, files) and not matches(f"{word}/x", files):
            yield Fault("tasks", (*key, "argv"), f"{word!r} is not among its files: a change could touch it")


def _loosenings(autopilot: Autopilot, target: Target) -> Iterator[Fault]:
    wanted, most = target.maximum_mode, autopilot.modes.maximum
    if wanted and MODES.index(wanted) > MODES.index(most):
        yield _loosening(("maximum_mode",), wanted.value, "modes.maximum", most.value)
    if budget := target.diff_budget:
        limits = autopilot.diff_budget
        for name in ("files", "lines", "new_files", "deletions"):
            if name in budget.model_fields_set and getattr(budget, name) > getattr(limits, name):
                found = getattr(budget, name)
                yield _loosening(("diff_budget", name), found, f"diff_budget.{name}", getattr(limits, name))
        if extra := set(budget.deletions_allowed_for) - set(limits.deletions_allowed_for):
            common = ", ".join(limits.deletions_allowed_for) or "none"
            name = "deletions_allowed_for"
            yield _loosening(("diff_budget", name), ", ".join(sorted(extra)), f"diff_budget.{name}", common)
    for index, check in enumerate(target.checks):
        if check.seconds and check.seconds > autopilot.sandbox.seconds:
            yield _loosening(("checks", index, "seconds"), check.seconds, "sandbox.seconds", autopilot.sandbox.seconds)


def _loosening(key: tuple[str | int, ...], found: object, common_key: str, common: object) -> Fault:
    return Fault("target", key, f"{found} is looser than {common_key} = {common}; a target may only tighten")


def _risk_faults(autopilot: Autopilot) -> Iterator[Fault]:
    risk = autopilot.risk
    names = ("files_touched", "sensitive_paths", "runtime_impact", "test_coverage", "past_failures")
    total = round(sum(getattr(risk, name) for name in names), 6)
    if total != 1:
        yield Fault("autopilot", ("risk",), f"the five weights add up to {total}, not 1")
    if not risk.medium_from < risk.high_from < risk.critical_from:
        yield Fault("autopilot", ("risk", "medium_from"), "medium_from, high_from and critical_from must ascend")


def _dependency_faults(protected: tuple[ProtectedRule, ...], target: Target) -> Iterator[Fault]:
    if target.dependencies is None:
        return
    for index, path in enumerate(target.dependencies.lock_files):
        key = ("dependencies", "lock_files", index)
        for file in target.dependencies.files(path):
            if not matches(file, target.environment.keyed_by):
                problem = f"{file} has to be in environment.keyed_by: an update is checked in what was prepared with it"
                yield Fault("target", key, problem)
            for rule in protected:
                if TaskType.DEPENDENCY_UPDATE not in rule.unless and matches(file, rule.patterns):
                    problem = f'{file} is protected ({rule.reason}): add `unless = ["dependency_update"]` to that rule'
                    yield Fault("target", key, problem)


def _pattern_lists(
    autopilot: Autopilot, protected: ProtectedPaths, target: Target
) -> Iterator[tuple[str, tuple[str | int, ...], tuple[str, ...]]]:
    yield "autopilot", ("risk", "sensitive"), autopilot.risk.sensitive
    yield "protected_paths", ("check_defining",), protected.check_defining
    yield "protected_paths", ("compliance",), protected.compliance
    yield "protected_paths", ("agent_orders",), protected.agent_orders
    yield "target", ("allowed_paths",), target.allowed_paths
    yield "target", ("environment", "keyed_by"), target.environment.keyed_by
    for index, fixer in enumerate(target.fixers):
        yield "target", ("fixers", index, "files"), fixer.files
    for file, rules in (("protected_paths", protected.protected), ("target", target.protected)):
        for index, rule in enumerate(rules):
            yield file, ("protected", index, "patterns"), rule.patterns


def _pattern_problem(pattern: str, *, protecting: bool) -> str | None:
    if pattern.startswith("!") and protecting:
        return "would unprotect; only additions are possible here"
    return None if can_match(pattern) else "matches no path; write a path or a gitignore pattern"
