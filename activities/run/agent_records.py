"""What agents did in a run, by our own records; also of steps that did not end: nothing paid is without one (P9)."""

import re
from collections.abc import Iterable

from activities.run.reading import Reader
from activities.step_session import StepPorts, exchanged, written
from contracts.artifact import ArtifactRef
from contracts.audit import AuditEvent
from contracts.budget import Amounts, BudgetView, step_of
from contracts.exchange import AgentOutcome, AgentRecord, Ending, Exchange
from contracts.modes import Role, StepName
from contracts.report import ReportInput

_RECORD = re.compile(r"agent/(?!partial\.)[^/]+\.json")
_PLAYS = {
    StepName.TRIAGE: Role.TRIAGING,
    StepName.PLAN: Role.PLANNING,
    StepName.PLAN_TRIAL: Role.PLANNING,
    StepName.CODE: Role.CODING,
    StepName.REVIEW: Role.REVIEW,
    StepName.SCOUT: Role.SCOUT,
    StepName.JUDGE_TRIAL: Role.SOURCE_QA,
}
"""Whose exchanges a step's are."""
_LOST = "a step of it died, or was cancelled, in the middle of an exchange: what is booked and no record tells, at most"


def agents_of(reader: Reader, artifacts: Iterable[ArtifactRef]) -> tuple[AgentRecord, ...]:
    """In the order in which they worked."""
    known = tuple(artifacts)
    names = [ref.name for ref in known if _RECORD.fullmatch(ref.name)]
    read = (reader.paper(known, name, AgentRecord) for name in names)
    return tuple(each for each in read if each is not None)


def left_behind(
    bench: StepPorts, reader: Reader, request: ReportInput, view: BudgetView | None
) -> tuple[tuple[ArtifactRef, ...], tuple[AuditEvent, ...]]:
    """What steps that did not end left of agents' work, and a record of what was paid beyond all records; its events.

    ``view``: Control's, asked of this run; None: it does not answer, so nothing can be compared.
    """
    run_id, known = request.run.run_id, {ref.name for ref in request.artifacts}
    names = sorted(set(bench.store.names(run_id)) - known)
    kept = [name for name in names if name.startswith("agent/") and not name.startswith("agent/partial.")]
    found = [ref for name in kept if (ref := bench.store.find(run_id, name))]
    told = agents_of(reader, (*request.artifacts, *found))
    for role, lost in _unrecorded(run_id, view, told).items():
        found.append(bench.store.put(run_id, f"agent/{role}-unrecorded.json", written(_record(request, role, lost))))
    in_log = {each.facts.get("artifact") for each in bench.audit.records(f"run/{run_id}")} if found else set()
    events = []
    for ref in found:
        if ref.name in in_log:
            continue
        record = reader.paper((ref,), ref.name, AgentRecord) if _RECORD.fullmatch(ref.name) else None
        event, facts = exchanged(ref, record)
        events.append(AuditEvent(key=f"audit/{ref.name}", role=Role.AUDIT, event=event, facts=facts))
    return tuple(found), tuple(events)


def _unrecorded(run_id: str, view: BudgetView | None, told: Iterable[AgentRecord]) -> dict[Role, Amounts]:
    """By role, what Control has booked or holds for exchanges beyond what records say."""
    booked: dict[Role, Amounts] = {}
    costs = next((run.exchanges for run in view.runs if run.run_id == run_id), {}) if view else {}
    held = [(step_of(each.key), each.worst) for each in view.reservations if each.exchange] if view else []
    for key, cost in (*costs.items(), *held):
        run, _, step = key.rpartition("/")
        if run == run_id and step in _PLAYS:
            role = _PLAYS[StepName(step)]
            booked[role] = booked.get(role, Amounts()) + cost
    found = {}
    for role, cost in booked.items():
        mine = [each for each in told if each.role == role]
        tokens = max(0, cost.tokens - sum(each.tokens for each in mine))
        usd = max(0.0, round(cost.usd - sum(each.usd for each in mine), 6))
        # Each record's sum is rounded for itself.
        if tokens or usd > (len(mine) + 1) * 1e-5:
            found[role] = Amounts(usd=usd, tokens=tokens)
    return found


def _record(request: ReportInput, role: Role, lost: Amounts) -> AgentRecord:
    at = request.ended_at
    cut = Exchange(
        number=1, at=at, model="", dialect="", ending=Ending.CUT, reason=_LOST, tokens_in=lost.tokens, bound=True
    )
    return AgentRecord(
        run_id=request.run.run_id,
        role=role.value,
        backend="",
        agent=f"who played {role.value}",
        outcome=AgentOutcome.CRASHED,
        reason=_LOST,
        exchanges=(cut.model_copy(update={"usd": lost.usd}),),
        usd=lost.usd,
        tokens=lost.tokens,
        bound=True,
    )
