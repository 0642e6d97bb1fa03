"""Runs a tool's program on a tree, in the sandbox (P8)."""

from __future__ import annotations

import sys
import sysconfig
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from ports.environments import CheckEnvironment
from ports.sandbox import Command, CommandResult, Limits, Sandbox

RUFF = "/opt/autonomy/bin/ruff"
LIBRARIES = "/opt/autonomy/lib"
INSIDE = f"{LIBRARIES}/adapters/tools/inside"
"""Our own scripts that run in the sandbox, where they can import each other."""
GUESTS = (
    "codespell_lib", "docutils", "markdown_it", "mdurl", "yaml", "tree_sitter", "tree_sitter_bash", "tree_sitter_c",
    "tree_sitter_cpp", "tree_sitter_go", "tree_sitter_java", "tree_sitter_javascript", "tree_sitter_rust",
    "tree_sitter_toml", "tree_sitter_typescript", "tree_sitter_yaml",
)  # fmt: skip
"""Packages that our scripts inside import; nothing of them is loaded outside."""
RESULT_BYTES = 64 * 1024 * 1024
"""A tool's machine-readable answer must arrive whole; beyond this it counts as not answered."""


class ToolUnavailable(Exception):
    """A tool could not look or work; the message says why. Never means "nothing found"."""


class ToolRefused(Exception):
    """What a tool makes is not taken, and asking it again changes nothing: the task is passed over; says why."""


@dataclass(frozen=True)
class Programs:
    """The tools' own programs, from our environment, and where the sandbox shows them."""

    mounts: tuple[tuple[Path, str], ...]
    python: str

    @staticmethod
    def installed() -> Programs:
        """Those of the environment that runs the worker."""
        home = Path(sys.base_prefix).resolve()
        python = Path(sys.executable).resolve()
        mounts = [
            (Path(sysconfig.get_path("scripts"), "ruff").resolve(), RUFF),
            *((_folder(name), f"{LIBRARIES}/{name}") for name in GUESTS),
            (Path(__file__).resolve().parent / "inside", INSIDE),
        ]
        # An interpreter does not move: its library path is built in. The system's is there already.
        if not home.is_relative_to("/usr"):
            mounts.append((home, str(home)))
        return Programs(tuple(mounts), str(python))


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ToolUnavailable(f"the package {package} is not installed")
    return Path(spec.submodule_search_locations[0]).resolve()


@dataclass(frozen=True)
class ToolRunner:
    """What a tool may run, how long, and who is told that it still lives."""

    sandbox: Sandbox
    programs: Programs
    limits: Limits
    alive: Callable[[], None]
    recorded: Mapping[str, bytes] = field(default_factory=dict)
    """What the run recorded to be brought about: a source's records by its name, a proposal as ``proposals/<id>``,
    what a tool looked up as ``lookups/<tool>``.

    In Sensing also, as ``from/<source>``, the name of the fallback whose records a source's are.
    """
    environment: CheckEnvironment | None = None
    """Where programs of the repository's own run; None: there are none, or it could not be made."""

    def run(
        self,
        argv: tuple[str, ...],
        tree: Path,
        *,
        writable: bool = False,
        beside: tuple[tuple[Path, str], ...] = (),
        expected: tuple[int, ...] = (0,),
    ) -> CommandResult:
        """Run to the end, with the tree read-only unless said otherwise.

        Raises:
            ToolUnavailable: it was killed, or ended with a status the caller did not expect.
        """
        command = Command(
            argv=argv,
            tree=tree,
            limits=self.limits,
            read_only=(*self.programs.mounts, *beside),
            read_only_tree=not writable,
        )
        result = self.sandbox.run(command, self.alive)
        program = argv[0].rsplit("/", 1)[-1]
        if result.killed_for or result.exit_code is None:
            raise ToolUnavailable(f"{program} was stopped for {result.killed_for or 'an unknown reason'}")
        if result.exit_code not in expected:
            tail = result.output[-400:].decode("utf-8", "replace").strip()
            raise ToolUnavailable(f"{program} ended with status {result.exit_code}: {tail}")
        return result

    def python(
        self, script: str, *arguments: str, tree: Path, beside: tuple[tuple[Path, str], ...] = ()
    ) -> CommandResult:
        """Run one of our own scripts in the sandbox.

        ``-I`` keeps the repository's modules out of its imports, ``-S`` what this machine's Python does at each start.
        """
        argv = (self.programs.python, "-I", "-S", "-B", "-X", "utf8", f"{INSIDE}/{script}", *arguments)
        return self.run(argv, tree, beside=beside)
