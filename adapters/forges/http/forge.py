"""ports.forge.Forge over an API: branches come by git, as everywhere; ours is told by branch, author and mark."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from adapters.forges.http.address import forge_address
from adapters.forges.http.repository import Account, HttpRepository
from adapters.forges.http.tokens import reading_environment, reading_token
from adapters.git.mirror import Mirror, open_mirror
from contracts.forge_facts import BranchProtection, CheckState, CommitCheck, HumanAct, Issue, IssueComment, PullComment
from contracts.pull_request import PullRequest
from policies.run.strangers import OURS
from ports.forge import Forge, ForgeError, OpenForge
from ports.repository import RepositoryError

if TYPE_CHECKING:
    from pydantic import AwareDatetime

    from policies.settings.schema import Target

Repository = TypeVar("Repository", bound=HttpRepository)


class HttpForge(Generic[Repository]):
    """What needs no forge's own words; what its CI, its protection and its people say is each forge's own."""

    def __init__(self, repository: Repository, mirror: Mirror, base_branch: str) -> None:
        """``mirror`` reaches the same repository with git."""
        self._repository, self._mirror, self._base_branch = repository, mirror, base_branch

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
        return _newest_first(pull for pull in self._repository.our_pulls() if pull.branch.startswith(OURS))

    def tickets(self) -> tuple[PullRequest, ...]:
        """Every ticket this system opened, newest first."""
        return _newest_first(ticket for ticket in self._repository.our_tickets() if ticket.run_key)

    def comments(self, number: int) -> tuple[PullComment, ...]:
        """What is said below a pull request, oldest first."""
        return self._repository.comments(number)

    def issues(self, label: str) -> tuple[Issue, ...]:
        """Open issues that carry the label, newest first."""
        return tuple(sorted(self._repository.issues(label), key=lambda each: each.number, reverse=True))

    def issue_comments(self, number: int) -> tuple[IssueComment, ...]:
        """What is said below an issue, oldest first."""
        return self._repository.issue_comments(number)

    @abstractmethod
    def required_checks(self, commit: str, named: tuple[str, ...] = ()) -> tuple[CommitCheck, ...] | None:
        """What protection demands, and what is named; everything reported where that is nothing."""

    @abstractmethod
    def reported_checks(self, commit: str) -> tuple[CommitCheck, ...]:
        """Everything that anybody reported."""

    @abstractmethod
    def protection(self) -> BranchProtection:
        """How the base branch is protected, as far as the reading token may see."""

    @abstractmethod
    def human_acts(self, number: int) -> tuple[HumanAct, ...]:
        """Reviews, and who merged, closed or reopened it."""


def _newest_first(found: Iterable[PullRequest]) -> tuple[PullRequest, ...]:
    return tuple(sorted(found, key=lambda each: each.number, reverse=True))


def by_a_person(
    acts: Mapping[str, str], what: str, who: Account | None, at: AwareDatetime | None, **more: object
) -> HumanAct | None:
    """Something that somebody did, if ``acts`` knows the forge's word for it."""
    if what not in acts or who is None or at is None:
        return None
    return HumanAct.model_validate({"actor": who.login, "act": acts[what], "at": at} | more)


def undemanded(reported: Iterable[CommitCheck]) -> tuple[CommitCheck, ...]:
    """Where nobody demands a check by name: the skipped ones ``idle``; whether they had to run, the rules of CI say."""
    return tuple(
        check.model_copy(update={"idle": check.state is CheckState.MISSING and not check.stopped}) for check in reported
    )


def opening(
    mirrors: Path,
    repository: Callable[[str, str, str, str], Repository],
    forge: Callable[[Repository, Mirror, str], Forge],
) -> OpenForge:
    """Forges of one kind, read with ``[forge_access.read]`` or as the App, if any is named."""
    open_repository = open_mirror(mirrors, reading_environment)

    def opened(target: Target) -> Forge:
        address, account = forge_address(target), target.forge_access.account
        found = repository(address.api, address.repository, account, reading_token(target))
        return forge(found, open_repository(target), target.base_branch)

    return opened
