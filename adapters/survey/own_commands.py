"""What a repository itself runs: CI, tox, nox, scripts of hatch, pdm and others, Makefile, pre-commit. Only read."""

import ast
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import yaml

from adapters.environments.declared_requirements import Read, parse_ini, parse_toml
from adapters.tools.owners_files import FILES as HOOK_FILES
from adapters.tools.owners_files import hooks_in, unfolded
from adapters.tools.tool_runner import ToolUnavailable
from policies.settings.schema import CheckKind, CheckPolicy

Argv = tuple[str, ...]

_CI = re.compile(
    r"\.github/workflows/[^/]+\.ya?ml|\.gitea/workflows/[^/]+\.ya?ml|\.forgejo/workflows/[^/]+\.ya?ml|\.gitlab-ci\.yml"
    r"|\.travis\.yml|\.circleci/config\.yml|azure-pipelines\.yml|\.woodpecker\.ya?ml|\.cirrus\.yml|appveyor\.yml"
)
_SHELL = frozenset("|&;<>$(){}`*?~\\")
MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
_LARGEST = 200_000
_LOOKING = (
    ("types", CheckKind.TYPES, "mypy", ("--no-incremental", "--cache-dir=/dev/null", "--no-error-summary")),
    ("flake8", CheckKind.LINT, "flake8", ()),
)
_NOT_HERE = frozenset({
    "pyright", "basedpyright", "pytype", "pyre", "ty", "pylint", "pydocstyle", "pycodestyle", "semgrep", "pip-audit",
    "safety", "vulture", "tsc", "sphinx-build", "mkdocs", "golangci-lint", "staticcheck", "cargo-deny",
})  # fmt: skip
"""They look, and nothing here knows how to count what they say, or they ask the network."""
_FETCHING = frozenset({"--install-types", "--non-interactive"})
"""Of mypy: there is no network; what types it lacks is the same on base and change."""
_RUNNERS = (("uv", "run"), ("poetry", "run"), ("pdm", "run"), ("hatch", "run"), ("pipenv", "run"), ("rye", "run"))
_HOOKS_ARGS = {"mypy": ("--ignore-missing-imports", "--scripts-are-modules")}
"""Of hooks that give none of their own."""
_SCRIPTS = (("pdm", "scripts"), ("poe", "tasks"), ("taskipy", "tasks"), ("rye", "scripts"))


def own_commands(read: Read, paths: tuple[str, ...]) -> tuple[Argv, ...]:
    """Plain commands, those of the CI first; what only a shell understands is left out, and who runs them."""
    lines = (
        *(line for path in paths if _CI.fullmatch(path) for line in _of_ci(read(path))),
        *_of_tox(read("tox.ini")),
        *_of_nox(read("noxfile.py")),
        *_of_scripts(parse_toml(read("pyproject.toml")).get("tool")),
        *_of_scripts({"hatch": parse_toml(read("hatch.toml"))}),
        *(line for path in MAKEFILES for line in _of_make(read(path))),
        *(line for path in HOOK_FILES for line in _of_hooks(path, read(path))),
    )
    return tuple(dict.fromkeys(argv for line in lines if (argv := _argv(line))))


@dataclass(frozen=True)
class OwnChecks:
    """What of a Python repository's own commands is a check here."""

    tests: Argv = ()
    """Of one that is tested by something else than pytest."""
    checks: tuple[CheckPolicy, ...] = ()
    packages: tuple[str, ...] = ()
    """What these need."""
    unknown: tuple[str, ...] = ()
    """Programs that look, and are no check here."""


def own_checks(
    commands: Iterable[Argv], sources: tuple[str, ...], needed: Callable[[str], tuple[str, ...]]
) -> OwnChecks:
    """Types and style as it asks for them itself, compared with the base; tests by its own words.

    Args:
        commands: its own.
        sources: what is looked at, where its own words name nothing.
        needed: requirements for running a package, as it is pinned.
    """
    modules = [_as_module(argv) for argv in commands]
    checks, packages = [], list[str]()
    for name, kind, module, ours in _LOOKING:
        words = next((argv[1:] for argv in modules if argv[0] == module), None)
        if words is None:
            continue
        words = tuple(word for word in words if word not in _FETCHING)
        paths = () if any(not word.startswith("-") for word in words) else sources
        argv = ("python", "-m", module, *ours, *words, *paths)
        checks.append(CheckPolicy(name=name, kind=kind, argv=argv, judge="not_worse", count="lines"))
        packages += needed(module)
    programs = {argv[0] for argv in modules}
    tests = () if "pytest" in programs else next((argv for argv in modules if _is_test(argv)), ())
    return OwnChecks(
        tests=("python", "-m", *tests) if tests[:1] == ("unittest",) else tests,
        checks=tuple(checks),
        packages=tuple(packages),
        unknown=tuple(sorted(programs & _NOT_HERE)),
    )


def _as_module(argv: Argv) -> Argv:
    """By the module's name, whoever starts it: ``python -m``, ``coverage run -m``."""
    if argv[0] in {"python", "python3"} and argv[1:2] == ("-m",) and len(argv) > 2:  # noqa: PLR2004  # -m and its word
        return argv[2:]
    if argv[:2] == ("coverage", "run") and "-m" in argv[:-1]:
        return argv[argv.index("-m") + 1 :]
    return ("pytest", *argv[1:]) if argv[0] == "py.test" else argv


def _is_test(argv: Argv) -> bool:
    script = argv[1] if argv[0] in {"python", "python3"} and len(argv) > 1 else ""
    runs = script.endswith(".py") and "test" in script.rpartition("/")[2]
    return argv[0] == "unittest" or runs or (script == "manage.py" and argv[2:3] == ("test",))


def plain(line: str) -> bool:
    """Whether it is a program and its words, with nothing that only a shell understands outside of quotes."""
    return _SHELL.isdisjoint(re.sub(r"""'[^']*'|"[^"$`\\]*\"""", "", line))


def _argv(line: str) -> Argv:
    if not plain(line):
        return ()
    try:
        words = tuple(shlex.split(line, comments=True))
    except ValueError:
        return ()
    if words[:2] in _RUNNERS:
        rest = words[2:]
        # Flags of a runner take values, and which do is its own affair.
        words = () if rest[:1] and rest[0].startswith("-") else rest
        words = (words[0].rpartition(":")[2], *words[1:]) if words else ()
    return () if not words or "=" in words[0] else words


def _of_ci(text: str) -> Iterator[str]:
    """What stands under `run` and `script`, line by line."""
    try:
        document = unfolded(text, merges=True) if len(text) < _LARGEST else None
    except (yaml.YAMLError, RecursionError, ValueError):
        return
    todo: list[tuple[object, bool]] = [(document, False)]
    while todo:
        each, command = todo.pop(0)
        if isinstance(each, dict):
            todo += [(value, key in {"run", "script", "command", "test_script"}) for key, value in each.items()]
        elif isinstance(each, list):
            todo += [(value, command) for value in each]
        elif command and isinstance(each, str):
            yield from re.sub(r"\\\n\s*", " ", each).splitlines()


def _of_tox(text: str) -> Iterator[str]:
    ini = parse_ini(text)
    for section in ini.sections():
        if section.startswith("testenv"):
            commands = ini.get(section, "commands", fallback=None, raw=True) or ""
            commands = re.sub(r"\\\n\s*", " ", commands)
            commands = re.sub(r"\{posargs(:[^{}]*)?\}", lambda found: (found[1] or ":")[1:], commands)
            commands = commands.replace("{envpython}", "python").replace("{toxinidir}/", "")
            # "mypy: mypy src": of an environment whose name has that factor.
            yield from (
                re.sub(r"^[\w{},!.-]+: +", "", line.strip()).removeprefix("- ") for line in commands.splitlines()
            )


def _of_nox(text: str) -> Iterator[str]:
    """The words of each ``session.run``, where they stand there as such."""
    tree: ast.AST = ast.Module([], [])
    with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
        tree = ast.parse(text[:_LARGEST])
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "run":
            words = [each for each in node.args if not isinstance(each, ast.Starred)]
            argv = [each.value for each in words if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            if argv and len(argv) == len(words):
                yield shlex.join(argv)


def _of_scripts(tool: object) -> Iterator[str]:
    tool = tool if isinstance(tool, dict) else {}
    tables = [_at(tool, name, key) for name, key in _SCRIPTS]
    tables += [_at(each, "scripts") for each in _at(tool, "hatch", "envs").values() if isinstance(each, dict)]
    todo: list[object] = [value for table in tables for value in table.values()]
    for each in todo:
        if isinstance(each, dict):
            words = each.get("cmd")
            todo += [shlex.join(map(str, words)) if isinstance(words, list) else words, each.get("composite")]
        elif isinstance(each, list):
            todo += each
        elif isinstance(each, str):
            # "- " before a command of hatch: whatever it ends with.
            yield re.sub(r"\{args(:[^{}]*)?\}", lambda found: (found[1] or ":")[1:], each).removeprefix("- ")


def _at(table: dict[str, Any], *keys: str) -> dict[str, Any]:
    for key in keys:
        found = table.get(key)
        table = found if isinstance(found, dict) else {}
    return table


def _of_hooks(path: str, text: str) -> Iterator[str]:
    """What pre-commit calls: a local hook's own words; of others the program, which mostly has the hook's name."""
    with suppress(ToolUnavailable):
        for hook in hooks_in(path, text):
            name, args = str(hook.get("id") or ""), hook.get("args")
            program = hook.get("entry") if hook.get("repo") == "local" else shlex.quote(name)
            words = map(str, args) if isinstance(args, list) else _HOOKS_ARGS.get(name, ())
            if isinstance(program, str):
                yield f"{program} {shlex.join(words)}"


def _of_make(text: str) -> Iterator[str]:
    """Recipe lines, with the file's own plain variables put in."""
    known = dict(re.findall(r"^([A-Za-z_]\w*)\s*[?:]{0,2}=[ \t]*([^\n$]*?)[ \t]*$", text[:_LARGEST], re.MULTILINE))
    for line in re.sub(r"\\\n\s*", " ", text[:_LARGEST]).splitlines():
        if line.startswith("\t"):
            command = re.sub(r"\$[({](\w+)[)}]", lambda found: known.get(found[1], found[0]), line)
            yield command.strip().lstrip("@-+").strip()
