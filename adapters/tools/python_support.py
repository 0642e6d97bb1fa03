"""Which Python versions a package promises to support: no tool may modernise above that."""

import re
import tomllib
from collections.abc import Iterable

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from adapters.environments.setup_files import UnreadableSetup, setup_arguments
from adapters.tools.owners_files import ini
from adapters.tools.source_tree import SourceTree

Version = tuple[int, int]

UNKNOWN: Version = (3, 8)
"""Assumed when a package says nothing: old enough to break nobody we would still meet."""
KNOWN: tuple[Version, ...] = ((2, 6), (2, 7), *((3, minor) for minor in range(20)))
PYTHON_2 = re.compile(
    r"^#!.*python2|^from __future__ import .*(print_function|unicode_literals|division|absolute_import)"
    r"|^\s*(import six\b|from six\b)|\bPY2\b|sys\.version_info(\[0\]|\.major)? *(< *\(?3|== *2)|^\s*print [\"']",
    re.MULTILINE,
)
TEMPLATE = re.compile(r"\{%-? *\w|\{\{-? +\w[\w.|()]* +-?\}\}")
CLASSIFIER = re.compile(r"Programming Language :: Python :: (\d+)(?:\.(\d+))?\s*$")


def lowest_supported(tree: SourceTree) -> Version:
    """The lowest version the package supports: as stated, else old enough to break nobody."""
    return stated_lowest(tree) or ((2, 7) if _written_for_python_2(tree) else UNKNOWN)


def stated_lowest(tree: SourceTree) -> Version | None:
    """The lowest version it says it supports, by the most binding statement that can be read; None: it says nothing.

    ``requires-python`` in whichever form comes first; without one, the classifiers. A statement that cannot be read
    counts as none.
    """
    pyproject, setup_cfg, setup_py = _pyproject(tree), _setup_cfg(tree), _setup_py(tree)
    if setup_cfg.get("universal", "").strip().lower() in {"1", "true", "yes"}:
        return (2, 7)
    stated = (
        pyproject.get("requires-python"),
        _poetry_python(pyproject),
        setup_cfg.get("python_requires"),
        setup_py.get("python_requires"),
        _metadata(tree, "Requires-Python"),
    )
    for requirement in stated:
        if isinstance(requirement, str) and (lowest := _lowest_of(requirement)) is not None:
            return lowest
    classifiers: list[object] = []
    for source in (
        pyproject.get("classifiers"),
        setup_cfg.get("classifiers", "").splitlines(),
        setup_py.get("classifiers"),
    ):
        classifiers.extend(source if isinstance(source, list) else [])
    return _lowest_classified(str(each) for each in classifiers)


def _written_for_python_2(tree: SourceTree) -> bool:
    """Whether some file of a package that says nothing has what only Python 2 needs."""
    return any(PYTHON_2.search(tree.text(path)) for path in tree.under(".py"))


def no_python_3(path: str, text: str) -> bool:
    """Whether a file that does not parse is not meant to: one for Python 2, or a template of a Python file."""
    return "{{" in path or PYTHON_2.search(text) is not None or TEMPLATE.search(text) is not None


def _lowest_of(requirement: str) -> Version | None:
    caret = re.fullmatch(r"\s*[\^~]\s*(\d+)\.(\d+)[.\d]*\s*", requirement)
    if caret:
        return (int(caret[1]), int(caret[2]))
    try:
        versions = SpecifierSet(requirement)
    except InvalidSpecifier:
        return None
    for version in KNOWN:
        # ">=3.8.1" still means 3.8: any patch release counts.
        if any(versions.contains(f"{version[0]}.{version[1]}.{patch}") for patch in range(40)):
            return version
    return None


def _lowest_classified(classifiers: Iterable[str]) -> Version | None:
    majors, versions = set[int](), set[Version]()
    for text in classifiers:
        if found := CLASSIFIER.match(text.strip()):
            majors.add(int(found[1]))
            if found[2]:
                versions.add((int(found[1]), int(found[2])))
    if 2 in majors and not any(version[0] == 2 for version in versions):  # noqa: PLR2004 — Python 2
        return (2, 7)
    return min(versions, default=None)


def _pyproject(tree: SourceTree) -> dict[str, object]:
    try:
        document = tomllib.loads(tree.text("pyproject.toml"))
    except (tomllib.TOMLDecodeError, RecursionError):
        return {}
    project = document.get("project")
    tool = document.get("tool")
    result: dict[str, object] = dict(project) if isinstance(project, dict) else {}
    result["tool"] = tool if isinstance(tool, dict) else {}
    return result


def _poetry_python(pyproject: dict[str, object]) -> object:
    found: object = pyproject.get("tool")
    for key in ("poetry", "dependencies", "python"):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _setup_cfg(tree: SourceTree) -> dict[str, str]:
    parser = ini(tree, "setup.cfg", "options", "metadata", "bdist_wheel", "wheel")
    return {
        key: parser.get(section, option)
        for section, option, key in (
            ("options", "python_requires", "python_requires"),
            ("metadata", "classifiers", "classifiers"),
            ("metadata", "classifier", "classifiers"),
            ("bdist_wheel", "universal", "universal"),
            ("wheel", "universal", "universal"),
        )
        if parser.has_option(section, option)
    }


def _setup_py(tree: SourceTree) -> dict[str, object]:
    """Keyword arguments of ``setup(...)`` that are literals; the file is parsed, never run."""
    try:
        arguments = setup_arguments(tree.text("setup.py"))
    except UnreadableSetup:
        return {}
    wanted = {"python_requires", "classifiers"}
    return {each.name: each.value for each in arguments if each.name in wanted and not each.computed}


def _metadata(tree: SourceTree, field: str) -> str | None:
    """A field of ``PKG-INFO``, which every source distribution carries."""
    found = re.search(rf"^{field}:[ \t]*(\S.*?)\s*$", tree.text("PKG-INFO"), re.MULTILINE)
    return found[1] if found else None
