"""This target's flake ledger, as its last runs left it, for Sensing (``lookups/flaky_checks.json``)."""

from datetime import date

from pydantic import ValidationError

from activities.step_session import StepSession
from contracts.artifact import ArtifactRef
from contracts.evidence import CheckResult, ChecksReport, CheckStatus
from contracts.governance import CheckSeen, FlakyCheck, FlakyChecks, KnownFlake
from policies.governance.flakes import KEPT, failing_tests, flakes, looks
from ports.store import ArtifactStore, RunIndex, StoreError

_RUNS = 20
_TAIL = 200_000
"""Bytes of the end of an output, where a runner names what failed."""


def flaky_checks(session: StepSession, index: RunIndex) -> tuple[FlakyChecks, tuple[str, ...]]:
    """Checks that gave two answers about one tree in the last runs; and what of these runs could not be read."""
    target, store = session.policy.target, session.bench.store
    seen: list[CheckSeen] = []
    outputs: dict[str, list[ArtifactRef]] = {}
    missing: list[str] = []
    for run in index.latest(_RUNS, target.name):
        for name in filter(KEPT.fullmatch, store.names(run.run_id)):
            try:
                ref = store.find(run.run_id, name)
                report = ChecksReport.model_validate_json(store.get(ref)) if ref else None
            except (StoreError, ValidationError) as problem:
                missing.append(
                    f"tests: {name} of {run.run_id} is left out of the flake ledger: {type(problem).__name__}"
                )
                continue
            for result in report.results if report else ():
                outputs.setdefault(result.name, []).extend(_of_red(result))
            seen += looks(target.name, report, run.ended_at) if report else ()
    known = [
        KnownFlake(target=target.name, check=each.name, owner=each.owner, until=each.flaky_until)
        for each in target.checks
    ]
    found = [each for each in flakes(seen, known, date.fromisoformat(session.run.date)) if each.flaked]
    checks = [FlakyCheck(flake=each, tests=_named(store, outputs.get(each.check, []))) for each in found]
    return FlakyChecks(checks=tuple(checks)), tuple(missing)


def _of_red(result: CheckResult) -> list[ArtifactRef]:
    return [each.output for each in result.attempts if each.status is CheckStatus.RED and each.output]


def _named(store: ArtifactStore, outputs: list[ArtifactRef]) -> tuple[tuple[str, str], ...]:
    named: dict[tuple[str, str], None] = {}
    for ref in outputs:
        try:
            output = store.get(ref)[-_TAIL:].decode("utf-8", "replace")
        except StoreError:
            # The flake is known without it; only its tests have no names then.
            continue
        named |= dict.fromkeys(failing_tests(output))
    return tuple(named)
