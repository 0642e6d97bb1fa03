"""Grants: a person releases one quarantined change ("the work is kept").

``give`` decides, in order; each no says why:

1. The epoch is the one the person saw: a grant loosens, so a newer pause makes it void.
2. The target is ACTIVE: grants come after the resume.
3. The run is closed as ESCALATED; one that Control has forgotten names the audit record that says so.
4. Nobody is taking this change now, and no pull request was opened with it.
5. The paths are exact paths.
6. It ends in the future, and not later than the policy's ``control.grant_days`` allow.
7. Not more grants than can be kept.

A grant is taken once. Then it stands in the record of the run that took it; a retry of that run finds it there.
"""

import unicodedata
from datetime import datetime, timedelta

from contracts.admission import AdmitRequest, RunRecord
from contracts.control import Answer
from contracts.grant import Grant, GrantRequest
from contracts.modes import Mode, RunKind, RunStatus, TargetStatus
from contracts.verdict import Decision, Fact
from policies.counted import counted, shortened
from workflows.control.state import ControlState, clock

HIGHEST_MODE = Mode.PR_ONLY
"""A granted change always ends in a person's review."""
KEPT = 20
"""Grants in force at the same time; more would be a policy of their own."""
_RULE = "the change may be granted"
_PATTERN = frozenset("*?[]\\")


def give(state: ControlState, request: GrantRequest, now: datetime) -> Answer:
    """Take a person's grant into the books, or say why not. A newer grant for the same run replaces the older."""
    forget(state, now)
    reason = _refusal(state, request, now)
    facts: dict[str, Fact] = {
        "runId": request.run_id,
        "headSha": request.head_sha,
        "paths": shortened(", ".join(request.paths), 500),
        "expiresAt": clock(request.expires_at),
        "actor": request.actor,
    }
    if reason:
        state.log("grant refused", **facts, reason=reason)
        return state.answer(_RULE, Decision.DENY, reason, **facts)
    state.grants[request.run_id] = Grant(**request.model_dump(), granted_at=now)
    state.log("granted", **facts, reason=request.reason)
    told = f"`run --grant {request.run_id}` may take it once, until {clock(request.expires_at)}"
    return state.answer(_RULE, Decision.ALLOW, told, **facts)


def may_not_take(state: ControlState, request: AdmitRequest, mode: Mode, now: datetime) -> str:
    """Why a run may not take the change it asks for; empty: it may."""
    wanted = request.request.grant
    grant = state.grants.get(wanted)
    if request.request.kind is not RunKind.DAILY:
        return "only a daily run takes a change out of quarantine"
    if mode is Mode.SELECTIVE_AUTO:
        return f"a granted change is reviewed by a person: at most mode {HIGHEST_MODE}"
    if grant is None:
        takers = [run for run in state.runs.values() if run.grant is not None and run.grant.run_id == wanted]
        used = f": {_latest(takers)} took the last one" if takers else ""
        return f"no grant for {wanted} is in force{used}; `starter.py grant {wanted}` gives one"
    if grant.expected_epoch != state.epoch:
        return f"a newer pause made the grant for {wanted} void; look again, then grant anew"
    # The policy may have been tightened since.
    ends = min(grant.expires_at, grant.granted_at + timedelta(days=request.terms.grant_days))
    if ends <= now:
        return f"the grant for {wanted} ended at {clock(ends)}"
    if request.quarantine_problem:
        return f"the change of {wanted} cannot be taken: {request.quarantine_problem}"
    if request.quarantined_head != grant.head_sha:
        return (
            f"the grant is for commit {grant.head_sha[:12]}, in quarantine is {request.quarantined_head[:12] or 'none'}"
        )
    return ""


def take(state: ControlState, wanted: str, run_id: str, now: datetime) -> Grant:
    """Hand a grant to the run that may have it; from then on it is used."""
    grant = state.grants.pop(wanted).model_copy(update={"used_by": run_id})
    state.log("grant taken", runId=wanted, usedBy=run_id, actor=grant.actor)
    forget(state, now)
    return grant


def forget(state: ControlState, now: datetime) -> None:
    """Drop what ended or was made void; the log keeps it."""
    for run_id, grant in list(state.grants.items()):
        if grant.expires_at <= now:
            state.log("grant ended", runId=run_id, expiresAt=clock(grant.expires_at))
        elif grant.expected_epoch != state.epoch:
            state.log("grant void", runId=run_id, reason="a newer pause")
        else:
            continue
        del state.grants[run_id]


def _refusal(state: ControlState, request: GrantRequest, now: datetime) -> str:
    if request.expected_epoch != state.epoch:
        return f"a newer pause raised the epoch to {state.epoch}; look again before you grant"
    if not state.registered or state.status is not TargetStatus.ACTIVE:
        return f"the target is {state.status}: a grant comes after the resume"
    return _not_in_quarantine(state, request) or _paths(request.paths) or _time(state, request, now)


def _not_in_quarantine(state: ControlState, request: GrantRequest) -> str:
    run = state.runs.get(request.run_id)
    if not request.run_id.startswith(f"{state.target}-"):
        return f"{request.run_id} is no run of {state.target}"
    if run is None and not request.escalated_record:
        return f"{request.run_id} is not in the books: name the audit record that says it ended ESCALATED"
    if run is not None and (run.closed_at is None or run.status is not RunStatus.ESCALATED):
        return f"{request.run_id} is {run.status}: only the change of an ESCALATED run is in quarantine"
    for taker in state.runs.values():
        if taker.grant is None or taker.grant.run_id != request.run_id:
            continue
        if taker.closed_at is None:
            return f"{taker.run_id} is taking this change now"
        if taker.status is RunStatus.PR_OPENED:
            return f"{taker.run_id} opened a pull request with this change"
    return ""


def _paths(paths: tuple[str, ...]) -> str:
    for path in paths:
        parts = path.split("/")
        if _PATTERN.intersection(path) or path.startswith("!") or path.endswith("/"):
            return f"{path!r} is a pattern: a grant names exact paths"
        if any(part in {"", ".", ".."} for part in parts):
            return f"{path!r} is no path inside the repository"
        if any(unicodedata.category(char) in {"Cc", "Cs"} for char in path):
            return f"{path!r} holds characters no path needs"
    if len(set(paths)) != len(paths):
        return "a path is named twice"
    return ""


def _time(state: ControlState, request: GrantRequest, now: datetime) -> str:
    if request.expires_at <= now:
        return f"it would have ended already, at {clock(request.expires_at)}"
    most = state.terms.grant_days
    latest = now + timedelta(days=most)
    if request.expires_at > latest:
        return f"it may last {counted(most, 'day')} at most (control.grant_days), until {clock(latest)}"
    if len(state.grants) >= KEPT and request.run_id not in state.grants:
        return f"{KEPT} grants are in force already"
    return ""


def _latest(takers: list[RunRecord]) -> str:
    return max(takers, key=lambda run: run.admitted_at).run_id
