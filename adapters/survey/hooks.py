"""The owner's own fixers of Python's registry: pre-commit's hooks and formatters, at the versions the repository pins.

pre-commit itself fetches hooks by git from hosts that nobody listed. Most of the hooks that mend are packages of a
registry under the same version: those are installed from there, and handed what pre-commit would hand them.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from adapters.environments.declared_requirements import Read, parse_ini
from adapters.survey.clients import Client
from adapters.tools.fixers import FILES
from adapters.tools.owners_files import FILES as HOOK_FILES
from adapters.tools.owners_files import hooks_in
from adapters.tools.tool_runner import ToolUnavailable
from policies.counted import joined
from policies.settings.environment import EnvironmentPolicy, FixerPolicy

_PYTHON, _ANY = ("*.py", "*.pyi"), ("*",)
_SAID, _CHANGED = (0,), (0, 1)
_VERSION = re.compile(r"(?:refs/tags/)?v?(\d+(?:\.\d+)*(?:[.-]?(?:a|b|rc|post)\d+)?)")
_FROZEN = re.compile(r"""rev:\s*['"]?([0-9a-f]{40})['"]?\s*#\s*frozen:\s*(\S+)""")
_LOCKED = 'name = "{}"\nversion = "([^"\n]+)"'
_PINNED = r"""(?im)^[\s"'-]*{}(?:\[[^\]]*\])?\s*==\s*([\w.!+]+)"""
_PLACES = re.compile(r"(requirements|constraints|dev-requirements|test-requirements)[^/]*\.(txt|in)|requirements/[^/]+")
_LOCKS = ("uv.lock", "poetry.lock", "pdm.lock")
_LISTED = 12
_COUNTED = {"ruff": Version("0.0.291")}
"""From which version on a linter prints its findings as they are counted here."""
HOOKS = "/env/hooks/bin/"
"""Where their programs are in an environment that is prepared by commands: apart, they change no version of others."""


@dataclass(frozen=True)
class _Hook:
    """What runs for a hook, as the manifest of its repository says."""

    repositories: frozenset[str]
    package: str
    program: tuple[str, ...]
    args: tuple[str, ...] = ()
    """Unless the hook has its own."""
    files: tuple[str, ...] = _PYTHON
    exit_codes: tuple[int, ...] = _CHANGED


def _hook(repositories: str, package: str, program: str, args: str = "", **more: Any) -> _Hook:
    return _Hook(frozenset(repositories.split()), package, tuple(program.split()), tuple(args.split()), **more)


_OF_TEXT = {
    "end-of-file-fixer": "end-of-file-fixer",
    "trailing-whitespace": "trailing-whitespace-fixer",
    "mixed-line-ending": "mixed-line-ending",
    "fix-byte-order-marker": "fix-byte-order-marker",
}
_HOOKS = {
    "black": _hook("black black-pre-commit-mirror", "black", "black", exit_codes=_SAID),
    "isort": _hook("isort mirrors-isort", "isort", "isort", "--filter-files", exit_codes=_SAID),
    "ruff-format": _hook("ruff-pre-commit", "ruff", "ruff format --no-cache --force-exclude", exit_codes=_SAID),
    "pyupgrade": _hook("pyupgrade", "pyupgrade", "pyupgrade"),
    "autoflake": _hook("autoflake", "autoflake", "autoflake"),
    "docformatter": _hook("docformatter", "docformatter", "docformatter", "-i", exit_codes=(0, 1, 3)),
    "add-trailing-comma": _hook("add-trailing-comma", "add-trailing-comma", "add-trailing-comma"),
    "reorder-python-imports": _hook("reorder-python-imports", "reorder-python-imports", "reorder-python-imports"),
    "django-upgrade": _hook("django-upgrade", "django-upgrade", "django-upgrade"),
    "flynt": _hook("flynt", "flynt", "flynt"),
    "blacken-docs": _hook("blacken-docs", "blacken-docs", "blacken-docs", files=("*.md", "*.rst", "*.tex")),
    "setup-cfg-fmt": _hook("setup-cfg-fmt", "setup-cfg-fmt", "setup-cfg-fmt", files=("setup.cfg",)),
    "tox-ini-fmt": _hook("tox-ini-fmt", "tox-ini-fmt", "tox-ini-fmt", files=("tox.ini",)),
    "pyproject-fmt": _hook("pyproject-fmt", "pyproject-fmt", "pyproject-fmt", files=("pyproject.toml",)),
    "toml-sort-fix": _hook("toml-sort", "toml-sort", "toml-sort -i", files=("*.toml",), exit_codes=_SAID),
    "mdformat": _hook("mdformat", "mdformat", "mdformat", files=("*.md",), exit_codes=_SAID),
    "clang-format": _hook(
        "mirrors-clang-format", "clang-format", "clang-format -i",
        files=tuple(f"*.{each}" for each in ("c", "h", "cc", "cpp", "cxx", "hpp", "hh", "proto")), exit_codes=_SAID,
    ),
    "double-quote-string-fixer": _hook("pre-commit-hooks", "pre-commit-hooks", "double-quote-string-fixer"),
    **{name: _hook("pre-commit-hooks", "pre-commit-hooks", program, files=_ANY) for name, program in _OF_TEXT.items()},
}  # fmt: skip
_FOLLOWED = frozenset({"ruff", "ruff-check", "codespell"})
"""Our own tools call these as the hook does."""
_LOOK_ONLY = re.compile(
    r"check-.*|debug-statements|detect-.*|no-commit-to-branch|name-tests-test|forbid-.*|validate.*|.*lint.*|.*-check"
    r"|mypy|pyright|flake8|bandit|pylint|pydocstyle|vulture|gitleaks|rst-.*|python-(check|no|use)-.*|text-unicode-.*"
    r"|actionlint|zizmor|typos|shellcheck|codespell|interrogate|commitizen.*|identity|uv-lock|poetry-.*|pdm-.*|pip-.*"
)
_FORMATTERS = (
    ("black", _PYTHON, ("black", "--quiet", "."), ()),
    ("isort", _PYTHON, ("isort", "--quiet", "."), (".isort.cfg",)),
)


@dataclass(frozen=True)
class OwnersFixers:
    """What was found, and what each needs."""

    fixers: tuple[FixerPolicy, ...] = ()
    packages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By a fixer's name: requirements, exact."""
    notes: tuple[str, ...] = ()

    def without(self, names: Iterable[str]) -> "OwnersFixers":
        """The rest."""
        out = frozenset(names)
        kept = {name: needs for name, needs in self.packages.items() if name not in out}
        return OwnersFixers(tuple(each for each in self.fixers if each.name not in out), kept, self.notes)

    def named_in(self, words: str) -> tuple[str, ...]:
        """Those of whose packages an installer speaks; all of them, where it speaks of none."""
        requirements = {canonicalize_name(each) for each in re.findall(r"[A-Za-z0-9][\w.-]*\w", words)}
        named = (
            name
            for name, needs in self.packages.items()
            if any(canonicalize_name(Requirement(each).name) in requirements for each in needs)
        )
        return tuple(named) or tuple(self.packages)


def owners_fixers(read: Read, paths: tuple[str, ...], programs: str = "") -> OwnersFixers:
    """Of pre-commit's hooks, and the formatters that are set up and pinned elsewhere; nothing of it is executed.

    ``programs``: the folder in which they will be, with its slash; empty: they are on PATH.
    """
    found, packages, notes, unknown = dict[str, FixerPolicy](), dict[str, tuple[str, ...]](), list[str](), list[str]()
    for hook in _hooks(read, notes):
        name, repository = str(hook.get("id") or ""), str(hook.get("repo") or "")
        row = _HOOKS.get(name)
        if name in _FOLLOWED or repository == "meta" or (row is None and _LOOK_ONLY.fullmatch(name)):
            continue
        if row is None or repository.rstrip("/").removesuffix(".git").rpartition("/")[2] not in row.repositories:
            unknown.append(name)
            continue
        version = _VERSION.fullmatch(str(hook["rev"]))
        if version is None:
            notes.append(f"pre-commit's {name} is left out: {hook['rev']} names no version of {row.package}.")
            continue
        if kinds := [key for key in ("types", "types_or", "exclude_types") if hook.get(key)]:
            notes.append(f"pre-commit's {name} is left out: which files it is handed is told by {kinds[0]}.")
            continue
        called = name if name not in found else f"{name}-{sum(each.startswith(name) for each in found) + 1}"
        try:
            found[called] = _fixer(called, hook, row, programs)
        except ValueError as problem:
            notes.append(f"pre-commit's {name} is left out: {' '.join(str(problem).split())[:200]}")
            continue
        packages[called] = (f"{row.package}=={version[1]}", *_additional(hook))
    if unknown:
        named = joined(list(dict.fromkeys(unknown))[:_LISTED])
        notes.append(f"pre-commit's {named}: left out, no package of a registry is known here that is the same.")
    for name, files, fix, settings in _FORMATTERS:
        if name in found or not _set_up(name, settings, read, frozenset(paths)):
            continue
        if exact := pinned(name, read, paths):
            found[name] = FixerPolicy(name=name, fix=(programs + fix[0], *fix[1:]), files=files)
            packages[name] = (f"{name}=={exact}",)
        else:
            notes.append(f"{name} is set up here, but no version of it is pinned: it is no fixer. Pin one, init again.")
    return OwnersFixers(tuple(found.values()), packages, tuple(notes))


def _hooks(read: Read, notes: list[str]) -> Iterator[dict[str, Any]]:
    """Those that pre-commit runs by itself, at their revision; a frozen one as the version beside it."""
    for path in HOOK_FILES:
        if not (text := read(path)):
            continue
        frozen = {found[1]: found[2] for found in _FROZEN.finditer(text)}
        try:
            for hook in hooks_in(path, text):
                stages = hook.get("stages")
                if not (isinstance(stages, list) and stages and not {"commit", "pre-commit"} & set(map(str, stages))):
                    rev = str(hook.get("rev") or "")
                    yield hook | {"rev": frozen.get(rev, rev)}
        except ToolUnavailable as problem:
            notes.append(f"{problem}: none of its hooks is run.")


def _fixer(name: str, hook: dict[str, Any], row: _Hook, programs: str) -> FixerPolicy:
    args = hook.get("args")
    words = tuple(map(str, args)) if isinstance(args, list) else row.args
    return FixerPolicy(
        name=name,
        fix=(programs + row.program[0], *row.program[1:], *words, FILES),
        files=row.files,
        only=_patterns(hook, "files", "also-files"),
        exclude=tuple(each for each in _patterns(hook, "exclude", "also-exclude") if each != "^$"),
        exit_codes=row.exit_codes,
    )


def _patterns(hook: Mapping[str, Any], *keys: str) -> tuple[str, ...]:
    return tuple(str(hook[key]) for key in keys if hook.get(key))


def _additional(hook: Mapping[str, Any]) -> Iterator[str]:
    """What a hook's own environment holds besides; a path or an address of a repository is nobody's package."""
    listed = hook.get("additional_dependencies")
    for each in listed if isinstance(listed, list) else ():
        try:
            requirement = Requirement(str(each))
        except InvalidRequirement:
            continue
        if not requirement.url:
            yield str(requirement)


def pinned(name: str, read: Read, paths: Iterable[str]) -> str:
    """The version of a package that a lock file, a requirement file or the manifest pins; empty: none does."""
    for path in _LOCKS:
        if found := re.search(_LOCKED.format(re.escape(name)), read(path)):
            return found[1]
    for path in ("pyproject.toml", "setup.cfg", "tox.ini", *(each for each in paths if _PLACES.fullmatch(each))):
        if found := re.search(_PINNED.format(re.escape(name)), read(path)):
            return found[1]
    return ""


def needed(name: str, read: Read, paths: Iterable[str]) -> tuple[str, ...]:
    """What running a program takes: itself, exact where something or its hook pins it, and what that hook adds."""
    hook = next((each for each in _hooks(read, []) if each.get("id") == name), {})
    version = _VERSION.fullmatch(str(hook.get("rev") or ""))
    exact = pinned(name, read, paths) or (version[1] if version else "")
    return (f"{name}=={exact}" if exact else name, *_additional(hook))


def scanner(name: str, read: Read, paths: Iterable[str]) -> str:
    """The version of a linter of ours that the owner's lock file, requirements or hook pin; empty: ours serves."""
    hooks = (hook for hook in _hooks(read, []) if hook.get("id") in {name, f"{name}-check", f"{name}-format"})
    exact = pinned(name, read, paths) or next((str(hook.get("rev") or "") for hook in hooks), "")
    found = _VERSION.fullmatch(exact)
    return found[1] if found and Version(found[1]) >= _COUNTED.get(name, Version("0")) else ""


def _set_up(name: str, settings: tuple[str, ...], read: Read, present: frozenset[str]) -> bool:
    sections = {each for file in ("setup.cfg", "tox.ini") for each in parse_ini(read(file)).sections()}
    in_pyproject = re.search(rf"^\[tool\.{name}[\].]", read("pyproject.toml"), re.MULTILINE)
    return bool(in_pyproject) or name in sections or not present.isdisjoint(settings)


def equipped(environment: EnvironmentPolicy, owners: OwnersFixers, python: Client | None) -> EnvironmentPolicy:
    """The same environment with the fixers' programs in it."""
    needs = tuple(dict.fromkeys(each for packages in owners.packages.values() for each in packages))
    if not needs:
        return environment
    if not environment.prepare:
        return environment.model_copy(update={"packages": (*environment.packages, *needs)})
    assert python is not None  # noqa: S101  # whoever prepares by commands asked for it
    made = (("python3", "-m", "venv", "/env/hooks"), (f"{HOOKS}pip", "install", "--quiet", *needs))
    return environment.model_copy(
        update={
            "prepare": (*environment.prepare, *made),
            "toolchains": tuple(dict.fromkeys((*environment.toolchains, *python.toolchains))),
            "hosts": tuple(dict.fromkeys((*environment.hosts, *python.hosts))),
        }
    )
