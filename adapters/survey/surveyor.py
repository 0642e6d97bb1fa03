"""A look at a new repository: layout, tests, linters, requirements. Nothing of it is executed (P8)."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from adapters.environments.declared_requirements import Declared, Read, declared, parse_ini
from adapters.survey.clients import Client, Clients
from adapters.survey.hooks import HOOKS, OwnersFixers, needed, owners_fixers, scanner
from adapters.survey.languages import Proposal, manifest_roots, propose
from adapters.survey.layout import NOT_OURS, TEST_FOLDERS, Layout, is_test, pytest_settings, roots_of_tests, sources_of
from adapters.survey.own_commands import Argv, OwnChecks, own_checks, own_commands
from adapters.survey.python_locks import locked, package_roots, several, tool_table
from policies.counted import counted, joined
from policies.paths.rules import hostile_name, matches
from policies.settings.environment import LOCK_FILES, EnvironmentPolicy, FixerPolicy
from policies.settings.schema import CheckKind, CheckPolicy
from ports.repository import Repository

_DOCUMENTS = ("/*.md", "/*.rst", "/*.txt")
_SETTINGS = ("pyproject.toml", "setup.py", "setup.cfg", "tox.ini")
_NATIVE = re.compile(r"\.(pyx|pxd|c|cc|cpp|h|rs)$")
_LINTERS = (
    ("ruff", ("ruff.toml", ".ruff.toml"), "ruff"),
    ("mypy", ("mypy.ini", ".mypy.ini"), "mypy"),
    ("flake8", (".flake8",), "flake8"),
    ("black", (), "black"),
    ("isort", (".isort.cfg",), "isort"),
    ("pylint", (".pylintrc", "pylintrc"), "pylint"),
)
_MOST_TEST_FILES = 300
_BY_UV = "uv.lock: newer releases of what it locks are proposed where `prepare` is by uv: see docs/languages.md."
_NOT_LOOKED_AT = "is not checked"
_NOTHING_BUILT = "There is no pyproject.toml, setup.py or setup.cfg, so nothing is built or installed."
_LANGUAGES = {
    "py": "Python", "go": "Go", "rs": "Rust", "js": "JavaScript", "jsx": "JavaScript", "mjs": "JavaScript",
    "ts": "TypeScript", "tsx": "TypeScript", "java": "Java", "kt": "Kotlin", "c": "C", "cc": "C++", "cpp": "C++",
    "cs": "C#", "rb": "Ruby", "php": "PHP", "swift": "Swift", "scala": "Scala", "ex": "Elixir", "hs": "Haskell",
    "lua": "Lua", "pl": "Perl", "sh": "shell", "zig": "Zig",
}  # fmt: skip


@dataclass(frozen=True)
class Survey:
    """What was seen, and the checks worth trying on the base."""

    layout: Layout
    imports: tuple[str, ...]
    """Names the package is imported by."""
    sources: tuple[str, ...]
    """Folders and files that hold them."""
    tests: tuple[str, ...]
    """What pytest is given; empty: no tests were found."""
    linters: tuple[str, ...]
    """Configured in the repository."""
    native: bool
    """Has C, Cython or Rust parts, so building it needs a compiler."""
    environment: EnvironmentPolicy
    allowed_paths: tuple[str, ...]
    checks: tuple[CheckPolicy, ...]
    notes: tuple[str, ...]
    fixers: tuple[FixerPolicy, ...] = ()
    """Of the owner's own, worth trying."""
    owners: OwnersFixers = field(default_factory=OwnersFixers)
    """Those of them whose programs have to be fetched."""
    lock_files: tuple[str, ...] = ()
    """Of which newer releases can be proposed."""
    instead: "Survey | None" = None
    """How it is looked at where this environment cannot be made, or its tests are not green in it."""
    python: Client | None = None
    """Where Python's programs come from; asked for only when something of them is needed in a prepared environment."""


def survey(repository: Repository, commit: str, clients: Clients | None = None) -> Survey:
    """Look at a commit's tree, as committed: names and bytes, no checkout, no symlink followed.

    ``clients``: whom to ask for what this machine has of other languages; None: checks are proposed for Python only.
    """
    paths = tuple(path for path in repository.paths(commit) if hostile_name(path) is None)
    present = frozenset(paths)

    @lru_cache(maxsize=2048)
    def read(path: str) -> str:
        body = repository.read(commit, path) if path in present else None
        return (body or b"").decode("utf-8", "replace")

    layout, imports, sources = sources_of(package_roots(read, paths), paths)
    roots, patterns = pytest_settings(read)
    test_files = tuple(path for path in paths if is_test(path, roots, patterns))[:_MOST_TEST_FILES]
    needs = declared(read, test_files)
    linters = tuple(_linters(read, present))
    build = not present.isdisjoint(("pyproject.toml", "setup.py", "setup.cfg"))
    native = any(map(_is_native, paths)) or "ext_modules" in read("setup.py")
    tests = tuple(roots_of_tests(test_files, roots))
    others = _other_languages(paths)
    if others and clients and (proposal := propose(read, paths, clients)):
        owners = owners_fixers(read, paths, HOOKS)
        seen = _prepared(proposal, paths, others, _unseen(len(repository.paths(commit)) - len(paths)))
        if (python := several(read, paths, test_files, clients, least=1)) and python.tests:
            seen = _together(seen, python.environment, python.tests, python.roots)
        return _with_owners(seen, owners, clients.python if owners.packages else None)
    checkable = build or bool(tests) or not others
    commands = own_commands(read, paths)
    own = own_checks(commands, sources, lambda name: needed(name, read, paths)) if checkable else OwnChecks()
    missing = tuple(each for each in own.packages if canonicalize_name(Requirement(each).name) not in needs.names)
    owners = owners_fixers(read, paths) if checkable else OwnersFixers()
    ruff = scanner("ruff", read, paths) if "ruff" in linters and checkable else ""
    seen = Survey(
        layout=layout,
        imports=imports,
        sources=sources,
        tests=tests,
        linters=linters,
        native=native,
        environment=EnvironmentPolicy(
            requirements=needs.requirements,
            extras=needs.extras,
            groups=needs.groups,
            packages=(*needs.packages, *missing, *((f"ruff=={ruff}",) if ruff else ())),
            build=build,
        ),
        allowed_paths=tuple(_allowed(paths, sources, tests)),
        checks=tuple(_checks(layout, imports, sources, tests, linters, needs, build, own)) if checkable else (),
        notes=(
            *_foreign(others, checkable),
            *(_notes(tests, native, build) if checkable else ()),
            *_not_here(own.unknown),
            *(_beside(read, paths) if checkable and not others else ()),
            *_unseen(len(repository.paths(commit)) - len(paths)),
        ),
    )
    by_uv = (_BY_UV,) if "uv.lock" in present and checkable else ()
    plain = _with_owners(replace(seen, notes=(*seen.notes, *by_uv)), owners, None)
    if not (checkable and clients):
        return plain
    found = _by_commands(replace(seen, instead=plain), read, paths, needs, commands, test_files, clients, missing)
    return _with_owners(found, owners_fixers(read, paths, HOOKS), clients.python) if found else plain


def _by_commands(
    seen: Survey,
    read: Read,
    paths: tuple[str, ...],
    needs: Declared,
    commands: tuple[Argv, ...],
    test_files: tuple[str, ...],
    clients: Clients,
    more: tuple[str, ...],
) -> Survey | None:
    """By a lock file, or several packages; what looks at files alone looks at all of them. None: neither."""
    if made := locked(read, frozenset(paths), needs, commands, clients, more):
        updatable = tuple(_updatable(paths, made.environment))
        checks = tuple(map(made.check, seen.checks))
        return replace(seen, environment=made.environment, checks=checks, lock_files=updatable)
    beside = propose(read, paths, clients)
    if (made := several(read, paths, test_files, clients, more, least=1 if beside else 2)) is None:
        return None
    looking = (check for check in seen.checks if check.kind in {CheckKind.LINT, CheckKind.SECURITY})
    found = replace(
        seen,
        environment=made.environment,
        checks=(*made.tests, *map(made.check, looking)),
        allowed_paths=tuple(dict.fromkeys((*(f"/{root}/**" for root in made.roots), *seen.allowed_paths))),
        notes=tuple(each for each in seen.notes if each != _NOTHING_BUILT),
    )
    if not beside:
        return found
    other = _prepared(beside, paths, "", iter(()))
    both = _together(found, other.environment, other.checks, ())
    allowed = tuple(dict.fromkeys((*found.allowed_paths, *other.allowed_paths)))
    notes = (*both.notes, *other.notes)
    return replace(both, allowed_paths=allowed, notes=notes, fixers=other.fixers, lock_files=other.lock_files)


def _together(seen: Survey, more: EnvironmentPolicy, checks: tuple[CheckPolicy, ...], roots: tuple[str, ...]) -> Survey:
    """With what is in another language and has roots of its own; in its stead, if it cannot be: as it was.

    That is prepared first: what may be in vain should not have to wait for the rest.
    """
    here, both = seen.environment, dict[str, Any]()
    for name in ("prepare", "toolchains", "keyed_by", "hosts", "keep"):
        both[name] = tuple(dict.fromkeys((*getattr(more, name), *getattr(here, name))))
    taken = {check.name for check in seen.checks}
    others = (
        check.model_copy(update={"name": f"{check.name}-beside"}) if check.name in taken else check for check in checks
    )
    return replace(
        seen,
        environment=here.model_copy(update={**both, "variables": here.variables | more.variables}),
        checks=(*seen.checks, *others),
        allowed_paths=tuple(dict.fromkeys((*seen.allowed_paths, *(f"/{root}/**" for root in roots)))),
        notes=tuple(each for each in seen.notes if _NOT_LOOKED_AT not in each),
        instead=seen,
    )


def _with_owners(seen: Survey, owners: OwnersFixers, python: Client | None) -> Survey:
    ours = tuple(each for each in seen.fixers if each.name not in owners.packages)
    notes = (*seen.notes, *owners.notes)
    return replace(seen, fixers=(*ours, *owners.fixers), owners=owners, python=python, notes=notes)


def _prepared(proposal: Proposal, paths: tuple[str, ...], main: str, unseen: Iterator[str]) -> Survey:
    """What is seen of a repository that is prepared by commands of its own."""
    code = re.compile(rf"\.({'|'.join(map(re.escape, proposal.extensions)) or 'x^'})$")
    tops = {path.split("/")[0] for path in paths if "/" in path and code.search(path)}
    sources = tuple(sorted(top for top in tops if not top.startswith(".") and top not in {"vendor", "node_modules"}))
    python = main and any(path.endswith(".py") for path in paths)
    return Survey(
        layout="none",
        imports=(),
        sources=sources,
        tests=(),
        linters=(),
        native=False,
        environment=proposal.environment,
        allowed_paths=(*(f"/*.{each}" for each in proposal.extensions), *_allowed(paths, sources, ())),
        checks=tuple(proposal.checks),
        notes=(
            *([f"Most of it is {main}; its Python {_NOT_LOOKED_AT}. Add what its own CI runs."] if python else []),
            *proposal.notes,
            *unseen,
        ),
        fixers=tuple(proposal.fixers),
        lock_files=tuple(_updatable(paths, proposal.environment)),
    )


def _updatable(paths: tuple[str, ...], environment: EnvironmentPolicy) -> Iterator[str]:
    """Lock files that decide what is prepared, so that an update is checked with what it locks."""
    for path in paths:
        folder, slash, name = path.rpartition("/")
        files = [f"{folder}{slash}{each}" for each in LOCK_FILES.get(name, ())]
        if files and all(each in paths and matches(each, environment.keyed_by) for each in files):
            yield path


def _other_languages(paths: tuple[str, ...]) -> str:
    """The language most of the code is in, where that is not Python; also where there is no code at all."""
    counts = Counter(_LANGUAGES.get(path.rpartition(".")[2].lower(), "") for path in paths)
    del counts[""]
    ours = counts.pop("Python", 0)
    main, files = max(counts.items(), key=lambda each: each[1], default=("in no language that is known here", 0))
    return main if files > ours or not ours else ""


def _foreign(language: str, checkable: bool) -> Iterator[str]:
    if language and not checkable:
        yield (
            f"Most of it is {language}, and checks are proposed for Python only: none was tried. Write what its own CI "
            "runs into [[checks]], with at least one of kind `tests`; until then every run is refused."
        )
    elif language:
        yield f"Most of it is {language}; the checks below look at its Python alone. Add what its own CI runs."


def _unseen(unread: int) -> Iterator[str]:
    if unread:
        named = counted(unread, "file has a name", "files have names")
        yield f"{named} that no change may touch; they were not looked at."


def _is_native(path: str) -> bool:
    return bool(_NATIVE.search(path)) and (NOT_OURS | TEST_FOLDERS).isdisjoint(path.split("/")[:-1])


def _linters(read: Read, present: frozenset[str]) -> Iterator[str]:
    pyproject = read("pyproject.toml")
    sections = {section for file in ("setup.cfg", "tox.ini") for section in parse_ini(read(file)).sections()}
    for name, files, section in _LINTERS:
        in_pyproject = re.search(rf"^\[tool\.{section}[\].]", pyproject, re.MULTILINE)
        if in_pyproject or section in sections or not present.isdisjoint(files):
            yield name


def _checks(
    layout: str,
    imports: tuple[str, ...],
    sources: tuple[str, ...],
    tests: tuple[str, ...],
    linters: tuple[str, ...],
    needs: Declared,
    build: bool,
    stated: OwnChecks,
) -> Iterator[CheckPolicy]:
    if stated.tests and "pytest" not in needs.names:
        yield CheckPolicy(name="tests", kind=CheckKind.TESTS, argv=stated.tests)
    elif tests:
        pytest = ("python", "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider", *tests)
        yield CheckPolicy(name="tests", kind=CheckKind.TESTS, argv=pytest)
    else:
        yield CheckPolicy(name="compile", kind=CheckKind.BUILD, argv=("python", "-m", "compileall", "-q", "."))
        if imports:
            found_at = "" if build or layout == "flat" else f"import sys; sys.path.insert(0, {layout!r}); "
            code = f"{found_at}import {', '.join(imports)}"
            yield CheckPolicy(name="import", kind=CheckKind.BUILD, argv=("python", "-c", code))
    ruff = ("ruff", "check", "--no-cache", "--output-format", "json", "--exit-zero")
    own = () if "ruff" in linters else ("--isolated", "--select", "E9,F")
    yield CheckPolicy(
        name="lint", kind=CheckKind.LINT, argv=(*ruff, *own, "."), judge="not_worse", count="json_results"
    )
    yield from stated.checks
    if (
        "types" not in {check.name for check in stated.checks}
        and "mypy" in linters
        and "mypy" in needs.names
        and sources
    ):
        mypy = ("python", "-m", "mypy", "--no-incremental", "--cache-dir=/dev/null", "--no-error-summary", *sources)
        yield CheckPolicy(name="types", kind=CheckKind.TYPES, argv=mypy, judge="not_worse", count="lines")
    bandit = ("bandit", "-q", "-r", "-f", "json", "--exit-zero", *(sources or (".",)))
    yield CheckPolicy(name="security", kind=CheckKind.SECURITY, argv=bandit, judge="not_worse", count="json_results")


def _allowed(paths: tuple[str, ...], sources: tuple[str, ...], tests: tuple[str, ...]) -> Iterator[str]:
    """Sources, tests, documentation and scripts that exist, and the package's own settings."""
    top = {path.split("/")[0] for path in paths if "/" in path}
    folders = {source.split("/")[0] if source.startswith(("src/", "lib/")) else source for source in sources}
    folders |= set(tests) | (top & {"docs", "doc", "examples", "scripts", "tools", "benchmarks"})
    for folder in sorted(folders):
        literal = re.sub(r"([\\*?\[\]!# ])", r"\\\1", folder)
        yield f"/{literal}" if "." in folder.rpartition("/")[2] else f"/{literal}/**"
    yield from _DOCUMENTS
    yield from (file for file in _SETTINGS if file in paths)


def _beside(read: Read, paths: tuple[str, ...]) -> Iterator[str]:
    """What lies in the tree and is not looked at."""
    packages = package_roots(read, paths)
    if "" in packages and len(packages) > 1 and "workspace" not in tool_table(read, "uv"):
        yield f"Packages beside the root's are not installed: {', '.join(packages[1:6])}."
    for name, manifest in (("Go", "go.mod"), ("Rust", "Cargo.toml"), ("Node", "package.json")):
        if roots := [root or "the root" for root in manifest_roots(read, paths, manifest)]:
            yield f"{name} in {', '.join(roots[:5])} {_NOT_LOOKED_AT} here."


def _not_here(programs: tuple[str, ...]) -> Iterator[str]:
    if programs:
        named = joined(list(programs))
        yield f"It runs {named} itself: no check here. What works without network can be written into [[checks]]."


def _notes(tests: tuple[str, ...], native: bool, build: bool) -> Iterator[str]:
    if not tests:
        yield "No tests were found: byte-compiling and importing are the check, so the mode stops at PR_ONLY."
    if native:
        yield "Parts are not Python: building them needs a compiler in the sandbox; without one, set build = false."
    if not build:
        yield _NOTHING_BUILT
