"""The sandbox port by bubblewrap: start, watch, kill."""

import time
from collections.abc import Callable

from adapters.sandbox.capture import Beginning, Capture
from adapters.sandbox.enclosure import Bubblewrap
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
        with lend(command.tree) as uid, SandboxProcess(bwrap, command, uid) as process:
            return _watch(process, command, alive)

    def self_test(self) -> Verdict:
        """Try to break out in the ways the sandbox must stop."""
        return judge_sandbox(self)


def _watch(process: SandboxProcess, command: Command, alive: Callable[[], None]) -> CommandResult:
    begun = time.monotonic()
    supervision = Supervision(process.pid, command.tree, command.limits, alive)
    kept = command.limits.output_bytes
    output, stdout, stderr = Capture(kept), Beginning(kept), Beginning(kept)

    def keep(chunks: list[tuple[int, bytes]]) -> None:
        for stream, chunk in chunks:
            output.feed(chunk)
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
        said = output.kept[-1000:].decode(errors="replace").strip()
        raise SandboxUnavailable(f"the sandbox ended without running the command: {said or 'killed from outside?'}")
    return CommandResult(
        exit_code=exit_code,
        killed_for=killed_for,
        seconds=time.monotonic() - begun,
        output=output.kept,
        output_total=output.total,
        stdout=stdout.kept,
        stderr=stderr.kept,
    )
