"""Proposals to change the policy, kept in the artifact store: written once, open until withdrawn by a later record."""

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from activities.governance.past_decisions import NotKept, read_kept
from activities.step_session import written
from contracts.proposal import PROPOSALS, PolicyProposal, Withdrawal
from policies.governance.edits import about, may_not
from ports.store import ArtifactStore

_WITHDRAWN = ".withdrawn.json"
KEPT = timedelta(days=90)
"""At least: as long as the server keeps the histories of runs, and audits are kept (runbook); what is open stays."""
NOES_KEPT = timedelta(days=400)
"""Longer than the reviews that are read for what was proposed before."""


@dataclass(frozen=True)
class KeptProposals:
    """Whether one is done, the file it is about says, and nobody else."""

    store: ArtifactStore

    def keep(self, proposal: PolicyProposal) -> PolicyProposal:
        """As it is kept: what stands under its id already stays.

        Raises:
            StoreError: it cannot be kept.
            ValueError: nobody may propose that.
        """
        if problem := may_not(proposal):
            raise ValueError(f"{proposal.proposal_id}: {problem}")
        if (known := self.find(proposal.proposal_id)) is not None:
            return known
        self.store.put(PROPOSALS, f"{proposal.proposal_id}.json", written(proposal))
        self._tidy(proposal.made_at)
        return proposal

    def find(self, proposal_id: str) -> PolicyProposal | None:
        """One by its id, withdrawn or not; None: there is none.

        Raises:
            NotKept: it is damaged.
        """
        if self.store.find(PROPOSALS, f"{proposal_id}.json") is None:
            return None
        return read_kept(self.store, PROPOSALS, f"{proposal_id}.json", PolicyProposal)

    def withdraw(self, proposal_id: str, reason: str, by: str, at: datetime) -> None:
        """It is proposed no more; the first reason stays.

        Raises:
            StoreError: that cannot be kept.
        """
        if self.store.find(PROPOSALS, proposal_id + _WITHDRAWN) is None:
            record = Withdrawal(proposal_id=proposal_id, reason=reason, by=by, at=at)
            self.store.put(PROPOSALS, proposal_id + _WITHDRAWN, written(record))

    def withdrawn(self) -> frozenset[str]:
        """Ids of those that are proposed no more."""
        names = self.store.names(PROPOSALS)
        return frozenset(name.removesuffix(_WITHDRAWN) for name in names if name.endswith(_WITHDRAWN))

    def _tidy(self, now: datetime) -> None:
        """Remove what was withdrawn, or replaced by a newer one, for longer than runs are kept; runs have copies.

        That a person said no stays for as long as earlier reviews are read.
        """
        gone, late = self.withdrawn(), now - KEPT
        with suppress(NotKept):
            known = self._kept()
            standing = {
                each.proposal_id for each in self._newest([one for one in known if one.proposal_id not in gone])
            }
            for each in known:
                if each.proposal_id not in standing and each.made_at < late:
                    self.store.remove(PROPOSALS, f"{each.proposal_id}.json")
            for proposal_id in gone - {each.proposal_id for each in known}:
                no = read_kept(self.store, PROPOSALS, proposal_id + _WITHDRAWN, Withdrawal)
                if no.at < now - NOES_KEPT:
                    self.store.remove(PROPOSALS, proposal_id + _WITHDRAWN)

    def open(self) -> tuple[PolicyProposal, ...]:
        """All that are not withdrawn, oldest first; of those about the same thing the newest.

        An older one was done, or lost its reason: its ``before`` may stand there again, which would take back what a
        person did since, and be taken back in turn.

        Raises:
            NotKept: one is damaged: what is left of them would be taken for all.
        """
        gone = self.withdrawn()
        return self._newest(self._kept(but=gone))

    def _kept(self, but: Collection[str] = ()) -> list[PolicyProposal]:
        names = self.store.names(PROPOSALS)
        ids = [name.removesuffix(".json") for name in names if not name.endswith(_WITHDRAWN)]
        return [read_kept(self.store, PROPOSALS, f"{each}.json", PolicyProposal) for each in ids if each not in but]

    def _newest(self, found: list[PolicyProposal]) -> tuple[PolicyProposal, ...]:
        found = sorted(found, key=lambda each: (each.made_at, each.proposal_id))
        newest = {thing: each.proposal_id for each in found for thing in about(each)}
        return tuple(each for each in found if each.proposal_id in {newest[thing] for thing in about(each)})
