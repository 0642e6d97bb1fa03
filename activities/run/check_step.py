"""Step 7: the deterministic checks on the exact merge result (``checks/checks.json``)."""

from dataclasses import dataclass

from temporalio import activity

from activities.api import CHECK
from activities.run.checking import CheckRunner
from activities.step_session import StepPorts, StepSession
from contracts.change import Change
from contracts.evidence import ChecksReport, CheckStatus
from contracts.handover import StepInput, StepResult
from contracts.modes import Role, StepName
from contracts.task import TaskContract
from contracts.verdict import Verdict
from policies.release.checks import how_it_ended
from policies.verdicts import all_of, allow, deny


@dataclass(frozen=True)
class CheckStep:
    """Results, not opinions; Release weighs them."""

    bench: StepPorts
    checks: CheckRunner

    @activity.defn(name=CHECK.name, no_thread_cancel_exception=True)
    def check(self, given: StepInput) -> StepResult:
        """Merge, check, compare with the base."""
        return self.bench.perform(given, StepName.CHECK, Role.CHECKS, self._work)

    def _work(self, session: StepSession) -> StepResult:
        contract = session.load("task_contract.json", TaskContract)
        change = session.load("change.json", Change)
        base_report = session.load("checks/base.json", ChecksReport)
        repository = session.repository
        repository.unbundle(session.load_bytes("change.bundle"), change.base_sha, change.head_sha)
        # The change is a child of its base: this merge cannot conflict, but it is what would land.
        merge = repository.merge(change.base_sha, change.head_sha)
        report = self.checks.on_merge(session, merge.commit, change.head_sha, base_report)
        session.save("checks/checks.json", report)
        return session.done(judged(session, report), task_id=contract.task_id, next_role=Role.RELEASE)


def judged(session: StepSession, report: ChecksReport) -> Verdict:
    """Note every check; every required one must be green on the merge result."""
    verdicts = []
    for result in report.results:
        session.note(f"check {result.name}", status=result.status, attempts=len(result.attempts))
        green = result.status is CheckStatus.GREEN
        if result.required:
            verdicts.append(
                (allow if green else deny)(f"{result.name} is green", how_it_ended(result), status=result.status)
            )
    return all_of("every required check is green on the merge result", verdicts)
