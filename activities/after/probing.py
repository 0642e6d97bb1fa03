"""Runs a target's probes on one commit: the operator's argv in the sandbox, or a URL (P8, P13).

The canary and whoever follows a merge ask the same questions in the same way.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from activities.step_session import StepPorts
from contracts.merging import Health, ProbeResult
from policies.counted import shortened
from policies.release.health import exit_health, status_health
from policies.settings.merging import ProbePolicy
from policies.settings.schema import EffectivePolicy
from ports.environments import CheckEnvironment, Environments, EnvironmentUnavailable
from ports.probes import UrlProbes
from ports.repository import RepositoryError
from ports.sandbox import Limits, Sandbox, SandboxUnavailable

_SHA = "{sha}"


@dataclass(frozen=True)
class ProbeRunner:
    """Everything probes need. A probe's "no answer" is a result, never an exception."""

    bench: StepPorts
    environments: Environments
    sandbox: Sandbox
    urls: UrlProbes

    def probe(
        self, policy: EffectivePolicy, commit: str, base: str, alive: Callable[[], None]
    ) -> tuple[ProbeResult, ...]:
        """Ask every probe of the target, in the order of its file.

        Args:
            policy: the pinned one.
            commit: what is probed; it must be in the mirror.
            base: the commit whose requirements make the environment: never the probed change's own (P6).
            alive: raises when the step is cancelled.
        """
        return tuple(self._one(probe, policy, commit, base, alive) for probe in policy.target.probes)

    def _one(
        self, probe: ProbePolicy, policy: EffectivePolicy, commit: str, base: str, alive: Callable[[], None]
    ) -> ProbeResult:
        began = time.monotonic()
        try:
            health, detail = (
                self._url(probe, commit, alive) if probe.url else self._argv(probe, policy, commit, base, alive)
            )
        except (EnvironmentUnavailable, SandboxUnavailable, RepositoryError) as problem:
            health, detail = Health.UNKNOWN, f"could not be asked: {problem}"
        return ProbeResult(
            name=probe.name, health=health, detail=shortened(detail, 500), seconds=time.monotonic() - began
        )

    def _url(self, probe: ProbePolicy, commit: str, alive: Callable[[], None]) -> tuple[Health, str]:
        answer = self.urls.ask(probe.url.replace(_SHA, commit), probe.seconds, alive)
        return status_health(answer.status), answer.detail

    def _argv(
        self, probe: ProbePolicy, policy: EffectivePolicy, commit: str, base: str, alive: Callable[[], None]
    ) -> tuple[Health, str]:
        repository = self.bench.repositories(policy.target)
        environment = self.environments.prepare(repository, base, policy, alive)
        with self.bench.folder("probe") as tree:
            repository.checkout(commit, tree)
            environment, note = self._installed(environment, policy, commit, alive)
            result = self.sandbox.run(
                environment.command(
                    tuple(word.replace(_SHA, commit) for word in probe.argv),
                    tree,
                    Limits.of(policy.autopilot.sandbox, probe.seconds),
                    AUTONOMY_SHA=commit,
                ),
                alive,
            )
        if result.killed_for or result.exit_code is None:
            return Health.UNKNOWN, f"killed: {result.killed_for or 'by a signal'} after {result.seconds:.0f} s"
        lines = result.output.decode(errors="replace").strip().splitlines()
        last = f": {shortened(lines[-1], 200)}" if lines and result.exit_code else ""
        return exit_health(result.exit_code), f"exit {result.exit_code}{last}{note}"

    def _installed(
        self, environment: CheckEnvironment, policy: EffectivePolicy, commit: str, alive: Callable[[], None]
    ) -> tuple[CheckEnvironment, str]:
        """The package of the probed tree beside it, as checks have it; a build leaves its traces in another copy."""
        with self.bench.folder("probe") as tree:
            self.bench.repositories(policy.target).checkout(commit, tree)
            try:
                return self.environments.install(environment, tree, policy, alive), ""
            except EnvironmentUnavailable as broken:
                # The probe is asked all the same: what it says of a tree that does not build is its answer.
                return environment, f" (not built: {broken})"
