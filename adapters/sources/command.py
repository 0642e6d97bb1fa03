"""ports.sources.Connector: a program in the sandbox, on a checkout of the base; what it prints is the answer (P8)."""

import tempfile
from pathlib import Path

from policies.counted import shortened
from policies.settings.sources import SourcePolicy
from ports.environments import Environments, EnvironmentUnavailable
from ports.sandbox import Limits, Sandbox, SandboxUnavailable
from ports.sources import SourceAnswer, SourceRequest

_MOST = 8 << 20


class CommandSource:
    """Any linter, audit, coverage or benchmark tool of the target's check environment."""

    def __init__(self, sandbox: Sandbox, environments: Environments) -> None:
        self._sandbox = sandbox
        self._environments = environments

    def fetch(self, source: SourcePolicy, request: SourceRequest) -> SourceAnswer:
        """Its standard output, whole or not at all."""
        assert source.command is not None  # noqa: S101  # the connector's row is chosen by it
        wanted, told = source.command, " ".join(source.command.argv)
        limits = Limits.of(request.policy.autopilot.sandbox, wanted.seconds, _MOST)
        with tempfile.TemporaryDirectory(prefix="source-") as folder:
            tree = Path(folder) / "tree"
            tree.mkdir()
            try:
                made = self._environments.prepare(request.repository, request.base_sha, request.policy, request.alive)
                request.repository.checkout(request.base_sha, tree)
                done = self._sandbox.run(made.command(wanted.argv, tree, limits), request.alive)
            except (SandboxUnavailable, EnvironmentUnavailable) as problem:
                return SourceAnswer(told, None, str(problem))
        if done.killed_for:
            return SourceAnswer(told, None, f"killed for {done.killed_for} after {done.seconds:.0f} s")
        if done.exit_code not in wanted.exit_codes:
            output = shortened(done.stderr.decode("utf-8", "replace").strip(), 300)
            return SourceAnswer(told, None, f"it ended with {done.exit_code}" + (f": {output}" if output else ""))
        if done.output_total > _MOST:
            return SourceAnswer(told, None, f"it printed more than {_MOST >> 20} MiB")
        return SourceAnswer(told, done.stdout)
