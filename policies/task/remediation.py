"""Remediations (runbook §6.2): the same fix on fewer files, until what is sound got through and the culprit is alone.

A failure is known by its fingerprint; its suspects are the files that the rejected change touched. Each attempt takes
another part of them: both halves first, then both halves of those, down to single files.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from contracts.artifact import ArtifactRef
from contracts.change import Change
from contracts.ci import CiReport
from contracts.evidence import CheckResult, ChecksReport, CheckStatus
from contracts.handover import RunRef
from contracts.modes import Mode, RunKind, RunStatus
from contracts.release import ReleaseDecision
from contracts.remediation import FailureNote, Remediation, RemediationEnd
from contracts.task import (
    AskedTask,
    Candidate,
    CandidateTasks,
    Finding,
    StateSnapshot,
    SuppressedCandidate,
    TaskContract,
)
from policies.counted import counted, shortened
from policies.digests import digest
from policies.release.checks import complaints, first_complaint
from policies.release.ci import fingerprint_in_ci, note_in_ci, to_blame
from policies.release.rejection import CHECKS_RULE, CI_RULE
from policies.settings.schema import EffectivePolicy
from policies.task.acceptance import expected, quiet, turn
from policies.task.asked import of_remediation
from policies.task.candidates import candidate_of, may_be_touched, waits_for_people
from policies.task.idea_memory import Memory, Place, used_up

FAILED = frozenset({CheckStatus.RED, CheckStatus.TIMEOUT})
"""What a change can be blamed for; a check that could not be run says nothing about it."""
_LARGEST_PATHS = 8000
_NOTES = 10


@dataclass(frozen=True)
class Papers:
    """What a rejected run left behind."""

    decision: ReleaseDecision
    contract: TaskContract
    change: Change
    checks: ChecksReport
    output: Callable[[ArtifactRef], bytes]
    """An attempt's output, empty when it is gone."""
    ci: CiReport | None = None
    """What the forge's CI said, if the run waited for it."""


def queued_by(
    run: RunRef, status: RunStatus, at: datetime, policy: EffectivePolicy, papers: Papers
) -> Remediation | None:
    """The remediation that a run's end asks for, or None.

    Rules, in order: only a REJECTED daily run that might have written (a DRY_RUN or smoke uses no attempt up) · only
    of a tool's fix: what an agent was asked for is tried again as a whole · only when the required checks, ours or
    those of the forge's CI, are the gate that rejected it · only when a check was RED or, of ours, ran out of time ·
    only when the change touched files of the contract, named shortly enough for Control's books.
    """
    if status is not RunStatus.REJECTED or run.kind is not RunKind.DAILY or run.mode is Mode.DRY_RUN:
        return None
    if papers.contract.asked is not None:
        return None
    contract, blamed = papers.contract, _blamed(run.target, papers)
    if blamed is None:
        return None
    touched = {path.path for path in papers.change.paths}
    paths = tuple(sorted(touched & set(contract.scope.allowed_paths)))
    if not paths or sum(map(len, paths)) > _LARGEST_PATHS:
        return None
    return Remediation(
        fingerprint=blamed.fingerprint,
        task_id=contract.task_id,
        tool=contract.tool,
        rule=contract.rule,
        paths=paths,
        failed=blamed.notes[:_NOTES],
        run_id=run.run_id,
        at=at,
        most_attempts=policy.autopilot.caps.attempts_per_task,
    )


class _Blamed(NamedTuple):
    """What failed, as Control keeps it."""

    fingerprint: str
    notes: tuple[FailureNote, ...]


def _blamed(target: str, papers: Papers) -> _Blamed | None:
    rejection, contract = papers.decision.rejection, papers.contract
    gate = rejection.failed_gate if rejection else ""
    idea = (target, contract.tool, contract.rule)
    if gate == CHECKS_RULE:
        ours = [result for result in papers.checks.results if result.required and result.status in FAILED]
        notes = tuple(_note(result, papers.output) for result in ours)
        return _Blamed(fingerprint(*idea, ours, papers.output), notes) if ours else None
    if gate == CI_RULE and (reds := to_blame(papers.ci)):
        return _Blamed(fingerprint_in_ci(*idea, reds), tuple(note_in_ci(check) for check in reds))
    return None


def fingerprint(
    target: str, tool: str, rule: str, failed: list[CheckResult], output: Callable[[ArtifactRef], bytes]
) -> str:
    """Digest of target, idea and the failing checks with what they said; no times, folders, addresses, paths."""
    complaints_found = []
    for result in sorted(failed, key=lambda each: each.name):
        last = result.attempts[-1] if result.attempts else None
        body = output(last.output) if last and last.output else b""
        complaints_found.append(
            [result.name, result.status.value, last.exit_code if last else None, list(complaints(body))]
        )
    return digest([target, tool, rule, complaints_found])


def part(paths: tuple[str, ...], attempt: int) -> tuple[str, ...]:
    """The files of one attempt, counted from 0; empty when every part was tried.

    Both halves, then quarters, down to single files: after n attempts on n suspects nothing sound is held back any
    longer than it must.
    """
    return next(iter(_parts(tuple(sorted(set(paths))))[attempt:]), ())


def _parts(paths: tuple[str, ...]) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    size = len(paths)
    while size > 1:
        size = math.ceil(size / 2)
        blocks = [paths[start : start + size] for start in range(0, len(paths), size)]
        found += [block for block in blocks if block not in found]
    return found


@dataclass(frozen=True)
class Backlog:
    """What a triage makes of the remediations in the books."""

    candidates: tuple[Candidate, ...] = ()
    suppressed: tuple[SuppressedCandidate, ...] = ()
    resolved: tuple[str, ...] = ()
    cornered: frozenset[tuple[str, str, str]] = frozenset()
    """Tool, rule and path of findings that wait for a person: other ideas leave them out."""
    suspects: frozenset[tuple[str, str, str]] = frozenset()
    """The same of everything that is listed here."""
    failed: tuple[tuple[Remediation, tuple[Finding, ...]], ...] = ()
    """Those that no part of the fix got through, with the findings that are left: an agent may try."""


def take_up(
    booked: tuple[Remediation, ...],
    snapshot: StateSnapshot,
    policy: EffectivePolicy,
    memory: Memory,
) -> Backlog:
    """Candidates for what is booked, measured anew on this base.

    Rules for each open remediation, in order:

    1. No finding is left in its files: resolved, if every tool could look; else it waits.
    2. One file is left, or every part was tried: listed for a person, no run takes it.
    3. Suppressed, with the reason: too many open pull requests · one open for the same idea · a person refused it in
       one of these files · closed twice in one of their folders · ``caps.attempts_per_task`` reached · confidence
       below the minimum.
    4. Else a candidate: the same tool and rule on the part whose turn it is.

    One whose attempts are used up is named as suppressed while its findings last.
    """
    result = Backlog()
    for one in sorted(booked, key=lambda each: each.fingerprint):
        findings = _left(one, snapshot, policy)
        if one.ended is RemediationEnd.ATTEMPTS and findings:
            result = _suppressed(result, one, used_up(one.attempts, one.most_attempts))
            result = replace(result, failed=result.failed + _failed(one, findings, policy, memory))
        elif one.ended is None:
            result = _take_up(result, one, findings, snapshot, policy, memory)
    return result


def with_backlog(proposed: CandidateTasks, backlog: Backlog) -> CandidateTasks:
    """Remediations among the other ideas: the best first, those for a person last; the cap on the list is others'."""
    both = (*proposed.candidates, *backlog.candidates)
    ranked = sorted(both, key=lambda each: (each.needs_person, *turn(each)))
    return proposed.model_copy(
        update={
            "candidates": tuple(ranked),
            "suppressed": (*proposed.suppressed, *backlog.suppressed),
            "resolved": backlog.resolved,
        }
    )


def left_to_agents(backlog: Backlog, most: int) -> dict[str, AskedTask]:
    """What an agent may be asked for, by the remediation's fingerprint. ``most``: files of a diff."""
    return {one.fingerprint: of_remediation(one, findings, most) for one, findings in backlog.failed}


def without_taken(found: CandidateTasks, tasks: Mapping[str, AskedTask]) -> CandidateTasks:
    """What an agent is asked for waits for no person beside that."""
    taken = {each.rule for each in found.candidates if each.asked}
    theirs = {fingerprint for fingerprint, task in tasks.items() if task.key in taken}
    kept = (each for each in found.candidates if not (each.needs_person and each.remediates in theirs))
    return found.model_copy(update={"candidates": tuple(kept)})


def _take_up(
    so_far: Backlog,
    one: Remediation,
    findings: list[Finding],
    snapshot: StateSnapshot,
    policy: EffectivePolicy,
    memory: Memory,
) -> Backlog:
    if not findings:
        unread = any(each.tool == one.tool and each.path in one.paths for each in snapshot.unread)
        if snapshot.missing or snapshot.truncated or unread:
            return _suppressed(so_far, one, "not every finding could be looked at, so none of it is known to be gone")
        return replace(so_far, resolved=(*so_far.resolved, one.fingerprint))
    left = tuple(sorted({finding.path for finding in findings}))
    chosen = part(left, one.attempts)
    if not chosen:
        cornered = {(one.tool, one.rule, path) for path in left}
        candidate = _candidate(one, findings, policy, "for a person: ", needs_person=True)
        return replace(
            so_far,
            candidates=(*so_far.candidates, candidate),
            cornered=so_far.cornered | cornered,
            suspects=so_far.suspects | cornered,
            failed=so_far.failed + _failed(one, findings, policy, memory),
        )
    mine = [finding for finding in findings if finding.path in chosen]
    candidate = _candidate(one, mine, policy, f"{len(chosen)} of {counted(len(left), 'file')}: ", needs_person=False)
    if reason := _suppression(one, candidate, policy, memory):
        return _suppressed(so_far, one, reason)
    suspects = so_far.suspects | {(one.tool, one.rule, path) for path in left}
    ours = expected(candidate, memory.answers)
    return replace(so_far, candidates=(*so_far.candidates, ours), suspects=suspects)


def _failed(
    one: Remediation, findings: list[Finding], policy: EffectivePolicy, memory: Memory
) -> tuple[tuple[Remediation, tuple[Finding, ...]], ...]:
    """For an agent, unless people here said no to it: they meant the change, whoever makes it."""
    kept = tuple(each for each in findings if Place(one.tool, one.rule, each.path) not in memory.by_people)
    reason = quiet(one.tool, one.rule, {each.path for each in kept}, memory.answers, policy.target.name)
    return ((one, kept),) if kept and not reason else ()


def _left(one: Remediation, snapshot: StateSnapshot, policy: EffectivePolicy) -> list[Finding]:
    return [
        finding
        for finding in snapshot.findings
        if (finding.tool, finding.rule) == (one.tool, one.rule)
        and finding.path in one.paths
        and may_be_touched(finding, policy)
    ]


def _candidate(
    one: Remediation, findings: list[Finding], policy: EffectivePolicy, how: str, *, needs_person: bool
) -> Candidate:
    plain = candidate_of(one.tool, one.rule, findings, policy)
    why = tuple(f"{note.check} was {note.status.value} in {one.run_id}: {note.detail}" for note in one.failed)
    return plain.model_copy(
        update={
            "task_id": one.remediating_task,
            "title": f"{how}{plain.title}" if needs_person else plain.title,
            "evidence": (*why, f"another try at {one.task_id}: {how.rstrip(': ')}", *plain.evidence),
            "remediates": one.fingerprint,
            "needs_person": needs_person,
        }
    )


def _suppression(one: Remediation, candidate: Candidate, policy: EffectivePolicy, memory: Memory) -> str:
    caps, rules = policy.autopilot.caps, policy.autopilot.candidates
    if waits := waits_for_people(one.tool, one.rule, caps, memory):
        return waits
    by_people = (path for path in candidate.paths if Place(one.tool, one.rule, path) in memory.by_people)
    if refusal := memory.refusal(one.remediating_task, one.tool, one.rule, by_people):
        return refusal
    if reason := quiet(one.tool, one.rule, candidate.paths, memory.answers, policy.target.name):
        return reason
    if one.attempts >= caps.attempts_per_task:
        return used_up(one.attempts, caps.attempts_per_task)
    if candidate.confidence < rules.minimum_confidence:
        return f"confidence {candidate.confidence} is below {rules.minimum_confidence}"
    return "" if candidate.paths else "each of its files alone is beyond the diff budget"


def _suppressed(so_far: Backlog, one: Remediation, reason: str) -> Backlog:
    title = f"remediation of {one.task_id}"
    told = SuppressedCandidate(task_id=one.remediating_task, title=title, reason=reason)
    return replace(so_far, suppressed=(*so_far.suppressed, told))


def _note(result: CheckResult, output: Callable[[ArtifactRef], bytes]) -> FailureNote:
    last = result.attempts[-1] if result.attempts else None
    complaint = first_complaint(output(last.output)) if last and last.output else ""
    detail = ": ".join(filter(None, (last.detail if last else "", complaint)))
    return FailureNote(check=result.name[:200], status=result.status, detail=shortened(detail, 400))
