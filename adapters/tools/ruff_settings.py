"""What the repository's owner selected of ruff, and what we look for where nothing is selected.

Where the owner selected rules (in any ruff configuration, nested or extended, or by pre-commit's hook), ruff runs as
the owner runs it: what it then shows is the selection, and nothing is added but what the target file opts in to. What
the configuration calls a safe fix is no authority: every fix is proven (``comparison``).
"""

import json
import posixpath
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from adapters.tools.inside.command_lines import SCRIPTS, command_lines
from adapters.tools.other_linters import Flake8, flake8_settings
from adapters.tools.owners_files import handed as handed_to
from adapters.tools.owners_files import hooks, ini, patterns_of, strings, table_in
from adapters.tools.python_support import Version, lowest_supported
from adapters.tools.source_tree import VENDORED, SourceTree
from adapters.tools.tool_runner import ToolUnavailable
from policies.settings.schema import EffectivePolicy

ALWAYS_IGNORED = ("E501", "I002", "RUF100", "RUF101", "RUF102")
"""No fix; adds imports; and ``noqa`` cannot be judged while other linters and rules of the project are off."""
OLDEST_RUFF: Version = (3, 7)
NEWEST_RUFF: Version = (3, 15)
CONFIGURATIONS = (".ruff.toml", "ruff.toml", "pyproject.toml")
"""In ruff's order of precedence."""
HOOK_OPTIONS = re.compile(
    r"^--(select|extend-select|ignore|extend-ignore|per-file-ignores|extend-per-file-ignores|line-length"
    r"|target-version|config|exclude|extend-exclude)(=|$)"
)
"""Of a hook's arguments, those that say what is looked for."""
NO_LOOK = frozenset(
    ["--statistics", "--exit-zero", "-e", "--show-settings", "--show-files", "--add-noqa", "--version", "-V", "--help"]
)
"""A command with one of these asks for something else than what is to be mended."""
HOOK_FLAGS = frozenset({"--preview", "--no-preview", "--isolated"})
LOOK_ONLY = ("--no-cache", "--no-fix", "--force-exclude", "--extend-exclude", ",".join(sorted(VENDORED)))
SORTERS = frozenset({"isort", "reorder-python-imports", "seed-isort-config", "usort"})


@dataclass(frozen=True)
class Look:
    """One call of ruff, and whose files and rules it speaks of."""

    options: tuple[str, ...]
    paths: frozenset[str]
    sorts: bool = False
    """The call is for the order of imports, in whatever style the repository keeps."""


@dataclass(frozen=True)
class RuffSettings:
    """How to call ruff on one tree."""

    looks: tuple[Look, ...]
    """Empty: nothing is looked for."""
    governed: frozenset[str]
    """Files of which the owner says what is looked for."""
    formatter: tuple[str, ...] | None
    """Options for ``ruff format``, or None: the repository does not use ruff's or black's format."""
    flake8: Flake8


def ruff_settings(tree: SourceTree, policy: EffectivePolicy) -> RuffSettings:
    """Read what the tree's owner wrote down.

    Raises:
        ToolUnavailable: it cannot be read.
    """
    lowest, flake8 = lowest_supported(tree), flake8_settings(tree)
    own, pyproject = _own(tree)
    tables = _tables(tree)
    # What lies outside the tree is nobody's choice here: such a configuration is not handed to ruff at all.
    handed = not any(_leaves(folder, table) for folder, table in tables.items())
    options = _common(own, lowest, handed=handed and bool(tables))
    formatter = _formatter(own, pyproject, options)
    if lowest < (3, 0):
        # Our proofs speak of Python 3.
        return RuffSettings((), frozenset(), formatter, flake8)
    python = frozenset(tree.under(".py", ".pyi"))
    hooked = tuple(_hooks(tree)) if handed else ()
    selected = frozenset(path for path in python if handed and _selected(path, tables))
    picked = handed_to([patterns_of(hook) for hook, _ in hooked], python)
    called = [(arguments, paths) for (_, arguments), paths in zip(hooked, picked, strict=True)]
    called += _commands(tree, python) if handed else []
    looks = [Look((*LOOK_ONLY, *arguments), paths) for arguments, paths in called]
    if not called and selected:
        looks.append(Look(LOOK_ONLY, selected))
    governed = python if called else selected
    opted = policy.target.improve.ruff
    usual = policy.charter.families if handed else _names_selected(own) or policy.charter.families
    for families, paths in ((usual, python - governed), (opted, python)):
        looks.extend(
            _ours(families, paths, options, own, other_sorter=_other_import_sorter(tree, pyproject), lowest=lowest)
        )
    return RuffSettings(tuple(look for look in looks if look.paths), governed, formatter, flake8)


def _ours(
    families: tuple[str, ...],
    paths: frozenset[str],
    options: tuple[str, ...],
    own: dict[str, object],
    *,
    other_sorter: bool,
    lowest: Version,
) -> Iterator[Look]:
    lint = {**own, **table_in(own, "lint")}
    ignore = tuple(dict.fromkeys((*strings(lint, "ignore"), *strings(lint, "extend-ignore"), *ALWAYS_IGNORED)))
    wanted = [each for each in families if each != "I"]
    if lowest < OLDEST_RUFF:
        # ruff knows nothing older than 3.7: its modernisations would use what 3.6 does not have.
        wanted = [each for each in wanted if not each.startswith(("UP", "FURB", "FA"))]
    if "ALL" in ignore:
        return
    if wanted:
        yield Look((*options, "--select", ",".join(wanted), "--ignore", ",".join(ignore)), paths)
    sorts = "isort" in lint
    if "I" in families and (sorts or not other_sorter):
        yield Look((*options, "--select", "I", "--ignore", ",".join(ignore)), paths, sorts=not sorts)


def _common(own: dict[str, object], lowest: Version, *, handed: bool) -> tuple[str, ...]:
    """Options of a call of ours: the owner's configuration counts, except for what is selected."""
    target = max(OLDEST_RUFF, min(lowest, _declared(own) or lowest, NEWEST_RUFF))
    options = (*LOOK_ONLY, "--target-version", f"py{target[0]}{target[1]}")
    if handed:
        return options
    per_file = table_in({**own, **table_in(own, "lint")}, "per-file-ignores")
    pairs = [f"{pattern}:{code}" for pattern in per_file for code in strings(per_file, pattern)]
    return (*options, "--isolated", *(("--per-file-ignores", ",".join(pairs)) if pairs else ()))


def _tables(tree: SourceTree) -> dict[str, dict[str, object]]:
    """Each folder's own configuration of ruff; the root's is ``""``."""
    found: dict[str, dict[str, object]] = {}
    for name in reversed(CONFIGURATIONS):
        for path in tree.files:
            folder, _, last = path.rpartition("/")
            if last != name:
                continue
            try:
                table = _toml(tree, path)
            except ToolUnavailable:
                # Below the root it is more likely a test's; whether it matters, ruff says.
                if not folder:
                    raise
                continue
            if name == "pyproject.toml":
                if "ruff" not in table_in(table, "tool"):
                    continue
                table = table_in(table_in(table, "tool"), "ruff")
            found[folder] = table
    return found


def _leaves(folder: str, table: Mapping[str, object]) -> bool:
    """Whether a configuration extends one outside the tree."""
    extended = table.get("extend")
    if not isinstance(extended, str):
        return False
    return (
        extended.startswith(("/", "~"))
        or "$" in extended
        or posixpath.normpath(f"{folder}/{extended}".lstrip("/")).startswith("..")
    )


def _names_selected(own: dict[str, object]) -> tuple[str, ...]:
    lint = {**own, **table_in(own, "lint")}
    return (*strings(lint, "select"), *strings(lint, "extend-select"))


def _selects(table: dict[str, object]) -> bool:
    parts = (table, table_in(table, "lint"))
    return "extend" in table or any(key in part for part in parts for key in ("select", "extend-select"))


def _selected(path: str, tables: Mapping[str, dict[str, object]]) -> bool:
    folder = path
    while folder:
        folder = folder.rpartition("/")[0]
        if folder in tables:
            return _selects(tables[folder])
    return False


def _hooks(tree: SourceTree) -> Iterator[tuple[dict[str, object], tuple[str, ...]]]:
    """Pre-commit's hooks of ruff's linter, with the arguments that say what is looked for."""
    for hook in hooks(tree):
        if hook.get("id") in {"ruff", "ruff-check"}:
            yield hook, tuple(_what_for(strings(hook, "args")))


def _commands(tree: SourceTree, python: frozenset[str]) -> list[tuple[tuple[str, ...], frozenset[str]]]:
    """The same of the owner's command lines, and the files that each is given.

    Raises:
        ToolUnavailable: what is looked for is put together when it runs.
    """
    found: list[tuple[tuple[str, ...], frozenset[str]]] = []
    bare = False
    for path in sorted(filter(SCRIPTS.match, tree.files)):
        for command in command_lines("ruff", path, tree.text(path)):
            # Before 0.1 there was no ``check``.
            if (
                not command
                or NO_LOOK & set(command)
                or not (command[0] in {"check", ".", "./"} or command[0].startswith("-"))
            ):
                continue
            words = command[command[0] == "check" :]
            arguments = tuple(_what_for(tuple(words)))
            if any("$" in each or "{{" in each for each in arguments):
                raise ToolUnavailable(
                    f"{path}: an option of ruff is put together when it runs; write it into ruff.toml"
                )
            tops = {posixpath.normpath(each) for each in words}
            files = frozenset(each for each in python if any(f"{each}/".startswith(f"{top}/") for top in tops))
            # Alone, it may be what a step is called.
            bare = bare or not words
            found += [(arguments, files or python)] if words else []
    return found or [((), python)] * bare


def _what_for(arguments: tuple[str, ...]) -> Iterator[str]:
    rest = iter(arguments)
    for each in rest:
        if found := HOOK_OPTIONS.match(each):
            yield each
            if not found[2]:
                yield next(rest, "")
        elif each in HOOK_FLAGS:
            yield each


def _own(tree: SourceTree) -> tuple[dict[str, object], dict[str, object]]:
    """The configuration ruff would find at the root of the tree, and ``pyproject.toml``."""
    pyproject = _toml(tree, "pyproject.toml")
    for path in CONFIGURATIONS[:2]:
        if path in tree.files:
            return _toml(tree, path), pyproject
    return table_in(table_in(pyproject, "tool"), "ruff"), pyproject


def _toml(tree: SourceTree, path: str) -> dict[str, object]:
    try:
        return tomllib.loads(tree.text(path))
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ToolUnavailable(f"{path} is not valid TOML: {error}") from error


def _formatter(
    own: dict[str, object], pyproject: dict[str, object], options: tuple[str, ...]
) -> tuple[str, ...] | None:
    black = table_in(table_in(pyproject, "tool"), "black")
    common = tuple(each for each in options if each not in {"--no-fix", "--extend-exclude", LOOK_ONLY[-1]})
    if "format" in own:
        return common
    if black or "black" in table_in(pyproject, "tool"):
        settings: dict[str, object] = {}
        if black.get("skip-string-normalization"):
            settings["format.quote-style"] = "preserve"
        if "line-length" not in own and isinstance(black.get("line-length"), int):
            settings["line-length"] = black["line-length"]
        return (*common, "--no-preview", *_inline(settings))
    return None


def _other_import_sorter(tree: SourceTree, pyproject: dict[str, object]) -> bool:
    """Whether another program owns the order of imports; sorting by another style would only be noise."""
    if ".isort.cfg" in tree.files or "isort" in table_in(pyproject, "tool"):
        return True
    if any(hook.get("id") in SORTERS for hook in hooks(tree)):
        return True
    for path in ("setup.cfg", "tox.ini"):
        sections = ini(tree, path, "isort", "tool:isort").sections()
        if any(name.lower() in {"isort", "tool:isort"} for name in sections):
            return True
    return False


def _declared(own: dict[str, object]) -> Version | None:
    name = own.get("target-version")
    if isinstance(name, str) and name.startswith("py3") and name[3:].isdigit():
        return (3, int(name[3:]))
    return None


def _inline(settings: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(part for key, value in settings.items() for part in ("--config", f"{key} = {json.dumps(value)}"))
