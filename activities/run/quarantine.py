"""What an escalated run left behind, believed only as far as its own audit log vouches for it (P6, P10)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import ValidationError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.step_session import StepSession
from contracts.artifact import ArtifactRef, Contract
from contracts.audit import AuditRecord
from contracts.change import Change, ChangedPath
from contracts.grant import Grant
from contracts.modes import RunStatus, StepName
from contracts.task import Candidate, CandidateTasks, TaskContract
from policies.paths.rules import granted_entries
from policies.texts.pull_request import commit_message
from ports.store import ArtifactStore, AuditLog, StoreError

Model = TypeVar("Model", bound=Contract)


class NotInQuarantine(Exception):
    """There is no quarantined change of this run that can be trusted; the message says why."""


@dataclass(frozen=True)
class KeptChange:
    """The change of an escalated run, with the task it was made for."""

    run_id: str
    contract: TaskContract
    candidate: Candidate
    change: Change
    bundle: bytes
    diff: bytes
    escalated_record: str
    """Hash of the audit record that says how the run ended."""


def open_quarantine(store: ArtifactStore, audit: AuditLog, target: str, run_id: str) -> KeptChange:
    """Read a quarantined change back. Every artifact must be one that the run's steps recorded when they ended.

    Raises:
        NotInQuarantine: another target's run, no log or a damaged one, not ESCALATED, an artifact missing or replaced.
    """
    log = f"run/{run_id}"
    try:
        if not run_id.startswith(f"{target}-") or audit.head(log) is None:
            raise NotInQuarantine(f"{target} has no audit log of a run {run_id}")
        verified = audit.verify(log, {})
        if verified.problem is not None:
            raise NotInQuarantine(f"its audit log is damaged: {verified.problem.problem}")
        records = {record.key: record for record in audit.records(log)}
        ended = records.get("audit/ended")
        if ended is None or ended.facts.get("status") != RunStatus.ESCALATED:
            status = ended.facts.get("status") if ended else "still open"
            raise NotInQuarantine(f"the run is {status}, by its own audit log, not ESCALATED")
        return _read(store, run_id, records, ended.hash)
    except (StoreError, ValidationError) as problem:
        raise NotInQuarantine(f"it cannot be read back: {problem}") from problem


def _read(store: ArtifactStore, run_id: str, records: dict[str, AuditRecord], ended: str) -> KeptChange:
    def load(name: str, step: StepName, model: type[Model]) -> Model:
        return model.model_validate_json(
            store.get(_vouched(store.find(run_id, name), name, records.get(f"{step}/done")))
        )

    change = load("change.json", StepName.CODE, Change)
    contract = load("task_contract.json", StepName.PLAN, TaskContract)
    candidates = load("candidate_tasks.json", StepName.TRIAGE, CandidateTasks)
    chosen = [each for each in candidates.candidates if each.task_id == contract.task_id]
    if not chosen:
        raise NotInQuarantine(f"its candidates do not list {contract.task_id}")
    # By the digests in change.json, whatever is shown under the run's names now.
    return KeptChange(
        run_id=run_id,
        contract=contract,
        candidate=chosen[0],
        change=change,
        bundle=store.get(change.bundle),
        diff=store.get(change.diff),
        escalated_record=ended,
    )


def _vouched(ref: ArtifactRef | None, name: str, record: AuditRecord | None) -> ArtifactRef:
    if ref is None:
        raise NotInQuarantine(f"it left no {name}")
    if record is None or ref.sha256 not in record.artifacts:
        raise NotInQuarantine(f"{name} is not the one its audit log names")
    return ref


# Taking a change out of quarantine: exactly that change, on the run's own base.


@dataclass(frozen=True)
class GrantedChange:
    """A run's grant, the quarantined change it is for, and what of it is released."""

    grant: Grant
    quarantined: KeptChange
    entries: tuple[ChangedPath, ...]
    """The whole quarantined change, measured again from its commits."""
    released: tuple[ChangedPath, ...]
    """The protected entries that the grant names."""


@dataclass(frozen=True)
class MadeCommit:
    """How Coding came by a commit, or why it did not."""

    rule: str
    head: str = ""
    refused: str = ""
    said: str = ""
    """What the coder said of it."""
    question: str = ""
    """What it wants to know before it can do anything."""


def quarantined_task(session: StepSession, grant: Grant) -> KeptChange:
    """What the grant is for.

    Raises:
        ApplicationError: ``ArtifactDamaged``, not retryable: admission saw it whole, so somebody touched it since.
    """
    bench = session.bench
    try:
        kept = open_quarantine(bench.store, bench.audit, session.run.target, grant.run_id)
    except NotInQuarantine as problem:
        raise _damaged(f"the change of {grant.run_id} cannot be taken: {problem}") from problem
    if kept.change.head_sha != grant.head_sha:
        raise _damaged(f"in quarantine is {kept.change.head_sha}, the grant is for {grant.head_sha}")
    return kept


def granted_change(session: StepSession) -> GrantedChange | None:
    """The change this run takes, imported into the mirror; None for a run that asks an agent."""
    grant = session.run.grant
    if grant is None:
        return None
    kept = quarantined_task(session, grant)
    change, repository = kept.change, session.repository
    repository.unbundle(kept.bundle, change.base_sha, change.head_sha)
    entries = repository.changed_paths(change.base_sha, change.head_sha)
    return GrantedChange(grant, kept, entries, granted_entries(grant, entries, kept.contract, session.policy))


def take(session: StepSession, granted: GrantedChange) -> MadeCommit:
    """The commit to go on with, or why there is none.

    On the base it was made for, the quarantined commit itself. On another base, a new commit on that base which
    carries exactly the same patch; anything less clear than that is a no.
    """
    rule, grant, change = "the quarantined change can be taken", granted.grant, granted.quarantined.change
    if activity.info().started_time >= grant.expires_at:
        return MadeCommit(rule, refused=f"the grant ended at {grant.expires_at.isoformat(timespec='seconds')}")
    base, repository = session.input.base_sha, session.repository
    if change.base_sha == base:
        _note(session, granted, change.head_sha)
        return MadeCommit(rule, head=change.head_sha)
    merge = repository.merge(base, change.head_sha)
    if not merge.clean:
        return MadeCommit(
            rule,
            refused=f"the base moved, and the quarantined change conflicts with it in {', '.join(merge.conflicts[:5])}",
        )
    message = f"{commit_message(granted.quarantined.contract)}Released-From: {change.head_sha}\n"
    with session.bench.folder("release") as tree:
        repository.checkout(merge.commit, tree)
        head = repository.commit_tree(base, tree, message)
    if repository.tree_of(head) != merge.tree:
        return MadeCommit(rule, refused="the base moved, and the merge result cannot be committed as it is")
    entries = repository.changed_paths(base, head)
    if _patch(entries) != _patch(granted.entries) or not set(granted.released) <= set(entries):
        return MadeCommit(rule, refused="the base moved, and on it the quarantined change would be another patch")
    _note(session, granted, head)
    return MadeCommit(rule, head=head)


def _patch(entries: Sequence[ChangedPath]) -> list[tuple[str, str, str, str, int, int]]:
    """What a clean merge keeps of a patch: paths, kinds, modes and line counts, not the blobs around it."""
    return [(e.path, e.status, e.old_mode, e.new_mode, e.added, e.removed) for e in entries]


def _note(session: StepSession, granted: GrantedChange, head: str) -> None:
    grant, change = granted.grant, granted.quarantined.change
    session.note(
        "taken from quarantine",
        quarantinedRun=grant.run_id,
        quarantinedHead=change.head_sha,
        quarantinedBase=change.base_sha,
        headSha=head,
        sameCommit=head == change.head_sha,
        grantedBy=grant.actor,
        reason=grant.reason,
        paths=", ".join(grant.paths),
        until=grant.expires_at.isoformat(timespec="seconds"),
    )


def _damaged(message: str) -> ApplicationError:
    return ApplicationError(message, type="ArtifactDamaged", non_retryable=True)
