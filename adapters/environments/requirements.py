"""What the base commit says it needs: read from the commit, never from a checkout an agent had."""

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from packaging.dependency_groups import resolve_dependency_groups
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from adapters.environments.requirement_files import ReadFile, checked, read_requirement_file
from adapters.environments.setup_files import Stated, from_pkg_info, from_setup_cfg, from_setup_py
from policies.settings.environment import EnvironmentPolicy
from ports.environments import EnvironmentUnavailable

_DEFAULT_BUILD = ("setuptools", "wheel")
_PYPROJECT = "pyproject.toml"


@dataclass(frozen=True)
class Needed:
    """Lines for the installer, sorted, and what was left unread."""

    lines: tuple[str, ...]
    notes: tuple[str, ...]


def read_requirements(read: ReadFile, environment: EnvironmentPolicy) -> Needed:
    """Everything the environment needs.

    Raises:
        EnvironmentUnavailable: a file cannot be read, or asks for something that is refused.
    """
    pyproject = _pyproject(read)
    lines: set[str] = set()
    notes: list[str] = []

    def add(origin: str, texts: Iterable[object]) -> None:
        lines.update(checked(str(text), origin) for text in texts)

    project = _table(pyproject, "project")
    dynamic = _list(project, "dynamic")
    stated = list(_setup_files(read, environment.extras)) if not project or "dependencies" in dynamic else []
    add(f"{_PYPROJECT} [project] dependencies", _list(project, "dependencies"))
    extras = _table(project, "optional-dependencies")
    if extras or not stated:
        add(f"{_PYPROJECT} [project.optional-dependencies]", _extras(project, extras, environment.extras))
    for origin, found in stated:
        add(origin, found.requirements)
        notes += found.notes
    for path in _dynamic_files(pyproject, environment.extras) if dynamic else ():
        lines.update(read_requirement_file(read, path))
    add(f"{_PYPROJECT} [dependency-groups]", _groups(pyproject, environment.groups))
    for path in environment.requirements:
        lines.update(read_requirement_file(read, path))
    add("environment.packages", environment.packages)
    if environment.build:
        build = _table(pyproject, "build-system")
        add(f"{_PYPROJECT} [build-system] requires", [*_list(build, "requires", _DEFAULT_BUILD), "pip"])
    left_out = {canonicalize_name(name) for name in environment.without}
    kept = (line for line in lines if canonicalize_name(Requirement(line.split(" --hash=")[0]).name) not in left_out)
    return Needed(tuple(sorted(kept)), tuple(notes))


def _pyproject(read: ReadFile) -> dict[str, Any]:
    try:
        return tomllib.loads((read(_PYPROJECT) or b"").decode())
    except (ValueError, RecursionError) as problem:
        raise EnvironmentUnavailable(f"{_PYPROJECT} of the base commit cannot be read: {problem}") from problem


def _table(parent: dict[str, Any], key: str) -> dict[str, Any]:
    value = parent.get(key, {})
    if not isinstance(value, dict):
        raise EnvironmentUnavailable(f"{_PYPROJECT} of the base commit: `{key}` is not a table")
    return value


def _list(parent: Mapping[Any, Any], key: str, default: tuple[str, ...] = ()) -> list[object]:
    value = parent.get(key, list(default))
    if not isinstance(value, list):
        raise EnvironmentUnavailable(f"{_PYPROJECT} of the base commit: `{key}` is not a list")
    return value


def _setup_files(read: ReadFile, extras: tuple[str, ...]) -> Iterable[tuple[str, Stated]]:
    found = False
    for path, reader in (("setup.cfg", from_setup_cfg), ("setup.py", from_setup_py)):
        if (body := read(path)) is not None:
            stated = reader(body, extras)
            found = found or bool(stated.requirements)
            yield path, stated
    # A source distribution carries what its build computed; it is the last resort because it may be stale.
    if not found and (body := read("PKG-INFO")) is not None:
        yield "PKG-INFO", from_pkg_info(body, extras)


def _extras(project: dict[str, Any], table: dict[str, Any], wanted: tuple[str, ...]) -> list[str]:
    """The chosen extras, with those they take from the same package (``name[other]``)."""
    known = {canonicalize_name(name): values for name, values in table.items()}
    own = canonicalize_name(str(project.get("name", "")))
    todo, seen, texts = [canonicalize_name(name) for name in wanted], set[str](), []
    while todo:
        extra = todo.pop()
        if extra in seen:
            continue
        seen.add(extra)
        if extra not in known:
            raise EnvironmentUnavailable(
                f"{_PYPROJECT} has no extra `{extra}` (it has: {', '.join(sorted(known)) or 'none'}): "
                "correct `environment.extras`"
            )
        for text in _list(known, extra):
            requirement = Requirement(checked(str(text), f"{_PYPROJECT} extra `{extra}`"))
            if canonicalize_name(requirement.name) == own:
                todo += [canonicalize_name(name) for name in requirement.extras]
            else:
                texts.append(str(requirement))
    return texts


def _groups(pyproject: dict[str, Any], wanted: tuple[str, ...]) -> tuple[str, ...]:
    try:
        return resolve_dependency_groups(_table(pyproject, "dependency-groups"), *wanted)
    except (ValueError, TypeError, LookupError, ExceptionGroup) as problem:
        causes = problem.exceptions if isinstance(problem, ExceptionGroup) else (problem,)
        message = "; ".join(str(cause) for cause in causes)
        raise EnvironmentUnavailable(
            f"{_PYPROJECT} [dependency-groups]: {message}: see `environment.groups`"
        ) from problem


def _dynamic_files(pyproject: dict[str, Any], extras: tuple[str, ...]) -> list[str]:
    """Files setuptools would read dependencies from."""
    dynamic = _table(_table(_table(pyproject, "tool"), "setuptools"), "dynamic")
    optional = _table(dynamic, "optional-dependencies")
    wanted = {canonicalize_name(extra) for extra in extras}
    chosen = [_table(dynamic, "dependencies")]
    chosen += [_table(optional, name) for name in optional if canonicalize_name(name) in wanted]
    files = [[entry["file"]] if isinstance(entry.get("file"), str) else _list(entry, "file") for entry in chosen]
    return [str(path) for paths in files for path in paths]
