"""Inside the sandbox: whether anything in a whole repository may need a name that one file imports and does not use.

An import has two effects: the module is loaded, and a name is bound. Both must be shown to be nobody's business; every
"cannot tell" is a reason to keep it.
"""

from __future__ import annotations

import ast
import os
import pkgutil
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from importlib.machinery import PathFinder
from pathlib import Path

from adapters.tools.inside.mentions import PICKLED, WORDS, mentions

PLAIN = frozenset({
    "abc", "argparse", "ast", "base64", "bisect", "calendar", "cmath", "codecs", "collections", "contextlib",
    "copy", "csv", "dataclasses", "datetime", "decimal", "difflib", "enum", "errno", "fnmatch", "fractions",
    "functools", "getpass", "glob", "hashlib", "heapq", "hmac", "html", "inspect", "io", "ipaddress", "itertools",
    "json", "keyword", "linecache", "logging", "math", "mimetypes", "numbers", "operator", "os", "pathlib",
    "pickle", "pkgutil", "platform", "pprint", "queue", "random", "re", "secrets", "shlex", "shutil", "signal",
    "socket", "stat", "statistics", "string", "struct", "subprocess", "sys", "tempfile", "textwrap", "threading",
    "time", "timeit", "tokenize", "traceback", "types", "typing", "unittest", "urllib", "uuid", "warnings",
    "weakref", "zipfile",
})  # fmt: skip
"""Modules that every Python 3 has on every platform, and that do nothing to others when they are loaded."""
NAMESPACE_READERS = frozenset({"globals", "locals", "vars", "eval", "exec", "dir", "execfile", "__import__"})
FRAME_READERS = frozenset(
    {"f_globals", "f_locals", "_getframe", "currentframe", "getmembers", "run_path", "run_module"}
)
ATTRIBUTE_READERS = frozenset({"getattr", "hasattr", "setattr", "delattr", "vars", "dir"})
PUBLIC = re.compile(
    r"(^|/)(__init__\.py|__main__\.py|conftest\.py|conf\.py|settings[^/]*\.py|[^/]*compat[^/]*|[^/]*\.pyi)$"
)
"""Files whose names are there for others by their very role."""
SOURCE_READERS = frozenset({"getsource", "getsourcelines", "findsource", "co_firstlineno", "getcomments"})
READS_ITSELF = re.compile(
    r"\b(open|FileInput|input)\(\s*__file__|__file__\)(\.\w+\(\))*\.(read_text|read_bytes|open)\(|\bgetsource(lines)?\("
)
SUMS = re.compile(r"(^|[/._-])(sha\d+|md5|checksums?|digests?)([^/]*|\w*)$", re.IGNORECASE)
BY_LINE = re.compile(r"#L\d|:\d+|^\s*:(emphasize-)?lines:|^\s*:lineno-match:", re.MULTILINE)
LARGEST_FILE = 5_000_000
LARGEST_REPOSITORY = 400_000_000
Import = tuple[str, int, str, str | None]
"""Module, level, name (empty: the module itself), alias."""


@dataclass(frozen=True)
class Uses:
    """What one Python file mentions of others."""

    from_imports: frozenset[tuple[str, str]]
    """Last part of the module, and the name taken from it; a star is a name."""
    took_from: frozenset[str]
    """Last parts of the modules it takes names from."""
    modules: frozenset[str]
    """Words that may denote a module here."""
    attributes: frozenset[str]
    strings: frozenset[str]
    dynamic: str
    """How it reads names of modules that it does not spell; empty: it does not."""
    computed: bool
    """It reads attributes of something by names it computes; a module may be handed to it."""
    implicit: frozenset[tuple[str, str]]
    """``package.submodule`` of the standard library, used without importing the submodule."""
    builtins: frozenset[str]
    """Builtins that it replaces."""


@dataclass
class Repository:
    """Everything below a folder that is text, vendored or not; links are not followed."""

    root: Path
    problem: str = ""
    """Why not everything could be looked at."""
    texts: dict[str, str] = field(default_factory=dict)

    @cached_property
    def python(self) -> dict[str, Uses | None]:
        """Each Python file's mentions; None: it does not parse."""
        return {path: _uses(text) for path, text in self.everything().items() if path.endswith((".py", ".pyi", ".pyw"))}

    @cached_property
    def shadowed(self) -> frozenset[str]:
        """Module names that something in the repository may take before the standard library does."""
        python = [Path(path) for path in self.everything() if path.endswith(".py")]
        return PLAIN & {part for path in python for part in (path.stem, path.parent.name)}

    @cached_property
    def implicit(self) -> str:
        """A submodule somebody uses that only some other import loads; empty: none."""
        for path, uses in sorted(self.python.items()):
            for package, submodule in sorted(uses.implicit if uses else ()):
                if not _loads(package, f"{package}.{submodule}"):
                    return f"{path} uses {package}.{submodule}, which another import loads"
        return ""

    @cached_property
    def dynamic(self) -> str:
        """A file that reads names of modules it does not spell; empty: none."""
        return next(
            (f"{path} {uses.dynamic}" for path, uses in sorted(self.python.items()) if uses and uses.dynamic), ""
        )

    @cached_property
    def replaced(self) -> frozenset[str]:
        """Builtins that some file replaces for all."""
        return frozenset(name for uses in self.python.values() if uses for name in uses.builtins)

    @cached_property
    def frames(self) -> bool:
        """Whether some file looks at the local variables of whoever calls it."""
        return any("f_locals" in uses.attributes for uses in self.python.values() if uses)

    def reads(self, path: str) -> str:
        """Which file of the repository reads this one's very text, so that every byte may count; empty: none."""
        name = path.rsplit("/", 1)[-1]
        if READS_ITSELF.search(self.everything().get(path, "")):
            return "it reads its own text"
        stem = name.removesuffix(".py")
        for other, uses in self.python.items():
            if uses and SOURCE_READERS & uses.attributes and (stem in uses.modules or stem in uses.took_from):
                return f"{other} reads the text of code and knows this module"
        folder = path.split("/", maxsplit=1)[0]
        for other, text in self.everything().items():
            if other != path and name in text and (reason := _of_its_bytes(other, text, name)):
                return reason
            if other == path or not other.endswith(".py"):
                continue
            if name in text and any(f"/{each}".endswith(f"/{name}") for each in self._strings(other)):
                return f"{other} names it as a file"
            tests = "test" in folder and other.split("/")[0] == folder and not name.startswith(("test_", "conftest"))
            if tests and "*.py" in text:
                return f"{other} reads the Python files beside it"
        return ""

    def _strings(self, path: str) -> frozenset[str]:
        uses = self.python.get(path)
        return uses.strings if uses else frozenset()

    def needs(self, path: str, name: str) -> str:
        """Why something outside ``path`` may need the name ``name`` of it; empty: nothing does."""
        if PUBLIC.search(path):
            return "others import from such a file"
        problem = self.everything() and (self.problem or self.implicit or self.dynamic)
        if problem:
            return problem
        stem = path.rsplit("/", 1)[-1].removesuffix(".py")
        if stem in sys.stdlib_module_names:
            return "it is named like a module of the standard library"
        pointing = re.compile(rf"(^|[.:]){re.escape(name)}($|[.:\[(])")
        others = {other: uses for other, uses in self.python.items() if other != path}
        known = [uses for uses in others.values() if uses]
        for other, uses in others.items():
            if uses and {(stem, "*"), (stem, name)} & uses.from_imports:
                return f"{other} imports from it"
            if uses and "__module__" in uses.attributes and any(map(pointing.search, uses.strings)):
                return f"{other} may put {name} behind a module's name"
        dotted = re.compile(rf"(^|[.:/]){re.escape(stem)}($|[.:])")
        if any(
            stem in uses.modules or stem in uses.attributes or any(map(dotted.search, uses.strings)) for uses in known
        ):
            for other, uses in self.python.items():
                if uses and uses.computed:
                    return f"{other} reads attributes by names it computes"
                if uses and other != path and (name in uses.attributes or any(map(pointing.search, uses.strings))):
                    return f"{other} may use {stem}.{name}"
        return self._texts_need(path, stem, name)

    def _texts_need(self, path: str, stem: str, name: str) -> str:
        everything = re.compile(rf"\b{re.escape(stem)}\b[^\n]*\bimport\b[^\n]*\*")
        module = path.removesuffix(".py").replace("/", ".")
        for other, text in self.everything().items():
            parsed = self.python.get(other) is not None
            if other == path or stem not in text or (parsed and other != f"{path}i" and ">>>" not in text):
                continue
            if other == f"{path}i":
                if name in WORDS.findall(text):
                    return f"{other} says that it has {name}"
            elif (
                mentions(other, text, module, name, parsed=parsed)
                or everything.search(text)
                or "imported-members" in text
            ):
                return f"{other} mentions {stem} and {name}"
        return ""

    def everything(self) -> dict[str, str]:
        """Each text by its path, read once."""
        if not self.texts and not self.problem:
            self.texts, self.problem = _read(self.root)
        return self.texts


def _of_its_bytes(other: str, text: str, name: str) -> str:
    """Whether a text that names a file knows its checksum, or shows it by the numbers of its lines; empty: neither."""
    if SUMS.search(other):
        return f"{other} holds a checksum of it"
    shown = re.compile(
        rf"(literalinclude::|include::|--8<--|@code|embedme|<<<)[^\n]*\b{re.escape(name)}[^\n]*(\n[ \t]+:[^\n]*)*"
    )
    by_line = any(BY_LINE.search(found[0].partition(name)[2]) for found in shown.finditer(text))
    return f"{other} shows it by its lines" if by_line else ""


def _read(root: Path) -> tuple[dict[str, str], str]:
    texts: dict[str, str] = {}
    size, problem = 0, ""
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name != ".git")
        for name in sorted(names):
            path = Path(folder, name)
            status = path.lstat()
            if stat.S_ISLNK(status.st_mode) and name.endswith(".py"):
                problem = problem or f"{path.relative_to(root)} is a link: who imports through it cannot be told"
            if not stat.S_ISREG(status.st_mode):
                continue
            size += status.st_size
            if status.st_size > LARGEST_FILE and name.endswith((".py", ".pyi")):
                problem = problem or f"{path.relative_to(root)} is too large to be searched"
            if status.st_size > LARGEST_FILE:
                continue
            if size > LARGEST_REPOSITORY:
                return texts, "the repository is too large to be searched"
            content = path.read_bytes()
            if content.startswith((b"\xff\xfe", b"\xfe\xff")):
                texts[path.relative_to(root).as_posix()] = content.decode("utf-16", "replace")
            elif b"\0" not in content[:8000] or PICKLED.match(content):
                texts[path.relative_to(root).as_posix()] = content.decode("utf-8", "replace")
    return texts, problem or ("" if texts else "there is nothing to search")


def _uses(text: str) -> Uses | None:
    try:
        module = ast.parse(text)
        return _uses_of(module)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _uses_of(module: ast.Module) -> Uses:
    from_imports, modules, attributes, strings = set[tuple[str, str]](), set[str](), set[str](), set[str]()
    bound, loaded, reached, dynamic, computed = set[str](), set[str](), set[tuple[str, str]](), "", False
    nodes = list(ast.walk(module))
    for node in nodes:
        if isinstance(node, ast.Import):
            for alias in node.names:
                modules.update(alias.name.split("."))
                loaded.add(alias.name)
                bound.add(alias.asname or alias.name.split(".")[0])
        elif isinstance(node, ast.ImportFrom):
            last = (node.module or "").rsplit(".", 1)[-1]
            for alias in node.names:
                modules.add(alias.name)
                bound.add(alias.asname or alias.name)
                loaded.update({node.module or "", f"{node.module or ''}.{alias.name}"})
                if node.level or (node.module or "").split(".")[0] not in sys.stdlib_module_names or last not in PLAIN:
                    from_imports.add((last, alias.name))
        elif isinstance(node, ast.Name) and node.id in SOURCE_READERS:
            attributes.add(node.id)
        elif isinstance(node, ast.Attribute):
            attributes.add(node.attr)
            if isinstance(node.value, ast.Name):
                reached.add((node.value.id, node.attr))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            strings.add(node.value)
    for node in nodes:
        dynamic = dynamic or _dynamic(node, bound)
        computed = computed or _computed(node)
    implicit = {
        (package, name)
        for package, name in reached
        if package in bound and name in _submodules(package) and f"{package}.{name}" not in loaded
    }
    return Uses(
        frozenset(from_imports),
        frozenset((node.module or "").rsplit(".", 1)[-1] for node in nodes if isinstance(node, ast.ImportFrom)),
        frozenset(modules),
        frozenset(attributes),
        frozenset(strings),
        dynamic,
        computed,
        frozenset(implicit),
        frozenset(
            node.attr
            for node in nodes
            if isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and _is_one_of(node.value, {"builtins", "__builtins__"})
        ),
    )


def _dynamic(node: ast.AST, imported: set[str]) -> str:
    if isinstance(node, (ast.Name, ast.Attribute)):
        name = node.id if isinstance(node, ast.Name) else node.attr
        if name in FRAME_READERS or (name in {"exec", "execfile"} and isinstance(node, ast.Name)):
            return f"uses {name}"
        if name == "__globals__" and isinstance(node, ast.Attribute):
            return "reads a function's __globals__"
        if name == "__dict__" and isinstance(node, ast.Attribute) and _is_one_of(node.value, imported):
            return "reads a module's __dict__"
        if name == "modules" and isinstance(node, ast.Attribute) and _is_one_of(node.value, {"sys"}):
            return "uses sys.modules"
    if not isinstance(node, ast.Call):
        return ""
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if called in {"import_module", "__import__", "load_module", "exec_module", "walk_packages", "iter_modules"}:
        return "" if node.args and isinstance(node.args[0], ast.Constant) else f"calls {called} for a name it computes"
    if (
        called == "eval"
        and isinstance(node.func, ast.Name)
        and not all(isinstance(each, ast.Constant) for each in node.args[:1])
    ):
        return "calls eval for what it computes"
    if called in ATTRIBUTE_READERS and node.args and _is_one_of(node.args[0], imported):
        spelled = len(node.args) > 1 and isinstance(node.args[1], ast.Constant)
        return "" if spelled else f"calls {called} on what it imports"
    return ""


def _computed(node: ast.AST) -> bool:
    if isinstance(node, ast.Attribute):
        return node.attr == "__dict__" and not _is_one_of(node.value, {"self", "cls"})
    if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) == "attrgetter":
        return not all(isinstance(each, ast.Constant) for each in node.args)
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ATTRIBUTE_READERS):
        return False
    spelled = len(node.args) > 1 and isinstance(node.args[1], ast.Constant)
    return bool(node.args) and not spelled and not _is_one_of(node.args[0], {"self", "cls"})


def _is_one_of(node: ast.expr, names: set[str]) -> bool:
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in names


def _submodules(package: str) -> frozenset[str]:
    if package not in _SUBMODULES:
        found: frozenset[str] = frozenset()
        if package in sys.stdlib_module_names and package not in sys.builtin_module_names:
            spec = PathFinder.find_spec(package)
            places = spec.submodule_search_locations if spec else None
            found = frozenset(each.name for each in pkgutil.iter_modules(places)) if places else frozenset()
        _SUBMODULES[package] = found
    return _SUBMODULES[package]


_SUBMODULES: dict[str, frozenset[str]] = {}


def _loads(package: str, submodule: str) -> bool:
    """Whether importing the package alone has always loaded the submodule, too: asked of a fresh interpreter."""
    code = f"import sys, {package}; sys.exit({submodule!r} not in sys.modules)"
    return subprocess.run([sys.executable, "-I", "-c", code], check=False, capture_output=True).returncode == 0


def own_use(text: str, module: ast.Module, name: str) -> str:
    """Why the file itself, without the import, may need the name; empty: it does not."""
    docstrings = {
        id(node.value)
        for node in ast.walk(module)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    }
    if _exports_computed(module):
        return "the file computes its __all__"
    for node in ast.walk(module):
        if isinstance(node, ast.Name) and node.id in NAMESPACE_READERS:
            return f"the file uses {node.id}"
        if isinstance(node, ast.Attribute) and node.attr in {*FRAME_READERS, "__dict__", "modules", "import_module"}:
            return f"the file uses {node.attr}"
        if isinstance(node, ast.FunctionDef) and node.name == "__getattr__":
            return "the file defines __getattr__"
        if name in _named(node):
            return f"the file uses {name}"
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and name in WORDS.findall(node.value):
            example = id(node) not in docstrings or ">>>" in node.value or ".. " in node.value
            if example:
                return f"a string of the file names {name}"
    for comment in re.findall(r"#[^\n]*", text):
        if "type:" in comment and name in WORDS.findall(comment):
            return f"a comment of the file names {name}"
    return ""


def _exports_computed(module: ast.Module) -> bool:
    """Whether ``__all__`` is anything but literal lists of literal names."""
    for node in ast.walk(module):
        if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(each, ast.Name) and each.id == "__all__" for each in targets):
                parts = node.value.elts if isinstance(node.value, (ast.List, ast.Tuple)) else [node.value]
                if not all(isinstance(part, ast.Constant) for part in parts):
                    return True
        elif isinstance(node, ast.Attribute) and _is_one_of(node.value, {"__all__"}):
            return True
    return False


def _named(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name):
        yield node.id
    elif isinstance(node, (ast.Global, ast.Nonlocal)):
        yield from node.names
    elif isinstance(node, ast.alias):
        yield node.asname or node.name.split(".")[0]
    elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        yield node.name


def loading(imported: Import, repository: Repository) -> str:
    """Why loading the module may matter to somebody; empty: it does not."""
    module, level, name, _ = imported
    top = module.split(".")[0]
    if level or top not in PLAIN:
        return f"importing {module or '.'} may have an effect"
    if top in repository.shadowed:
        return f"the repository has a module {top} of its own"
    loaded = module.split(".")[1:] + ([name] if name and name in _submodules(module) else [])
    for part in loaded:
        for path, uses in repository.python.items():
            if uses is None or part in uses.attributes or any(part in WORDS.findall(each) for each in uses.strings):
                return f"{path} may rely on {top}.{part} being loaded"
    return ""
