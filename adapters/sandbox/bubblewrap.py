"""The sandbox port by bubblewrap: start, watch, kill."""

import time
from collections.abc import Callable

from adapters.sandbox.enclosure import Bubblewrap
from adapters.sandbox.private_copy import put_copy
from adapters.sandbox.process import SandboxProcess
from adapters.sandbox.self_test import judge_sandbox
from adapters.sandbox.supervision import LOOK_EVERY, Supervision, require_disk
from adapters.sandbox.unprivileged import lend
from contracts.verdict import Verdict
from ports.sandbox import Command, CommandResult, SandboxUnavailable


class BubblewrapSandbox:
    """Runs commands by the bwrap of this machine, or refuses."""

    @property
    def name(self) -> str:
        """With the version, for reports."""
        try:
            return f"bubblewrap {Bubblewrap.find().version}"
        except SandboxUnavailable:
            return "bubblewrap (missing)"

    def run(self, command: Command, alive: Callable[[], None]) -> CommandResult:
        """Run to the end; see the port."""
        bwrap = Bubblewrap.find()
        require_disk(command.tree)
        for source, inside in command.copies:
            put_copy(source, command.tree, inside)
        lent = (command.tree, *(folder for folder, _ in command.writable))
        with lend(*lent) as uid, SandboxProcess(bwrap, command, uid) as process:
            return _watch(process, command, alive)

    def self_test(self) -> Verdict:
        """Try to break out in the ways the sandbox must stop."""
        return judge_sandbox(self)


def _watch(process: SandboxProcess, command: Command, alive: Callable[[], None]) -> CommandResult:
    begun = time.monotonic()
    others = tuple(folder for folder, _ in command.writable)
    supervision = Supervision(process.pid, command.tree, command.limits, alive, others)
    kept = command.limits.output_bytes
    output, stdout, stderr = Capture(kept), Beginning(kept), Beginning(kept)

    def keep(chunks: list[tuple[int, bytes]]) -> None:
        for stream, chunk in chunks:
            output.feed(chunk)
            command.heard(chunk)
            (stdout if stream == process.stdout else stderr).feed(chunk)

    killed_for = ""
    while not killed_for and not process.ended():
        keep(process.read(LOOK_EVERY))
        killed_for = supervision.verdict(output.total)
    process.kill()
    keep(process.rest())
    killed_for = killed_for or supervision.last_verdict()
    exit_code = None if killed_for else process.exit_code()
    if exit_code is None and not killed_for:
        text = output.kept[-1000:].decode(errors="replace").strip()
        raise SandboxUnavailable(f"the sandbox ended without running the command: {text or 'killed from outside?'}")
    return CommandResult(
        exit_code=exit_code,
        killed_for=killed_for,
        seconds=time.monotonic() - begun,
        output=output.kept,
        output_total=output.total,
        stdout=stdout.kept,
        stderr=stderr.kept,
    )


class Capture:
    """Keeps the first and the last half of what is fed to it, and counts all of it."""

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._head = bytearray()
        self._tail = bytearray()
        self.total = 0

    def feed(self, chunk: bytes) -> None:
        """Take the next piece."""
        self.total += len(chunk)
        room = self._half - len(self._head)
        self._head += chunk[:room]
        self._tail += chunk[room:]
        if len(self._tail) > self._half:
            del self._tail[: len(self._tail) - self._half]

    @property
    def kept(self) -> bytes:
        """Head and tail, with a line between them that says what was left out."""
        left_out = self.total - len(self._head) - len(self._tail)
        gap = f"\n[… {left_out} bytes left out …]\n".encode() if left_out else b""
        return bytes(self._head) + gap + bytes(self._tail)


class Beginning:
    """Keeps the beginning only, for output that a program reads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Take the next piece."""
        self._kept += chunk[: self._limit - len(self._kept)]

    @property
    def kept(self) -> bytes:
        """At most the limit; whoever parses it compares the total first."""
        return bytes(self._kept)
