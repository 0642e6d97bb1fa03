"""Taking a change out of quarantine: exactly that change, on the run's own base."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.quarantine import NotInQuarantine, Quarantined, open_quarantine
from activities.workbench import Sitting
from contracts.change import ChangedPath
from contracts.grant import Grant
from policies.granted import granted_entries
from policies.pull_request_text import commit_message


@dataclass(frozen=True)
class GrantedChange:
    """A run's grant, the quarantined change it is for, and what of it is released."""

    grant: Grant
    quarantined: Quarantined
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


def quarantined_task(sitting: Sitting, grant: Grant) -> Quarantined:
    """What the grant is for.

    Raises:
        ApplicationError: ``ArtifactDamaged``, not retryable: admission saw it whole, so somebody touched it since.
    """
    bench = sitting.bench
    try:
        kept = open_quarantine(bench.store, bench.audit, sitting.run.target, grant.run_id)
    except NotInQuarantine as problem:
        raise _damaged(f"the change of {grant.run_id} cannot be taken: {problem}") from problem
    if kept.change.head_sha != grant.head_sha:
        raise _damaged(f"in quarantine is {kept.change.head_sha}, the grant is for {grant.head_sha}")
    return kept


def granted_change(sitting: Sitting) -> GrantedChange | None:
    """The change this run takes, imported into the mirror; None for a run that asks an agent."""
    grant = sitting.run.grant
    if grant is None:
        return None
    kept = quarantined_task(sitting, grant)
    change, repository = kept.change, sitting.repository
    repository.unbundle(kept.bundle, change.base_sha, change.head_sha)
    entries = repository.changed_paths(change.base_sha, change.head_sha)
    return GrantedChange(grant, kept, entries, granted_entries(grant, entries, kept.contract, sitting.policy))


def take(sitting: Sitting, granted: GrantedChange) -> MadeCommit:
    """The commit to go on with, or why there is none.

    On the base it was made for, the quarantined commit itself. On another base, a new commit on that base which
    carries exactly the same patch; anything less clear than that is a no.
    """
    rule, grant, change = "the quarantined change can be taken", granted.grant, granted.quarantined.change
    if activity.info().started_time >= grant.expires_at:
        return MadeCommit(rule, refused=f"the grant ended at {grant.expires_at.isoformat(timespec='seconds')}")
    base, repository = sitting.given.base_sha, sitting.repository
    if change.base_sha == base:
        _note(sitting, granted, change.head_sha)
        return MadeCommit(rule, head=change.head_sha)
    merge = repository.merge(base, change.head_sha)
    if not merge.clean:
        return MadeCommit(
            rule,
            refused=f"the base moved, and the quarantined change conflicts with it in {', '.join(merge.conflicts[:5])}",
        )
    message = f"{commit_message(granted.quarantined.contract)}Released-From: {change.head_sha}\n"
    with sitting.bench.folder("release") as tree:
        repository.checkout(merge.commit, tree)
        head = repository.commit_tree(base, tree, message)
    if repository.tree_of(head) != merge.tree:
        return MadeCommit(rule, refused="the base moved, and the merge result cannot be committed as it is")
    entries = repository.changed_paths(base, head)
    if _patch(entries) != _patch(granted.entries) or not set(granted.released) <= set(entries):
        return MadeCommit(rule, refused="the base moved, and on it the quarantined change would be another patch")
    _note(sitting, granted, head)
    return MadeCommit(rule, head=head)


def _patch(entries: Sequence[ChangedPath]) -> list[tuple[str, str, str, str, int, int]]:
    """What a clean merge keeps of a patch: paths, kinds, modes and line counts, not the blobs around it."""
    return [(e.path, e.status, e.old_mode, e.new_mode, e.added, e.removed) for e in entries]


def _note(sitting: Sitting, granted: GrantedChange, head: str) -> None:
    grant, change = granted.grant, granted.quarantined.change
    sitting.note(
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
