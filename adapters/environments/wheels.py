"""WheelEnvironments: check environments of wheels, cached by digest."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path

from adapters.environments.kept import Lock, evict, held
from adapters.environments.lfs import LfsFiles
from adapters.environments.package_build import build_package, has_build_metadata, tree_digest
from adapters.environments.prepared import PreparedEnvironments
from adapters.environments.requirements import read_requirements
from adapters.environments.submodules import Beside, Credential, SubmoduleTrees
from adapters.environments.uv import run_uv
from adapters.sandbox.enclosure import TREE
from adapters.sandbox.interpreter import interpreter_mounts
from policies.settings.schema import EffectivePolicy
from ports.environments import CheckEnvironment, EnvironmentUnavailable
from ports.removal import remove_tree
from ports.repository import Repository
from ports.sandbox import Command, Limits, Sandbox

_ENVIRONMENT = "/opt/autonomy/environment"
_TOOLS = "/opt/autonomy/tools"
_PACKAGE = "/opt/autonomy/package"
_LAYOUT = 2
"""Part of every digest: raise it when what is made of the same requirements changes."""
_LOCK = Path(__file__).resolve().parents[2] / "requirements.lock"
"""Hashes of our own tools and of all that they need."""
_TOOL_NAMES = ("ruff", "bandit", "pip")
_FACTS = "import sys, sysconfig; print(sys.version, sys.prefix, sysconfig.get_platform())"


class WheelEnvironments:
    """Environments below one folder of ours; several workers may share it. With `prepare`, see ``prepared.py``."""

    def __init__(self, root: Path, sandbox: Sandbox, credential: Credential = lambda _target: {}) -> None:
        """``credential``: the variables that let git read a target's own remote, for submodules of that origin."""
        self._environments = root / "environments"
        self._packages = root / "packages"
        self._sandbox = sandbox
        self._prepared = PreparedEnvironments(root, sandbox)
        self._lfs = LfsFiles(root, credential)
        self._submodules = SubmoduleTrees(root, credential, self._lfs.fill)

    def prepare(
        self, repository: Repository, base: str, policy: EffectivePolicy, alive: Callable[[], None], merged: str = ""
    ) -> CheckEnvironment:
        """Resolve and install the base commit's requirements as wheels; see the port."""
        chosen, beside = policy.target.environment, Beside()
        for setting, elsewhere in (("submodules", self._submodules), ("lfs", self._lfs)):
            try:
                beside = beside.and_also(elsewhere.of(repository, base, policy, alive))
            except EnvironmentUnavailable as problem:
                problem.setting = setting
                raise
        if chosen.prepare:
            return beside.added_to(self._prepared.prepare(repository, base, policy, alive, merged, beside))
        needed = read_requirements(partial(repository.read, base), chosen)
        limits = Limits.of(policy.autopilot.sandbox)
        wanted = Wanted(chosen.python or sys.executable, needed.lines)
        environment, in_use = self._cached(wanted, limits, alive, chosen.kept_gb)
        tools, tools_in_use = self._cached(_our_tools(), limits, alive, chosen.kept_gb)
        made = CheckEnvironment(
            digest=environment.name,
            path=environment,
            guest=_ENVIRONMENT,
            environment={"PATH": _search_path(), "VIRTUAL_ENV": _ENVIRONMENT},
            read_only=((tools, _TOOLS), *dict.fromkeys((*_interpreter(environment), *_interpreter(tools)))),
            notes=needed.notes,
            held=(in_use, tools_in_use),
        )
        return beside.added_to(made)

    def install(
        self, environment: CheckEnvironment, tree: Path, policy: EffectivePolicy, alive: Callable[[], None]
    ) -> CheckEnvironment:
        """Build the package in ``tree`` inside the sandbox and add it; see the port.

        Raises:
            EnvironmentUnavailable: the build failed.
        """
        if policy.target.environment.prepare:
            return environment
        if not policy.target.environment.build or not has_build_metadata(tree):
            source = tree / "src"
            where = "/work/src" if source.is_dir() and not source.is_symlink() else "/work"
            return replace(environment, environment={**environment.environment, "PYTHONPATH": where})
        package = self._packages / _digest(environment.digest, tree_digest(tree))

        def make() -> None:
            build_package(environment, tree, package, f"{_TOOLS}/pip", self._sandbox, policy.autopilot.sandbox, alive)
            self._evict(policy.target.environment.kept_gb)

        in_use = held(package, make, alive)
        return replace(
            environment,
            environment={**environment.environment, "PATH": _search_path(_PACKAGE), "PYTHONPATH": _PACKAGE},
            read_only=(*environment.read_only, (package, _PACKAGE)),
            held=(environment.held, in_use),
        )

    def _cached(self, wanted: Wanted, limits: Limits, alive: Callable[[], None], most_gb: float) -> tuple[Path, Lock]:
        """A virtual environment with these requirements; made in a neighbour folder, then renamed: never half there."""
        environment = self._environments / wanted.digest

        def make() -> None:
            unfinished = environment.with_suffix(".unfinished")
            remove_tree(unfinished)
            try:
                self._fill(unfinished, wanted, limits, alive)
                unfinished.rename(environment)
            finally:
                remove_tree(unfinished)
            self._evict(most_gb)

        return environment, held(environment, make, alive)

    def _evict(self, most_gb: float) -> None:
        evict((self._environments, self._packages), most_gb)

    def _fill(self, folder: Path, wanted: Wanted, limits: Limits, alive: Callable[[], None]) -> None:
        """Unpack the wheels. From here on this environment's interpreter runs in the sandbox alone.

        A wheel's ``.pth`` runs whenever it starts: nothing here may start it once the first wheel is unpacked.
        """
        # Relocatable: it is made at one path and mounted at another.
        run_uv(["venv", "--relocatable", "--no-project", "--python", wanted.python, str(folder)], alive)
        if not wanted.lines:
            return
        link = folder / "bin" / "python"
        interpreter = link.readlink()
        listed = folder / "requirements.txt"
        listed.write_text("\n".join(wanted.lines) + "\n", encoding="utf-8")
        # Copied: a link would be the very file of uv's cache.
        how = ["--python", str(link), "--only-binary", ":all:", "--link-mode", "copy"]
        how += ["--require-hashes", "--constraints", str(wanted.lock)] if wanted.lock else []
        run_uv(["pip", "install", *how, "--requirements", str(listed)], alive)
        if wanted.lock:
            _write_commands(folder)
        compile_bytecode(folder, interpreter, self._sandbox, limits, alive)
        if not link.is_symlink() or link.readlink() != interpreter:
            # Its folder is shown in the sandbox.
            raise EnvironmentUnavailable("a requirement replaces the environment's interpreter: take it out")


@dataclass(frozen=True)
class Wanted:
    """What an environment is made of."""

    python: str
    lines: tuple[str, ...]
    lock: Path | None = None
    """Everything comes by the hashes of this file."""

    @property
    def digest(self) -> str:
        """Another one whenever the environment would be."""
        return _digest(_identify(self.python), *self.lines, self.lock.read_text(encoding="utf-8") if self.lock else "")


def _our_tools() -> Wanted:
    lines = tuple(f"{name}=={importlib.metadata.version(name)}" for name in _TOOL_NAMES)
    return Wanted(sys.executable, lines, _LOCK)


def _write_commands(tools: Path) -> None:
    """The tools as commands in a folder of their own, so that this environment's Python is not found on PATH.

    bandit starts isolated: PYTHONPATH holds the tree's own code, which must not stand in for the scanner's (P6).
    """
    commands = tools / "commands"
    commands.mkdir()
    # One name for every version of Python.
    (tools / "pip").symlink_to(next(tools.glob("lib/python*/site-packages/pip")).relative_to(tools))
    (commands / "ruff").symlink_to("../bin/ruff")
    bandit = commands / "bandit"
    bandit.write_text(f'#!/bin/sh\nexec {_TOOLS}/bin/python -I -m bandit "$@"\n', encoding="utf-8")
    bandit.chmod(0o755)


def _identify(python: str) -> str:
    """Version, place and platform of an interpreter."""
    return _our_own() if python == sys.executable else _asked(python)


@cache
def _our_own() -> str:
    """It runs this very process, so it says the same as long as that lasts."""
    return _asked(sys.executable)


def _asked(python: str) -> str:
    try:
        answer = subprocess.run([python, "-I", "-c", _FACTS], capture_output=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError) as problem:
        raise EnvironmentUnavailable(
            f"the interpreter {python} does not run: correct `environment.python`"
        ) from problem
    return answer.stdout.decode(errors="replace").strip()


def _interpreter(environment: Path) -> tuple[tuple[Path, str], ...]:
    return interpreter_mounts((environment / "bin" / "python").readlink())


def _search_path(package: str = "") -> str:
    # What the tree itself brings comes last: it must not stand in for a tool that judges it.
    own = (f"{package}/bin",) if package else ()
    return ":".join((f"{_ENVIRONMENT}/bin", f"{_TOOLS}/commands", "/usr/bin", "/bin", *own))


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps([_LAYOUT, *parts]).encode()).hexdigest()[:32]


def compile_bytecode(
    environment: Path, interpreter: Path, sandbox: Sandbox, limits: Limits, alive: Callable[[], None]
) -> None:
    """Write ``__pycache__`` beside the sources, as far as the limits go: what is left out is compiled in each check.

    ``interpreter`` is what the environment was made of. Started by its own path and without ``site``, it reads neither
    the environment's ``pyvenv.cfg`` nor a ``.pth``, so that nothing of a wheel can change the environment from here.
    """
    compiler = (str(interpreter), "-I", "-S", "-m", "compileall", "-q", "-j", "2", f"{TREE}/lib")
    sandbox.run(Command(compiler, environment, limits, read_only=interpreter_mounts(interpreter)), alive)
