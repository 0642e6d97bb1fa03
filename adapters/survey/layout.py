"""Where a package and its tests lie in a tree: by names, and by what pytest is told."""

import re
from collections.abc import Iterator
from fnmatch import fnmatch
from typing import Literal

from adapters.environments.declared_requirements import Read, parse_ini, parse_toml

_TEST_FILE = re.compile(r"(test_[^/]*|[^/]*_test|tests?)\.py")
TEST_FOLDERS = frozenset({"tests", "test", "testing"})
NOT_OURS = frozenset(
    {"docs", "doc", "examples", "example", "benchmarks", "scripts", "tools", "build", "dist", "vendor"}
)
_NOT_A_MODULE = frozenset({"setup", "conftest", "noxfile", "tasks", "versioneer", "fabfile", "manage", "__init__"})

Layout = Literal["src", "lib", "flat", "none"]
_LAYOUTS: tuple[tuple[Layout, str], ...] = (("src", "src/"), ("lib", "lib/"), ("flat", ""))


def pytest_settings(read: Read) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the repository's own pytest settings say: ``testpaths`` and ``python_files``, in pytest's order of files."""
    pyproject = parse_toml(read("pyproject.toml")).get("tool", {}).get("pytest", {})
    if isinstance(pyproject, dict) and isinstance(options := pyproject.get("ini_options", pyproject), dict) and options:
        found: dict[str, object] = options
    else:
        places = (
            ("pytest.ini", "pytest"),
            (".pytest.ini", "pytest"),
            ("tox.ini", "pytest"),
            ("setup.cfg", "tool:pytest"),
        )
        parsed = ((parse_ini(read(file)), section) for file, section in places)
        found = next((dict(ini.items(section)) for ini, section in parsed if ini.has_section(section)), {})

    def words(key: str) -> tuple[str, ...]:
        value = found.get(key)
        return tuple(map(str, value)) if isinstance(value, list) else tuple(str(value or "").split())

    roots = tuple(root.strip("/").removeprefix("./") for root in words("testpaths") if not set(root) & set("*?["))
    return roots, words("python_files")


def is_test(path: str, roots: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    """Whether pytest would collect it: below ``testpaths``, by ``python_files``, or by its name."""
    *folders, name = path.split("/")
    if patterns:
        named = name.endswith(".py") and any(fnmatch(name, pattern) for pattern in patterns)
    else:
        named = bool(_TEST_FILE.fullmatch(name))
    return named and (any(_below(path, root) for root in roots) if roots else NOT_OURS.isdisjoint(folders))


def _below(path: str, root: str) -> bool:
    return root in {".", path} or path.startswith(f"{root}/")


def roots_of_tests(test_files: tuple[str, ...], own: tuple[str, ...]) -> Iterator[str]:
    """The repository's own ``testpaths``; else the folders named for tests, and single files outside of them."""
    if own:
        yield from (root for root in own if any(_below(path, root) for path in test_files))
        return
    roots: dict[str, None] = {}
    for path in test_files:
        *folders, _ = path.split("/")
        named = [depth for depth, folder in enumerate(folders) if folder in TEST_FOLDERS]
        roots["/".join(folders[: named[0] + 1]) if named else path] = None
    yield from sorted(roots)


def _sources(paths: tuple[str, ...]) -> tuple[Layout, tuple[str, ...], tuple[str, ...]]:
    for layout, root in _LAYOUTS:
        found: dict[str, str] = {}
        for path in paths:
            if path.startswith(root) and (package := _package(path[len(root) :].split("/"))):
                found.setdefault(".".join(package), root + "/".join(package))
        # Of a package and its sub-packages the outermost is imported; a namespace has none of its own.
        outer = [name for name in found if not any(name.startswith(f"{other}.") for other in found)]
        if outer:
            modules = {name: found[name] if _is_folder(found[name], paths) else f"{found[name]}.py" for name in outer}
            return layout, tuple(sorted(outer)), tuple(modules[name] for name in sorted(outer))
    return "none", (), ()


def sources_of(roots: list[str], paths: tuple[str, ...]) -> tuple[Layout, tuple[str, ...], tuple[str, ...]]:
    """The layout, names to import by, and places of packages: the root's, or of each that has its own folder."""
    imports, sources = list[str](), list[str]()
    for root in () if "" in roots else roots:
        _, names, places = _sources(tuple(path[len(root) + 1 :] for path in paths if path.startswith(f"{root}/")))
        imports += names
        sources += (f"{root}/{place}" for place in places)
    return ("flat", tuple(imports), tuple(sources)) if sources else _sources(paths)


def _is_folder(path: str, paths: tuple[str, ...]) -> bool:
    return f"{path}/__init__.py" in paths


def _package(parts: list[str]) -> list[str]:
    *folders, name = parts
    stem = name.removesuffix(".py")
    if not name.endswith(".py") or not all(folder.isidentifier() for folder in folders):
        return []
    if (TEST_FOLDERS | NOT_OURS) & set(folders[:1]) or _TEST_FILE.fullmatch(name):
        return []
    if name == "__init__.py":
        return folders
    return [stem] if not folders and stem.isidentifier() and stem not in _NOT_A_MODULE else []
