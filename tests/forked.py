"""Processes of ours with their imports already done: forked, not started anew.

It saves two seconds at each death of a worker, and nearly all that the child of an effect costs.
"""

from __future__ import annotations

import asyncio
import gc
import io
import multiprocessing
import os
import runpy
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

from adapters.effects.process_jail import JailEnd
from settings import ROOT

_CONTEXT: ForkServerContext = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(
    [
        "worker",
        # What the composition imports when it is used.
        "adapters.effects.child",
        "adapters.effects.local_writes",
        "adapters.environments.wheels",
        "adapters.forges.gitea.writer",
        "adapters.policy_files",
        "adapters.sandbox.bubblewrap",
        "adapters.store.local_store",
        "adapters.temporal.embedded_server",
        "adapters.temporal.plugin",
        "adapters.temporal.ui_front",
        "git.cmd",
        "tests.conftest",
        "tests.workflows.quick",
    ]
)


@cache
def ready() -> None:
    """Once in a process: from then on a fork takes no time, such as that of a write's clearance."""
    process = _CONTEXT.Process(target=int)
    process.start()
    process.join()


def start(program: str, environment: Mapping[str, str], log: Path) -> ForkServerProcess:
    """Run a module or a file as ``__main__``, in an environment of its own; what it prints is appended to ``log``."""
    process = _CONTEXT.Process(target=_become, args=(program, dict(environment), log))
    process.start()
    return process


async def end_of(process: ForkServerProcess) -> int:
    """Wait for its end; the exit status, negative for a signal."""
    ended, loop = asyncio.Event(), asyncio.get_running_loop()
    loop.add_reader(process.sentinel, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(process.sentinel)
    process.join()
    assert process.exitcode is not None
    return process.exitcode


def _become(program: str, environment: dict[str, str], log: Path) -> None:
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    # What was imported before the fork is no garbage, and stays shared.
    gc.freeze()
    with log.open("ab") as said:
        for number in (1, 2):
            os.dup2(said.fileno(), number)
    run = runpy.run_path if program.endswith(".py") else runpy.run_module
    run(program, run_name="__main__")


def effect(argv: Sequence[str], stdin: bytes, environment: Mapping[str, str], writable: Sequence[Path]) -> JailEnd:
    """``run_jailed`` for a child of an effect: its own program, process, environment, and end by the kernel's timer.

    It lacks the jail: a view that is read-only but for ``writable``, and the end of all that it started. For these see
    test_effect_processes.py, test_every_forge.py, and whatever has a worker process of its own.
    """
    del argv, writable
    heard, telling = _CONTEXT.Pipe(duplex=False)
    process = _CONTEXT.Process(target=_act, args=(stdin, dict(environment), telling))
    process.start()
    telling.close()
    try:
        # Short waits, so that a cancellation raised in this thread arrives.
        while not wait([heard, process.sentinel], 0.05):
            pass
        said = None
        with suppress(EOFError):
            said = heard.recv() if heard.poll() else None
        process.join()
    except BaseException:
        process.kill()
        process.join()
        raise
    finally:
        heard.close()
    if said is None:
        ended = process.exitcode or 0
        return JailEnd(ended if ended > 0 else 128 - ended, b"", "")
    code, out, error = said
    return JailEnd(code, out.encode(), error.strip())


def _act(stdin: bytes, environment: dict[str, str], telling: Connection) -> None:
    from adapters.effects import child

    os.environ.clear()
    os.environ.update(environment)
    os.chdir("/")
    gc.freeze()
    out, error = io.StringIO(), io.StringIO()
    sys.stdin, sys.stdout, sys.stderr = io.TextIOWrapper(io.BytesIO(stdin)), out, error
    code = child.main()
    telling.send((code, out.getvalue(), error.getvalue()))
