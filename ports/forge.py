"""The forge, split by power: reading needs no clearance, every write demands one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from contracts.clearance import Clearance
from contracts.effect import Effect, EffectResult
from contracts.pull_request import PullRequest
from policies.schema import Target


class ForgeError(Exception):
    """The forge could not be asked. Never means yes."""


class Forge(Protocol):
    """Reading one target's forge; holds no write credential."""

    def branch_head(self, branch: str) -> str | None:
        """Where the remote branch points now."""

    def find_pull_request(self, run_key: str) -> PullRequest | None:
        """The pull request this run key opened, in whatever state."""

    def pull_requests(self) -> tuple[PullRequest, ...]:
        """Every pull request from the autonomy branches, newest first."""

    def tickets(self) -> tuple[PullRequest, ...]:
        """Every ticket this system opened; ``branch`` is empty, ``run_key`` its key."""

    def required_checks_green(self, commit: str) -> bool | None:
        """The forge's own CI verdict on a commit; None when this forge has no CI."""


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
            kill_at: ``time.monotonic()`` at which the child must be dead.
            look_only: start the child without credential; it may only find the effect done.

        Raises:
            ForgeError: could not find out whether it is done (killed, unreachable, unclear answer).
        """


OpenForge = Callable[[Target], Forge]
