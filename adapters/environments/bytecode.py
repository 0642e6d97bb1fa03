"""Byte-compiles what was unpacked, inside the sandbox: mounted read-only later, every check would do it anew."""

from collections.abc import Callable
from pathlib import Path

from adapters.sandbox.enclosure import TREE
from adapters.sandbox.interpreter import interpreter_mounts
from ports.sandbox import Command, Limits, Sandbox


def compile_bytecode(
    environment: Path, interpreter: Path, sandbox: Sandbox, limits: Limits, alive: Callable[[], None]
) -> None:
    """Write ``__pycache__`` beside the sources, as far as the limits go: what is left out is compiled in each check.

    ``interpreter`` is what the environment was made of. Started by its own path and without ``site``, it reads neither
    the environment's ``pyvenv.cfg`` nor a ``.pth``, so that nothing of a wheel can change the environment from here.
    """
    compiler = (str(interpreter), "-I", "-S", "-m", "compileall", "-q", "-j", "2", f"{TREE}/lib")
    sandbox.run(Command(compiler, environment, limits, read_only=interpreter_mounts(interpreter)), alive)
