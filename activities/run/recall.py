"""What is remembered of ideas: read from the run index, the forge and the base."""

from dataclasses import dataclass
from datetime import date

from activities.run.open_pulls import bring, on_base
from activities.step_session import StepSession
from contracts.messages import AFTERCARE
from contracts.pull_request import PullRequest
from contracts.report import IndexedRun
from contracts.rollback import Aftercare, RollbackStage
from contracts.task import StateSnapshot
from policies.task.idea_memory import Memory, PersonsNo, Place, places, remember
from ports.run_index import RunIndex

_REMEMBERED = 400
"""Ended runs looked at."""


@dataclass(frozen=True)
class Recall:
    """Reads; changes nothing."""

    index: RunIndex

    def memory(self, session: StepSession, snapshot: StateSnapshot) -> Memory:
        """What speaks against an idea today.

        Raises:
            ForgeError, RepositoryError, StoreError, ControlUnavailable: could not be asked; the step is tried again.
        """
        run = session.run
        ended = self.index.latest(_REMEMBERED, run.target)
        # A DRY_RUN proves nothing about an idea's reception, and must not use its attempts up.
        real = tuple(entry for entry in ended if entry.mode != "DRY_RUN" and entry.run_id != run.run_id)
        waiting = frozenset(pull.task_id for pull in snapshot.open_pull_requests if pull.task_id)
        return remember(
            date.fromisoformat(run.date), waiting, real, self._noes(session, snapshot, ended), session.policy
        )

    def _noes(
        self, session: StepSession, snapshot: StateSnapshot, ended: tuple[IndexedRun, ...]
    ) -> tuple[PersonsNo, ...]:
        known = {entry.run_id: entry for entry in ended}
        found = frozenset(Place(each.tool, each.rule, each.path) for each in snapshot.findings)
        # One that we closed, because CI rejected it or the base held it already, is no person's "no".
        numbers = {entry.pull_request for entry in ended if entry.closed_by_us}
        runs = {run_id for entry in ended for run_id in entry.closed_for}
        undone_by_us = self._rolled_back(session)
        noes = []
        for pull in session.bench.forges(session.policy.target).pull_requests():
            run_id = pull.run_id
            about = places(known[run_id]) if run_id in known else frozenset()
            if pull.state == "closed" and pull.task_id and pull.number not in numbers and run_id not in runs:
                if not on_base(session, pull):
                    what = f"rejected on the forge: a person closed pull request {pull.number}; until it is open again"
                    noes.append(PersonsNo(pull.task_id, about, what))
            elif pull.state == "merged" and run_id not in undone_by_us and about & found:
                noes += _taken_out(session, pull, about)
        return tuple(noes)

    def _rolled_back(self, session: StepSession) -> frozenset[str]:
        """Runs whose merges we undid ourselves: those ideas are in quarantine, for as long as that lasts."""
        left = session.bench.control.query(session.run.target, AFTERCARE) or Aftercare()
        return frozenset(each.merged.run.run_id for each in left.merges if each.stage is not RollbackStage.NONE)


def _taken_out(session: StepSession, pull: PullRequest, about: frozenset[Place]) -> list[PersonsNo]:
    """A merge that somebody undid on the base, whole or in some files."""
    change = bring(session.bench, session.repository, pull.run_id)
    if change is None:
        return []
    gone = session.repository.taken_out(change.head_sha, change.base_sha, session.given.base_sha)
    refused = frozenset(place for place in about if place.path in gone)
    what = f"pull request {pull.number} was merged, and a person took its change out of the base again; "
    what += "until the base holds it once more"
    return [PersonsNo(pull.task_id or "", refused, what)] if refused else []
