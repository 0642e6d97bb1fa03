"""What a repository says it needs to be tested. Read as text, parsed, never executed (P8)."""

import configparser
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from adapters.environments.requirement_files import hides
from adapters.environments.setup_files import UnreadableSetup, setup_arguments

Read = Callable[[str], str]
"""The text of a file of the tree; empty when there is none."""

_TEST_NAMES = ("test", "tests", "testing", "unittest", "pytest", "dev", "develop", "development")
"""Names of extras, groups and files, most telling first."""
_REQUIREMENT_FILES = tuple(
    template.format(name)
    for name in _TEST_NAMES
    for template in (
        "requirements/{}.in", "requirements/{}.txt", "requirements-{}.txt", "requirements_{}.txt",
        "{}-requirements.txt", "{}_requirements.txt", "{}/requirements.txt",
    )
)  # fmt: skip
_PLUGINS = (
    ("--cov", "pytest-cov"), ("asyncio_mode", "pytest-asyncio"), ("--asyncio-mode", "pytest-asyncio"),
    ("--timeout", "pytest-timeout"),
    ("--benchmark", "pytest-benchmark"), ("--numprocesses", "pytest-xdist"), ("--randomly", "pytest-randomly"),
    ("--mypy", "pytest-mypy"), ("--flake8", "pytest-flake8"), ("--doctest-plus", "pytest-doctestplus"),
)  # fmt: skip
# Only these: installing whatever a foreign tree imports, by its import name, would let it choose what we fetch.
_TEST_HELPERS = {
    "freezegun": "freezegun", "hypothesis": "hypothesis", "mock": "mock", "parameterized": "parameterized",
    "pytest_mock": "pytest-mock", "responses": "responses", "requests_mock": "requests-mock", "ddt": "ddt",
    "pretend": "pretend", "time_machine": "time-machine", "pytz": "pytz", "six": "six", "dateutil": "python-dateutil",
    "pytest_asyncio": "pytest-asyncio", "trustme": "trustme", "flaky": "flaky", "sybil": "sybil", "testfixtures":
    "testfixtures", "numpy": "numpy", "attr": "attrs", "yaml": "pyyaml",
}  # fmt: skip
_LARGEST = 200_000
_PYTEST = re.compile(r"^pytest\b", re.MULTILINE)
_ITSELF = re.compile(r"^(?:-e|--editable)[ =]+\.(\[([^\]\n]*)\])?[ \t]*$", re.MULTILINE)
_INCLUDE = re.compile(r"-(?:r|-requirement)[ =]?\s*(?:\{toxinidir\}/)?(\S+)")


@dataclass(frozen=True)
class Declared:
    """What to put into the check environment."""

    requirements: tuple[str, ...]
    extras: tuple[str, ...]
    groups: tuple[str, ...]
    packages: tuple[str, ...]
    names: frozenset[str]
    """Canonical names of every distribution mentioned."""


def declared(read: Read, test_files: tuple[str, ...]) -> Declared:
    """The first of groups, extras, requirement files, tox and setup that names test requirements; then what is missing.

    A ``.in`` file goes before its ``.txt``: old exact pins seldom have wheels for today's interpreter.
    """
    pyproject = parse_toml(read("pyproject.toml"))
    groups = _lists(pyproject.get("dependency-groups"))
    extras = _lists(_table(pyproject, "project").get("optional-dependencies"))
    setup = _setup_py(read("setup.py"))
    chosen_groups, chosen_extras, files = _most_telling(groups), _most_telling(extras), _files(read)
    lines: list[str] = []
    if chosen_groups:
        chosen_extras, files = (), ()
        mentioned = [line for name in chosen_groups for line in groups[name]]
    elif chosen_extras:
        files = ()
        mentioned = [line for name in chosen_extras for line in extras[name]]
    elif files:
        mentioned = [line for file in files for line in read(file).splitlines()]
    else:
        by_hatch, features = _hatch(parse_toml(read("hatch.toml")) or _table(pyproject, "tool", "hatch"))
        chosen_extras = tuple(name for name in features if name in extras)
        lines = (
            _tox(read("tox.ini"))
            or by_hatch
            or _setup_tests(read("setup.cfg"), setup)
            or _poetry(pyproject, tests=True)
        )
        listed = read("requirements.txt")
        if not lines and _PYTEST.search(listed):
            # What its developers use. Installing itself, with extras, is no line that is taken from a repository.
            lines = listed.splitlines() if _ITSELF.search(listed) else ["-r requirements.txt"]
            wanted = re.split(r"\s*,\s*", found[2] or "") if (found := _ITSELF.search(listed)) else []
            chosen_extras = tuple(name for name in wanted if name in extras)
        included = [found[1] for line in lines if (found := _INCLUDE.match(line.strip()))]
        files = tuple(file for file in included if read(file))
        mentioned = [*lines, *(line for file in files for line in read(file).splitlines())]
    if not _table(pyproject, "project"):
        lines += _install_requires(read("setup.cfg"), setup) or _poetry(pyproject, tests=False)
        if not lines and read("requirements.txt"):
            files = (*files, "requirements.txt")
    literal = tuple(_literal(lines))
    names = {canonicalize_name(Requirement(line).name) for line in (*literal, *_literal(mentioned))}
    helpers = [each for each in _helpers(read, test_files) if canonicalize_name(each) not in names]
    packages = dict.fromkeys([*(["pytest"] if test_files and "pytest" not in names else []), *literal, *helpers])
    return Declared(
        requirements=files, extras=chosen_extras, groups=chosen_groups, packages=tuple(packages), names=frozenset(names)
    )


def parse_ini(text: str) -> configparser.RawConfigParser:
    """An INI file, empty when it is broken."""
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True)
    try:
        parser.read_string(text)
    except configparser.Error:
        return configparser.RawConfigParser()
    return parser


def parse_toml(text: str) -> dict[str, Any]:
    """A TOML document, empty when it is broken."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}


def _table(document: dict[str, Any], *keys: str) -> dict[str, Any]:
    found: Any = document
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _lists(table: object) -> dict[str, list[str]]:
    items = table.items() if isinstance(table, dict) else ()
    return {str(k): [line for line in v if isinstance(line, str)] for k, v in items if isinstance(v, list)}


def _most_telling(named: Iterable[str]) -> tuple[str, ...]:
    by_name = {name.lower(): name for name in named}
    return next(((by_name[name],) for name in _TEST_NAMES if name in by_name), ())


def _files(read: Read) -> tuple[str, ...]:
    return next(((file,) for file in _REQUIREMENT_FILES if read(file)), ())


def _tox(text: str) -> list[str]:
    parser = parse_ini(text)
    return (parser.get("testenv", "deps", fallback=None) or "").splitlines()


def _hatch(settings: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Dependencies and features of the environment that tests are run in; what it does not state, the default's."""
    environments = _table(settings, "envs")
    usual = _table(environments, "default")
    named = [_table(environments, name) for name in (*_TEST_NAMES, "hatch-test")]
    chosen = _lists(usual | next((each for each in named if each), {}))
    wanted = chosen.get("dependencies", []) + chosen.get("extra-dependencies", [])
    return wanted, chosen.get("features", [])


def _setup_tests(setup_cfg: str, setup: dict[str, Any]) -> list[str]:
    parser = parse_ini(setup_cfg)
    section = "options.extras_require"
    extras = {o: parser.get(section, o) or "" for o in parser.options(section)} if parser.has_section(section) else {}
    for name in _most_telling(extras):
        return extras[name].splitlines()
    literal = _lists(setup.get("extras_require"))
    for name in _most_telling(literal):
        return literal[name]
    required = setup.get("tests_require")
    return [line for line in required if isinstance(line, str)] if isinstance(required, list) else []


def _install_requires(setup_cfg: str, setup: dict[str, Any]) -> list[str]:
    stated = parse_ini(setup_cfg).get("options", "install_requires", fallback=None) or ""
    required = setup.get("install_requires")
    return stated.splitlines() or ([x for x in required if isinstance(x, str)] if isinstance(required, list) else [])


def _poetry(pyproject: dict[str, Any], *, tests: bool) -> list[str]:
    """Names only: its version syntax is its own."""
    poetry = _table(pyproject, "tool", "poetry")
    if not tests:
        return [name for name in _table(poetry, "dependencies") if name != "python"]
    groups = [_table(poetry, "group", name, "dependencies") for name in _TEST_NAMES]
    return [name for table in (*groups, _table(poetry, "dev-dependencies")) for name in table]


def _setup_py(text: str) -> dict[str, Any]:
    """Literal keyword arguments of ``setup(...)``, also by way of a module-level name. Parsed, never run."""
    try:
        arguments = setup_arguments(text)
    except UnreadableSetup:
        return {}
    wanted = {"install_requires", "tests_require", "extras_require"}
    return {each.name: each.value for each in arguments if each.name in wanted and not each.computed}


def _literal(lines: Iterable[str]) -> Iterator[str]:
    """Requirements with a name; no paths, no URLs, no options, no tox factors."""
    for line in lines:
        text = line.split("#")[0].strip()
        try:
            requirement = Requirement(text)
        except InvalidRequirement:
            continue
        if not requirement.url and not hides(text):
            yield text


def _helpers(read: Read, test_files: tuple[str, ...]) -> Iterator[str]:
    settings = "".join(read(file) for file in ("pyproject.toml", "setup.cfg", "tox.ini", "pytest.ini") if test_files)
    yield from (plugin for option, plugin in _PLUGINS if option in settings)
    imported: set[str] = set()
    for file in test_files:
        text = read(file)
        imported |= (
            set(re.findall(r"^[ \t]*(?:import|from)[ \t]+(\w+)", text, re.MULTILINE)) if len(text) < _LARGEST else set()
        )
    yield from (package for name, package in sorted(_TEST_HELPERS.items()) if name in imported)
