"""Cleared writes: around every effect begin_write, log, begin_write again, child, settle_write (P1, P3, P7, P10).

docs/design.md draws it; whoever wants to write goes through here.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.control.lost_books import CLEARED, cleared_facts
from activities.step_session import StepPorts
from contracts import messages
from contracts.audit import AuditEvent
from contracts.clearance import (
    SettleRequest,
    WriteAnswer,
    WriteAnswerKind,
    WriteOutcome,
    WriteRecord,
    WriteRequest,
)
from contracts.effect import Clearance, Effect, EffectResult
from contracts.modes import Role, WriteAction, WriteClass
from contracts.rollback import FollowUpInput, Merged
from policies.settings.schema import EffectivePolicy
from ports.clock import since_boot
from ports.crashpoints import crashpoint
from ports.forge import AccessDenied, Forge, ForgeError
from ports.repository import Landing, Repository, RepositoryError

_TRIES = 4
"""Of an activity, for a write that nothing may wait for."""
_NOTHING_TO_DO = frozenset({WriteAnswerKind.REFUSED, WriteAnswerKind.SETTLED})


@dataclass(frozen=True)
class WriteEnd:
    """What Control said, and what the remote showed after acting; no result when nothing was started."""

    answer: WriteAnswer
    result: EffectResult | None = None
    merged: Merged | None = None
    """Of a run's merge that is done: what git found on the base."""


@dataclass(frozen=True)
class ClearedWrite:
    """Asks, acts in a child, settles. Everything the effect needs is prepared before it asks: the lease is short."""

    bench: StepPorts
    incident: str = ""
    """``repair`` only: the open incident that names the merge."""
    merges: Merged | None = None
    """A run's merge only, as planned: settled as git finds it on the base, by whoever settles it."""
    follows: FollowUpInput | None = None
    """A run's opening of its pull request only: Control's books follow it, however the run ends."""
    task_type: str = ""
    """A run's canary or merge only: the kind of task, which must have earned it."""
    open_pulls: tuple[int, ...] = ()
    """A run's push and opening only: what its Sensing saw waiting."""

    def around(self, policy: EffectivePolicy, effect: Effect, write_class: WriteClass, policy_digest: str) -> WriteEnd:
        """Do the effect once, or adopt it, or learn why not.

        ``effect.run_id`` says whose write it is, a run's or an incident's; its audit log gets the clearance.

        Raises:
            ApplicationError: ``WriteBusy``, ``WriteLate``, ``SettleRefused``: another attempt of this activity looks.
            RepositoryError: a merge is done, and the base does not show it yet: another attempt adopts it.
        """
        info, key, target = activity.info(), effect.run_key, policy.target.name
        attempt = f"{info.workflow_run_id}/{info.activity_id}/{info.attempt}"
        seconds = policy.autopilot.control.write_seconds
        crashpoint(f"{effect.action}.before_begin")
        # The clock starts before Control's does: the child dead by then is dead before Control's deadline.
        kill_at = since_boot() + seconds
        request = WriteRequest(
            run_id=effect.run_id,
            key=key,
            attempt=attempt,
            action=effect.action,
            write_class=write_class,
            branch=effect.branch,
            head_sha=effect.head_sha,
            base_sha=effect.base_sha,
            policy_digest=policy_digest,
            seconds=seconds,
            incident=self.incident,
            task_type=self.task_type,
            merges=self.merges,
            follows=self.follows,
            open_pulls=self.open_pulls,
        )
        answer = self._ask(target, request)
        crashpoint(f"{effect.action}.after_begin")
        if answer.answer in _NOTHING_TO_DO:
            return WriteEnd(answer, merged=answer.merged)
        if answer.clearance is None:
            raise ApplicationError("Control answered without a clearance", type="NoClearance")
        if since_boot() > kill_at:
            # Stopped or suspended since it asked: by now the log may be closed.
            raise ApplicationError("woke up after its clearance ended", type="WriteLate")
        cleared = AuditEvent(
            key=f"{key}/cleared/{attempt}",
            role=Role.RELEASE,
            event=CLEARED,
            facts={"answer": answer.answer, "attempt": attempt, "action": effect.action}
            | cleared_facts(target, self._record(effect, answer.clearance)),
        )
        # If this cannot be written, nothing may be written to a repository (P10).
        self.bench.record(effect.run_id, (cleared,), info.started_time)
        # Only now may anything act on it. A Control that was lost before the log had it cannot be asked any more, and
        # the next one has read the log without it: that one says no, and its quiescent stays true (P1).
        answer = self._ask(target, request)
        if answer.answer in _NOTHING_TO_DO or answer.clearance is None:
            return WriteEnd(answer, merged=answer.merged)
        look_only = answer.answer is WriteAnswerKind.LOOK_ONLY
        result = self.bench.effects.perform(policy.target, effect, answer.clearance, kill_at, look_only)
        crashpoint(f"{effect.action}.before_settle")
        outcome = WriteOutcome.DONE if result.done else WriteOutcome.NOT_DONE
        merged = None
        if self.merges is not None and result.done:
            repository = self.bench.repositories(policy.target)
            merged = merge_shown(repository, self.merges, result.result or effect.head_sha)
        report = SettleRequest(key=key, attempt=attempt, outcome=outcome, result=result.result, merged=merged)
        settled = self.bench.control.ask(target, messages.SETTLE_WRITE, report)
        if not settled.accepted:
            # Our deadline passed and somebody else holds it now: the next attempt looks and adopts.
            raise ApplicationError(settled.verdict.reason, type="SettleRefused")
        crashpoint(f"{effect.action}.after_settle")
        return WriteEnd(answer, result, merged)

    def _ask(self, target: str, request: WriteRequest) -> WriteAnswer:
        answer = self.bench.control.ask(target, messages.BEGIN_WRITE, request)
        if answer.answer is WriteAnswerKind.BUSY:
            wait = timedelta(seconds=answer.retry_after_seconds + 0.5)
            raise ApplicationError(answer.verdict.reason, type="WriteBusy", next_retry_delay=wait)
        return answer

    def _record(self, effect: Effect, clearance: Clearance) -> WriteRecord:
        """As Control's books hold it: all that another Control must know, should these be lost."""
        began = clearance.deadline - timedelta(seconds=clearance.seconds)
        return WriteRecord(
            key=effect.run_key,
            run_id=effect.run_id,
            clearance=clearance,
            began_at=began,
            merges=self.merges,
            follows=self.follows,
        )


def record_effect(policy: EffectivePolicy, action: WriteAction, run_key: str, run_id: str, **content: Any) -> Effect:
    """A ticket, a comment, a head: no commit, no branch; ``content`` is what it says, and where."""
    return Effect(
        action=action,
        run_key=run_key,
        run_id=run_id,
        task_id="",
        branch="",
        base_branch=policy.target.base_branch,
        head_sha="",
        base_sha="",
        **content,
    )


def given_up(problem: ForgeError) -> str:
    """The words of a problem, for a write that nothing may wait for; raised first, so that it is tried a few times.

    Raises:
        ForgeError: the problem; another attempt of the activity may do better.
    """
    if activity.info().attempt < _TRIES and not isinstance(problem, AccessDenied):
        raise problem
    return str(problem)


# What a merge gave the base, as git finds it: the one record that run, books, follow-up and rollback use (P4, P11).


def merge_found(repository: Repository, forge: Forge, planned: Merged) -> Merged | None:
    """Our commit on the base, or the one that a forge or a person made of our pull request; None: neither.

    Raises:
        ForgeError, RepositoryError: could not be asked.
    """
    base = repository.fetch_base()
    found = repository.landing(planned.merge_sha, base)
    if found is None:
        pull = forge.find_pull_request(f"{planned.run.run_id}/{WriteAction.OPEN_PULL_REQUEST}")
        found = repository.landing(pull.merge_sha, base) if pull and pull.merge_sha else None
    return _filled(repository, planned, found) if found else None


def merge_shown(repository: Repository, planned: Merged, commit: str) -> Merged:
    """The same of a commit that the remote named as landed.

    Raises:
        RepositoryError: the base cannot be fetched, or does not show it (yet).
    """
    base = repository.fetch_base()
    found = repository.landing(commit, base)
    if found is None:
        raise RepositoryError(f"the base at {base} does not hold {commit}")
    return _filled(repository, planned, found)


def _filled(repository: Repository, planned: Merged, found: Landing) -> Merged:
    tree = repository.tree_of(found.commit)
    return planned.model_copy(update={"merge_sha": found.commit, "parent_sha": found.parent, "tree_sha": tree})
