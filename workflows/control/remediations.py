"""Control's remediations (runbook §6.2): one for each failure, counted, bounded, closed when it is over."""

from contracts.admission import FinishRequest, RunRecord
from contracts.modes import Mode, RunKind, RunStatus
from contracts.remediation import TASK_PREFIX, Remediation, RemediationEnd
from workflows.control.state import ControlState

KEPT = 40
"""Remediations in the books; the oldest ended ones go first, then the oldest."""
_TRIED = frozenset({RunStatus.REJECTED, RunStatus.FAILED, RunStatus.ESCALATED})
"""Ends that use an attempt up; a run that a pause or a person ended early tried nothing."""


def heard(state: ControlState, report: FinishRequest) -> None:
    """Take over what a run's end means for the backlog; once for each run, and nothing from DRY_RUN or a smoke.

    Rules, in order:

    1. Findings that are gone: the remediation is resolved.
    2. A remediating run that opened a pull request ends its remediation; one that did not uses up an attempt, whatever
       kept it: the last attempt ends it. Its own failed checks are that attempt, never a remediation of a remediation.
    3. Failed checks of any other run: a new remediation, or one more sighting of a known one. One that ended because
       its attempts were used up stays so; one that ended otherwise begins anew.
    """
    run = state.runs.get(report.run_id)
    if run is None or run.mode is Mode.DRY_RUN or run.kind is not RunKind.DAILY:
        return
    for fingerprint in report.resolved:
        _end(state, fingerprint, RemediationEnd.RESOLVED, run)
    tried = _remediated(state, report.task_id)
    if tried is not None:
        _tried(state, tried, report, run)
    elif report.remediation is not None:
        _failed(state, report.remediation)


def shown(state: ControlState) -> list[Remediation]:
    """Open ones first, each in the order of their latest failure."""
    return sorted(state.remediations.values(), key=lambda one: (one.ended is not None, one.at, one.fingerprint))


def _remediated(state: ControlState, task_id: str | None) -> Remediation | None:
    if not task_id or not task_id.startswith(TASK_PREFIX):
        return None
    return next((one for one in state.remediations.values() if one.remediating_task == task_id), None)


def _tried(state: ControlState, one: Remediation, report: FinishRequest, run: RunRecord) -> None:
    if report.status in {RunStatus.PR_OPENED, RunStatus.MERGED}:
        _end(state, one.fingerprint, RemediationEnd.PULL_REQUEST, run)
        return
    if report.status not in _TRIED:
        return
    news = report.remediation
    latest = {"failed": news.failed, "run_id": news.run_id, "at": news.at} if news else {}
    attempts = one.attempts + 1
    state.remediations[one.fingerprint] = one.model_copy(update={"attempts": attempts, **latest})
    state.log("remediation tried", task=one.remediating_task, runId=run.run_id, attempts=attempts, status=report.status)
    if attempts >= one.most_attempts:
        _end(state, one.fingerprint, RemediationEnd.ATTEMPTS, run)


def _failed(state: ControlState, news: Remediation) -> None:
    known = state.remediations.get(news.fingerprint)
    # Attempts and sightings are ours to count, whatever was sent.
    fresh = news.model_copy(update={"attempts": 0, "seen": 1, "ended": None, "ended_by": ""})
    if known is None:
        state.remediations[news.fingerprint] = fresh
        event = "remediation queued"
    elif known.ended in {RemediationEnd.PULL_REQUEST, RemediationEnd.RESOLVED}:
        state.remediations[news.fingerprint] = fresh.model_copy(update={"seen": known.seen + 1})
        event = "remediation queued again"
    else:
        again = {"seen": known.seen + 1, "run_id": news.run_id, "at": news.at, "failed": news.failed}
        state.remediations[news.fingerprint] = known.model_copy(update=again)
        event = "failure seen again"
    kept = state.remediations[news.fingerprint]
    state.log(event, task=kept.remediating_task, runId=news.run_id, of=news.task_id, seen=kept.seen)
    _forget(state)


def _end(state: ControlState, fingerprint: str, end: RemediationEnd, run: RunRecord) -> None:
    one = state.remediations.get(fingerprint)
    if one is None or one.ended is not None:
        return
    state.remediations[fingerprint] = one.model_copy(update={"ended": end, "ended_by": run.run_id})
    state.log("remediation ended", task=one.remediating_task, runId=run.run_id, end=end)


def _forget(state: ControlState) -> None:
    oldest = sorted(state.remediations.values(), key=lambda one: (one.ended is None, one.at, one.fingerprint))
    for one in oldest[: max(0, len(oldest) - KEPT)]:
        del state.remediations[one.fingerprint]
        if one.ended is None:
            state.log("remediation forgotten", task=one.remediating_task, kept=KEPT)
