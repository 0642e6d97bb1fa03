"""WheelEnvironments: check environments of wheels, cached by digest."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from adapters.check_environments.package_build import build_package, has_build_metadata, remove, tree_digest
from adapters.check_environments.requirements import read_requirements
from adapters.check_environments.uv import run_uv
from adapters.sandbox.interpreter import interpreter_mounts
from policies.schema import EffectivePolicy
from ports.environments import CheckEnvironment, EnvironmentUnavailable
from ports.repository import Repository
from ports.sandbox import Sandbox

_ENVIRONMENT = "/opt/autonomy/environment"
_TOOLS = "/opt/autonomy/tools"
_PACKAGE = "/opt/autonomy/package"
_LAYOUT = 1
"""Part of every digest: raise it when what is made of the same requirements changes."""
_LOOK_EVERY = 0.1
_FACTS = "import sys, sysconfig; print(sys.version, sys.prefix, sysconfig.get_platform())"


class WheelEnvironments:
    """Environments below one folder of ours; several workers may share it."""

    def __init__(self, root: Path, sandbox: Sandbox) -> None:
        self._environments = root / "environments"
        self._packages = root / "packages"
        self._sandbox = sandbox

    def prepare(
        self, repository: Repository, base: str, policy: EffectivePolicy, alive: Callable[[], None]
    ) -> CheckEnvironment:
        """Resolve and install the base commit's requirements as wheels; see the port."""
        chosen = policy.target.environment
        needed = read_requirements(partial(repository.read, base), chosen)
        environment = self._cached(chosen.python or sys.executable, needed.lines, alive)
        ours = tuple(f"{name}=={importlib.metadata.version(name)}" for name in ("ruff", "bandit"))
        tools = self._cached(sys.executable, ours, alive, _write_commands)
        return CheckEnvironment(
            digest=environment.name,
            path=environment,
            guest=_ENVIRONMENT,
            environment={"PATH": _search_path(), "VIRTUAL_ENV": _ENVIRONMENT},
            read_only=((tools, _TOOLS), *dict.fromkeys((*_interpreter(environment), *_interpreter(tools)))),
            notes=needed.notes,
        )

    def install(
        self, environment: CheckEnvironment, tree: Path, policy: EffectivePolicy, alive: Callable[[], None]
    ) -> CheckEnvironment:
        """Build the package in ``tree`` inside the sandbox and add it; see the port.

        Raises:
            EnvironmentUnavailable: the build failed.
        """
        if not policy.target.environment.build or not has_build_metadata(tree):
            source = tree / "src"
            where = "/work/src" if source.is_dir() and not source.is_symlink() else "/work"
            return replace(environment, environment={**environment.environment, "PYTHONPATH": where})
        package = self._packages / _digest(environment.digest, tree_digest(tree))
        with _exclusive(package, alive):
            if not package.exists():
                build_package(environment, tree, package, self._sandbox, policy.autopilot.sandbox, alive)
        return replace(
            environment,
            environment={**environment.environment, "PATH": _search_path(_PACKAGE), "PYTHONPATH": _PACKAGE},
            read_only=(*environment.read_only, (package, _PACKAGE)),
        )

    def _cached(
        self,
        python: str,
        lines: tuple[str, ...],
        alive: Callable[[], None],
        complete: Callable[[Path], None] = lambda _: None,
    ) -> Path:
        """A virtual environment with these requirements; made in a neighbour folder, then renamed: never half there."""
        environment = self._environments / _digest(_identify(python), *lines)
        with _exclusive(environment, alive):
            if not environment.exists():
                unfinished = environment.with_suffix(".unfinished")
                remove(unfinished)
                try:
                    _fill(unfinished, python, lines, alive)
                    complete(unfinished)
                    unfinished.rename(environment)
                finally:
                    remove(unfinished)
        return environment


def _fill(folder: Path, python: str, lines: tuple[str, ...], alive: Callable[[], None]) -> None:
    # Relocatable: it is made at one path and mounted at another.
    run_uv(["venv", "--relocatable", "--no-project", "--python", python, str(folder)], alive)
    if not lines:
        return
    listed = folder / "requirements.txt"
    listed.write_text("\n".join(lines) + "\n", encoding="utf-8")
    interpreter = ["--python", str(folder / "bin" / "python")]
    # Compiled now, because it is mounted read-only: every check would compile everything anew.
    wheels_only = ["--only-binary", ":all:", "--compile-bytecode"]
    run_uv(["pip", "install", *interpreter, *wheels_only, "--requirements", str(listed)], alive)


def _write_commands(tools: Path) -> None:
    """The tools as commands in a folder of their own, so that this environment's Python is not found on PATH.

    bandit starts isolated: PYTHONPATH holds the tree's own code, which must not stand in for the scanner's (P6).
    """
    commands = tools / "commands"
    commands.mkdir()
    (commands / "ruff").symlink_to("../bin/ruff")
    bandit = commands / "bandit"
    bandit.write_text(f'#!/bin/sh\nexec {_TOOLS}/bin/python -I -m bandit "$@"\n', encoding="utf-8")
    bandit.chmod(0o755)


@contextmanager
def _exclusive(folder: Path, alive: Callable[[], None]) -> Iterator[None]:
    """One preparer at a time; the kernel gives the lock back if we die."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                alive()
                time.sleep(_LOOK_EVERY)
        yield


def _identify(python: str) -> str:
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
