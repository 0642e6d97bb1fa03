"""Where a target's checks run: a prepared environment, a fresh checkout for each attempt, the sandbox (P4, P8)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from pydantic import AwareDatetime, ValidationError
from temporalio import activity

from activities.checking import Checking, counts_of, run_checks
from activities.workbench import Sitting
from contracts.artifact import ArtifactRef, Contract
from contracts.evidence import ChecksReport, CheckStatus
from ports.environments import Environments, EnvironmentUnavailable
from ports.sandbox import Sandbox
from ports.store import StoreError

_RECEIPTS = "receipts"


class BaseChecks(Contract):
    """A result on a base commit that later runs may reuse for a while."""

    made_at: AwareDatetime
    report: ChecksReport


@dataclass(frozen=True)
class CheckRoom:
    """Prepares, checks out, runs."""

    environments: Environments
    sandbox: Sandbox

    def on_base(self, sitting: Sitting, base: str, reuse_for: timedelta) -> ChecksReport:
        """The checks on the base itself; a result of the same base and policy is reused for a while.

        Raises:
            EnvironmentUnavailable, SandboxUnavailable: the checks could not be run at all.
        """
        now = activity.info().started_time
        name = f"base-{base}-{sitting.policy.digest}.json"
        known = self._known(sitting, name)
        if known is not None and now - known.made_at <= reuse_for and self._shown(sitting, known.report):
            sitting.note("base checks reused", madeAt=known.made_at.isoformat(), baseSha=base)
            return known.report
        report = self._run(sitting, commit=base, base=base, head=base, base_counts=None)
        kept = BaseChecks(made_at=now, report=report)
        sitting.bench.store.put(_RECEIPTS, name, kept.model_dump_json(indent=2).encode())
        return report

    def on_merge(self, sitting: Sitting, merged: str, head: str, base_report: ChecksReport) -> ChecksReport:
        """The checks on the exact merge result of base and change."""
        counts = counts_of(base_report.results)
        return self._run(sitting, commit=merged, base=base_report.base_sha, head=head, base_counts=counts)

    def after_merge(self, sitting: Sitting, commit: str, place: str) -> ChecksReport:
        """The checks on a commit of the base, always run: what was green once says nothing about now.

        A tree that does not build any more is red by its checks, as a change's is. ``place`` begins the names of the
        outputs.
        """
        return self._run(sitting, commit=commit, base=commit, head=commit, base_counts=None, place=place)

    def _run(
        self,
        sitting: Sitting,
        *,
        commit: str,
        base: str,
        head: str,
        base_counts: dict[str, int] | None,
        place: str = "",
    ) -> ChecksReport:
        repository, policy, alive = sitting.repository, sitting.policy, sitting.alive
        # From the base's requirements, always: a change must not choose what it is checked with (P6).
        environment = self.environments.prepare(repository, base, policy, alive)

        @contextmanager
        def fresh() -> Iterator[Path]:
            with sitting.bench.folder("check") as tree:
                repository.checkout(commit, tree)
                yield tree

        def save(name: str, body: bytes) -> ArtifactRef:
            if place:
                return sitting.save(f"{place}/{name.removeprefix('checks/')}", body, "text/plain")
            shown = name if commit != base else name.replace("checks/", "checks/base-", 1)
            return sitting.save(shown, body, "text/plain")

        with fresh() as tree:
            try:
                environment = self.environments.install(environment, tree, policy, alive)
            except EnvironmentUnavailable as broken:
                if commit == base and not place:
                    raise
                # The base built and the change does not: that is the change's own red.
                save("checks/build.txt", str(broken).encode())
                environment = replace(environment, notes=(*environment.notes, str(broken)))
        checking = Checking(
            fresh=fresh,
            environment=environment,
            sandbox=self.sandbox,
            limits=policy.autopilot.sandbox,
            save=save,
            alive=alive,
            base_counts=base_counts,
        )
        results = run_checks(policy.target.checks, checking)
        return ChecksReport(
            commit_sha=commit,
            tree_sha=repository.tree_of(commit),
            base_sha=base,
            head_sha=head,
            environment=environment.digest,
            sandbox=self.sandbox.name,
            results=results,
        )

    def _shown(self, sitting: Sitting, report: ChecksReport) -> bool:
        """What failed on the base is shown by every run that it refuses, not only by the one that ran it."""
        failed = [result for result in report.results if result.status is not CheckStatus.GREEN]
        outputs = [attempt.output for result in failed for attempt in result.attempts if attempt.output is not None]
        try:
            for output in outputs:
                sitting.save(output.name, sitting.bench.store.get(output), "text/plain")
        except StoreError:
            # Its outputs are gone: run the checks again.
            return False
        return True

    def _known(self, sitting: Sitting, name: str) -> BaseChecks | None:
        ref = sitting.bench.store.find(_RECEIPTS, name)
        if ref is None:
            return None
        try:
            return BaseChecks.model_validate_json(sitting.bench.store.get(ref))
        except ValidationError:
            # Of an older version of this program: made again.
            return None
