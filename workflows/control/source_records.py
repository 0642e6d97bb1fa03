"""Sources in Control's books (runbook §5; sister documents, "sources"): lowered at once, raised by a person alone.

``used`` decides, in order:

1. Lowered, and the policy names a trial that it passed since: a person promoted it; the lowering is lifted.
2. Lowered: it stays so. Nothing that a run says raises it.
3. The policy does not allow its use any more, or its conflict rate is a breach: DEGRADED at once.
4. As many breaches one after the other as the policy says: DEGRADED.
"""

from datetime import datetime

from contracts.alert import AlertKind
from contracts.control import Answer, LeftBefore
from contracts.source import (
    BY_CONTROL,
    Grade,
    SourceBook,
    SourceOrder,
    SourcePassed,
    SourceRecord,
    SourceState,
    SourceUse,
)
from contracts.verdict import Decision
from policies.counted import shortened
from workflows.control.state import ControlState

LOWERED, LIFTED = "source lowered", "source lifted"
"""In the target's audit log, from which a Control without books takes them over."""
KEPT = 200
"""Sources that the books remember; lowered ones are never forgotten."""
_TRIALS = 5


def used(state: ControlState, report: SourceUse, now: datetime) -> Answer:
    """Take in how good a source was. Told twice by one run, it counts once."""
    known = _known(state, report.source)
    if known.lowered is not None and report.trial and report.trial in known.passed:
        known = _lift(state, known, report.trial, "the policy")
    again = report.run_id == known.run_id and report.grade is known.grade
    breaches = known.breaches if again else known.breaches + 1 if report.grade is Grade.BREACH else 0
    news = report.grade is not known.grade
    known = known.model_copy(update={"grade": report.grade, "run_id": report.run_id, "breaches": breaches})
    _keep(state, known)
    reason = _too_bad(report, breaches) if known.lowered is None else ""
    if reason:
        _lower(state, known, SourceState.DEGRADED, reason, BY_CONTROL, now)
    if reason or (news and report.grade is not Grade.GOOD):
        _alert(state, report, reason)
    return _answer(state, report.source, "lowered now" if reason else "")


def passed(state: ControlState, report: SourcePassed) -> Answer:
    """A trial was passed; that alone changes nothing. One that began before the lowering is not passed since."""
    known, rule = _known(state, report.source), "what a trial shows is always taken"
    began = report.began_at or report.at
    if known.lowered is not None and known.since and began and began <= known.since:
        return state.answer(rule, Decision.ALLOW, "known, and from before it was lowered", source=report.source)
    if report.trial not in known.passed:
        _keep(state, known.model_copy(update={"passed": (*known.passed, report.trial)[-_TRIALS:]}))
        state.log("source trial passed", source=report.source, trial=report.trial, report=report.report_sha256)
    return state.answer(rule, Decision.ALLOW, "recorded", source=report.source)


def order(state: ControlState, request: SourceOrder, now: datetime) -> Answer:
    """A person's word. Switching off always works; lifting needs the present epoch and a trial passed since."""
    known = _known(state, request.source)
    rule = "the source may be used again" if request.lift else "a source may always be switched off"

    def answer(decision: Decision, reason: str) -> Answer:
        return state.answer(rule, decision, reason, source=request.source, actor=request.actor)

    if not request.lift:
        _lower(state, known, SourceState.DISABLED, request.reason, request.actor, now)
        return answer(Decision.ALLOW, "switched off; a new trial that passes, and a person, bring it back")
    if request.expected_epoch != state.epoch:
        return answer(Decision.DENY, f"the epoch is {state.epoch} by now; look again before you lift anything")
    if known.lowered is None:
        return answer(Decision.ALLOW, "it is not lowered: the policy alone says what it is")
    if request.lift not in known.passed:
        found = ", ".join(known.passed) or "none"
        reason = f"{request.source} is {known.lowered}, and has not passed {request.lift} since; passed: {found}"
        return answer(Decision.DENY, reason)
    _lift(state, known, request.lift, request.actor)
    return answer(Decision.ALLOW, f"what it was lowered by is lifted, by trial {request.lift}")


def take_over(state: ControlState, left: LeftBefore) -> None:
    """What an earlier Control's log says: lower wins."""
    for record in left.sources:
        known = _known(state, record.source)
        if record.lowered is not None and known.lowered is not SourceState.DISABLED:
            _keep(state, record)


def shown(state: ControlState) -> SourceBook:
    """The answer of the query."""
    return SourceBook(sources=tuple(state.sources[name] for name in sorted(state.sources)))


def _too_bad(report: SourceUse, breaches: int) -> str:
    if report.refused:
        return report.refused
    if report.grade is not Grade.BREACH:
        return ""
    text = "; ".join(report.reasons)
    if report.in_conflict:
        return f"it contradicts its baseline: {text}"
    often = f"{breaches} breaches in a row" if breaches > 1 else "a breach"
    return f"{often}: {text}" if breaches >= report.sustained else ""


def _lower(state: ControlState, known: SourceRecord, to: SourceState, reason: str, by: str, now: datetime) -> None:
    if known.lowered is SourceState.DISABLED and not known.passed:
        # Said again after a trial was passed, it is news: that trial does not bring it back.
        return
    reason = shortened(reason, 500)
    lowered = {"lowered": to, "since": now, "reason": reason, "by": by, "passed": ()}
    _keep(state, known.model_copy(update=lowered))
    state.log(LOWERED, source=known.source, state=to, reason=reason, actor=by, since=now.isoformat())


def _lift(state: ControlState, known: SourceRecord, trial: str, by: str) -> SourceRecord:
    lifted = SourceRecord(source=known.source, run_id=known.run_id, passed=known.passed)
    _keep(state, lifted)
    state.log(LIFTED, source=known.source, trial=trial, actor=by)
    return lifted


def _alert(state: ControlState, report: SourceUse, lowered: str) -> None:
    """Runbook §9: source quality below its threshold; once for each change, not for each use.

    A demotion has a fingerprint of its own: it is news also where the breach that it follows was told a minute ago.
    """
    how, change = "poor" if report.grade is Grade.WARN else "not usable", report.grade.value
    text = "; ".join(report.reasons)
    if lowered:
        how, change, text = "DEGRADED now, and only a new trial and a person bring it back", "lowered", lowered
    fingerprint = f"source_quality/{state.target}/{report.source}/{change}"
    summary = f"source {report.source} is {how}: {text}"
    state.alert(AlertKind.SOURCE_QUALITY, fingerprint, shortened(summary, 500), run_id=report.run_id)


def _answer(state: ControlState, source: str, news: str = "") -> Answer:
    known = _known(state, source)
    if known.lowered is None:
        return state.answer("the source may be used", Decision.ALLOW, "it is what the policy says", source=source)
    reason = f"{source} is {known.lowered}: {known.reason}"
    return state.answer("the source may be used", Decision.DENY, reason, source=source, news=news)


def _known(state: ControlState, source: str) -> SourceRecord:
    return state.sources.get(source, SourceRecord(source=source))


def _keep(state: ControlState, record: SourceRecord) -> None:
    state.sources.pop(record.source, None)
    state.sources[record.source] = record
    if len(state.sources) > KEPT:
        oldest = next((name for name, each in state.sources.items() if each.lowered is None), None)
        if oldest is not None:
            del state.sources[oldest]
