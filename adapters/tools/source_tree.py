"""A checkout as the tools see it: ordinary files of the project's own, nothing vendored or generated."""

import os
import re
import stat
from collections.abc import Collection, Iterator
from functools import cached_property
from itertools import islice
from pathlib import Path

from policies.paths.rules import can_match, matches
from policies.settings.environment import LOCK_FILES

VENDORED = frozenset(
    [
        "_vendor",
        "vendor",
        "vendored",
        "_vendored",
        "third_party",
        "third-party",
        "thirdparty",
        "3rdparty",
        "extern",
        "external",
        "node_modules",
        "site-packages",
        ".git",
        ".hg",
        ".svn",
        ".venv",
        "venv",
        ".env",
        ".tox",
        ".nox",
        ".eggs",
        "build",
        "dist",
        "_build",
        "__pycache__",
    ]
)
COMPARED_WITH = frozenset({
    "golden", "goldens", "golden_files", "testdata", "test_data", "test-data", "fixtures", "__snapshots__",
    "snapshots", "expected", "cassettes", "corpus",
})  # fmt: skip
"""Folders of what tests compare with or feed in: it looks like source, and every byte of it counts."""
TEST_FOLDERS = frozenset({"test", "tests", "testing", "spec", "specs"})
TEST_DATA = COMPARED_WITH | frozenset({
    "data", "samples", "examples", "cases", "input", "inputs", "output", "outputs", "resources", "assets", "files",
    "snippets", "functional",
})  # fmt: skip
"""The same, below a folder of tests."""
TEST_MODULE = re.compile(r"(^test_.*|.*_tests?|^conftest|^__init__)\.pyi?$")
GENERATED_NAME = re.compile(
    r"(_pb2(_grpc)?\.pyi?|(^|/)(_version|versioneer|parsetab|lextab)\.py|\.(min|bundle|pb|gen|g|generated|tab)\.\w+"
    r"|[._-]generated\.\w+|(^|/)(zz_generated[^/]*|moc_[^/]*|lex\.\w+\.c)|-\d+\.\d+(\.\d+)?\.js)$"
    r"|(^|/)(gen|generated|auto-?gen\w*|migrations|alembic|deps|externals|subprojects|pods|bower_components|godeps)/",
    re.IGNORECASE,
)
"""By its name or a folder's: made by a program, taken from elsewhere, or applied already as it stands."""
GENERATED_TEXT = re.compile(
    rb"@generated|(generated|created|written) (by|from|automatically)|(auto|code|machine)[- ]?generated"
    rb"|(vendored|copied|taken) (verbatim |mostly )?from|keep in sync"
    rb"|automatically (generated|created|written)|(do not|don't) (edit|modify)",
    re.IGNORECASE,
)
_STARS, _MOST_MARKS = re.compile(r"\*+"), 500
LINE_END = re.compile(r"\r\n|\r|\n")
LARGEST = 1_000_000
"""Bytes; a hand-written source file is smaller."""
LOCKS = frozenset(name for names in LOCK_FILES.values() for name in names)
LARGEST_LOCK = 20_000_000
"""Nobody writes those by hand."""


class SourceTree:
    """Reads and writes inside one folder; a symbolic link is never followed, so no path leaves it."""

    def __init__(self, root: Path, focus: Collection[str] = ()) -> None:
        self.root = root
        self.focus = tuple(sorted(focus))
        """The only paths somebody asks about now; empty: all. A slow tool looks at no others."""
        self._lines: tuple[str, tuple[str, ...]] = ("", ())

    @cached_property
    def files(self) -> frozenset[str]:
        """Repository paths a tool may look at and edit."""
        return frozenset(path for path, reason in self._walked.items() if not reason)

    def unreadable(self, *suffixes: str) -> dict[str, str]:
        """Of the files with one of these suffixes, those that are not in ``files``, as they can be shown, and why."""
        left_out = {path: reason for path, reason in self._walked.items() if reason and path.endswith(suffixes)}
        return {path if path.isprintable() else ascii(path)[1:-1]: reason for path, reason in left_out.items()}

    def under(self, *suffixes: str) -> tuple[str, ...]:
        """The files with one of these suffixes, sorted."""
        return tuple(sorted(path for path in self.files if path.endswith(suffixes)))

    def read(self, path: str) -> bytes:
        """A file's bytes; empty when it is not one of ``files``."""
        return (self.root / path).read_bytes() if path in self.files else b""

    def text(self, path: str) -> str:
        """A file's text with its line ends as they are; undecodable bytes survive a round trip."""
        return self.read(path).decode("utf-8", "surrogateescape")

    def line(self, path: str, number: int) -> str:
        """One line, counted from 1; empty when there is none."""
        # Callers go file by file, so the last one read is the one asked for next.
        if self._lines[0] != path:
            self._lines = (path, tuple(LINE_END.split(self.text(path))))
        lines = self._lines[1]
        return lines[number - 1] if 0 < number <= len(lines) else ""

    def write(self, path: str, content: bytes) -> None:
        """Replace the content of one of ``files``, keeping its mode bits."""
        if path not in self.files:
            raise ValueError(f"{path!r} is not an ordinary file of the tree")
        # The sandboxed tools only ever see the tree, yet what they leave at this path is not trusted to be no link.
        descriptor = os.open(self.root / path, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        self._lines = ("", ())

    def generated(self, path: str) -> bool:
        """Whether the file, or the repository of it, says that a program wrote it or that it came from elsewhere."""
        if matches(path, self._declared_foreign):
            return True
        if GENERATED_NAME.search(path):
            return True
        head = b"\n".join(self.read(path)[:2000].splitlines()[:10])
        return GENERATED_TEXT.search(head) is not None

    def is_source(self, path: str) -> bool:
        """Whether people write the file as code of this project: not generated, not what a test reads or compares."""
        *folders, name = path.lower().split("/")
        within = next((at for at, folder in enumerate(folders) if folder in TEST_FOLDERS), len(folders))
        data = not COMPARED_WITH.isdisjoint(folders) or not TEST_DATA.isdisjoint(folders[within + 1 :])
        loose = len(folders) > within + 1 and not TEST_MODULE.match(name)
        # Deeper among the tests, what is neither a test nor in a package is more likely read than imported.
        package = f"{path.rpartition('/')[0]}/__init__.py" in self.files
        return not data and (package or not loose) and not self.generated(path)

    @cached_property
    def _declared_foreign(self) -> tuple[str, ...]:
        """What ``.gitattributes`` calls generated or vendored, of a folder what lies in it."""
        marks = {f"linguist-{kind}{value}" for kind in ("generated", "vendored") for value in ("", "=true")}
        lines = (
            (path.removesuffix(".gitattributes"), line.split())
            for path in sorted(self.files)
            if f"/{path}".endswith("/.gitattributes")
            for line in self.text(path).splitlines()
        )
        named = (
            f"{folder}{words[0]}" if not folder or "/" in words[0] else f"{folder}**/{words[0]}"
            for folder, words in lines
            if words and not words[0].startswith("#") and marks & set(words[1:])
        )
        # They are the repository's: one that is no pattern marks nothing, and many stars would take for ever.
        return tuple(each for each in islice(named, _MOST_MARKS) if len(_STARS.findall(each)) <= 3 and can_match(each))  # noqa: PLR2004  # ``**/*x*``

    @cached_property
    def _walked(self) -> dict[str, str]:
        return dict(self._walk())

    def _walk(self) -> Iterator[tuple[str, str]]:
        """Each file of the project's own, and why it can be neither shown nor read; empty: it can."""
        for folder, folders, names in os.walk(self.root):
            if "pyvenv.cfg" in names:
                # A virtual environment, whatever it is called; `env` alone is what others call a package.
                folders.clear()
                continue
            folders[:] = [name for name in folders if name not in VENDORED and not name.endswith(".egg-info")]
            for name in names:
                full = Path(folder, name)
                path = full.relative_to(self.root).as_posix()
                status = full.lstat()
                if not stat.S_ISREG(status.st_mode) or status.st_size > (LARGEST_LOCK if name in LOCKS else LARGEST):
                    continue
                # A name git cannot show as one line of text has no place in reports and argument lists.
                reason = "" if path.isprintable() else "its name is no line of text"
                yield path, reason or ("" if os.access(full, os.R_OK) else "it may not be read")
