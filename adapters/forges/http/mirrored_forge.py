"""What reading Gitea and GitHub have in common: branches come by git; ours is told by branch, author and mark."""

from collections.abc import Iterable
from typing import Protocol

from adapters.git.mirror import Mirror
from contracts.pull_request import PullRequest
from ports.forge import ForgeError
from ports.repository import RepositoryError

_OURS = "autonomy/"


class Listing(Protocol):
    """What our account opened in one repository, in any order."""

    def our_pull_requests(self) -> Iterable[PullRequest]:
        """Pull requests from the repository's own branches."""
        ...

    def our_tickets(self) -> Iterable[PullRequest]:
        """Tickets."""
        ...


class MirroredForge:
    """The half of ports.forge.Forge that needs no forge's own words."""

    def __init__(self, listing: Listing, mirror: Mirror) -> None:
        """``mirror`` reaches the same repository with git."""
        self._listing = listing
        self._mirror = mirror

    def branch_head(self, branch: str) -> str | None:
        """Where the remote branch points now."""
        try:
            return self._mirror.remote_heads().get(branch)
        except RepositoryError as error:
            raise ForgeError(str(error)) from error

    def base_holds(self, commit: str) -> bool:
        """Whether the history of the remote's base branch holds the commit now."""
        try:
            return bool(self._mirror.merged(frozenset({commit}), self._mirror.fetch_base()))
        except RepositoryError as error:
            raise ForgeError(str(error)) from error

    def find_pull_request(self, run_key: str) -> PullRequest | None:
        """The pull request this run key opened: the oldest one, should there be more."""
        found = [pull for pull in self.pull_requests() if pull.run_key == run_key]
        return found[-1] if found else None

    def pull_requests(self) -> tuple[PullRequest, ...]:
        """Every pull request from the autonomy branches, newest first."""
        ours = (pull for pull in self._listing.our_pull_requests() if pull.branch.startswith(_OURS))
        return tuple(sorted(ours, key=lambda pull: pull.number, reverse=True))

    def tickets(self) -> tuple[PullRequest, ...]:
        """Every ticket this system opened, newest first."""
        ours = (ticket for ticket in self._listing.our_tickets() if ticket.run_key)
        return tuple(sorted(ours, key=lambda ticket: ticket.number, reverse=True))
