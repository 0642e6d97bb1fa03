"""Proposals to change the policy, kept in the artifact store: written once, open until withdrawn by a later record."""

from dataclasses import dataclass
from datetime import datetime

from activities.governance.past_decisions import read_kept
from activities.step_session import written
from contracts.proposal import PROPOSALS, PolicyProposal, Withdrawal
from policies.governance.edits import about, may_not
from ports.store import ArtifactStore

_WITHDRAWN = ".withdrawn.json"


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

    def open(self) -> tuple[PolicyProposal, ...]:
        """All that are not withdrawn, oldest first; of those about the same thing the newest.

        An older one was done, or lost its reason: its ``before`` may stand there again, which would take back what a
        person did since, and be taken back in turn.

        Raises:
            NotKept: one is damaged: what is left of them would be taken for all.
        """
        names, gone = self.store.names(PROPOSALS), self.withdrawn()
        ids = [name.removesuffix(".json") for name in names if not name.endswith(_WITHDRAWN)]
        found = [read_kept(self.store, PROPOSALS, f"{each}.json", PolicyProposal) for each in ids if each not in gone]
        found.sort(key=lambda each: (each.made_at, each.proposal_id))
        newest = {thing: each.proposal_id for each in found for thing in about(each)}
        return tuple(each for each in found if each.proposal_id in {newest[thing] for thing in about(each)})
