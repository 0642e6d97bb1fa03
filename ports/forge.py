"""The forge, split by power: reading needs no clearance, every write demands one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from contracts.effect import Clearance, Effect, EffectResult
from contracts.forge_facts import BranchProtection, CommitCheck, HumanAct, Issue, IssueComment, PullComment
from contracts.pull_request import PullRequest

if TYPE_CHECKING:
    from policies.settings.schema import Target


class ForgeError(Exception):
    """The forge could not be asked. Never means yes."""

    def __init__(self, message: str = "", retry_after: float | None = None) -> None:
        """``retry_after``: seconds after which the forge itself said to ask again, where it limits the rate."""
        super().__init__(message)
        self.retry_after = retry_after


class AccessDenied(ForgeError):
    """The forge answers, and lets us do nothing before a person mends token, right, address or repository."""


class NotShown(AccessDenied):
    """It is not there, or not for us: of the repository itself it means that we may not see it."""


class Forge(Protocol):
    """Reading one target's forge; holds no write credential."""

    def branch_head(self, branch: str) -> str | None:
        """Where the remote branch points now."""

    def base_holds(self, commit: str) -> bool:
        """Whether the history of the remote's base branch holds the commit now."""

    def find_pull_request(self, run_key: str) -> PullRequest | None:
        """The pull request this run key opened, in whatever state."""

    def pull_requests(self) -> tuple[PullRequest, ...]:
        """Every pull request from the autonomy branches, newest first."""

    def tickets(self) -> tuple[PullRequest, ...]:
        """Every ticket this system opened; ``branch`` is empty, ``run_key`` its key."""

    def required_checks(self, commit: str, named: tuple[str, ...] = ()) -> tuple[CommitCheck, ...] | None:
        """What the forge's own CI says of a commit, one entry per required check.

        Required is what the forge demands of the base branch, and what is ``named``; a required check without a result
        is there, as MISSING: nothing missing is ever green. None only when there is no CI and nobody named a check.
        """

    def reported_checks(self, commit: str) -> tuple[CommitCheck, ...]:
        """Everything that anybody reported of a commit, whether or not it is demanded."""

    def protection(self) -> BranchProtection:
        """How the base branch is protected."""

    def human_acts(self, number: int) -> tuple[HumanAct, ...]:
        """What people did with a pull request, oldest first: approved, asked for changes, merged, closed."""

    def comments(self, number: int) -> tuple[PullComment, ...]:
        """What is said below a pull request, oldest first."""

    def issues(self, label: str) -> tuple[Issue, ...] | None:
        """Open issues that carry the label, newest first; None: there are no issues on this forge."""

    def issue_comments(self, number: int) -> tuple[IssueComment, ...]:
        """What is said below an issue, oldest first, and whether its author may write to the repository."""


class Effects(Protocol):
    """The only way to write: one child process per effect, killed by the kernel before the clearance ends."""

    def perform(
        self, target: Target, effect: Effect, clearance: Clearance, kill_at: float, look_only: bool
    ) -> EffectResult:
        """Look, then act, in a child that alone holds the write credential.

        Args:
            target: whose forge.
            effect: what to do.
            clearance: Control's permission; must match the effect's action, branch, head and base.
            kill_at: ``ports.clock.since_boot()`` at which the child must be dead.
            look_only: start the child without credential; it may only find the effect done.

        Raises:
            AccessDenied: the forge does not let us in; an attempt before this one may have done it.
            ForgeError: could not find out whether it is done (killed, unreachable, unclear answer).
        """


OpenForge = Callable[["Target"], Forge]
