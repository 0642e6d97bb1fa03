"""Check environments: binary wheels only, nothing of the repository executed outside the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ports.repository import Repository

if TYPE_CHECKING:
    from policies.settings.schema import EffectivePolicy


class EnvironmentUnavailable(Exception):
    """The environment could not be prepared; the message says which requirement, and what to do."""


@dataclass(frozen=True)
class CheckEnvironment:
    """A prepared, cached environment, mounted read-only into the sandbox."""

    digest: str
    path: Path
    """Host folder of the virtual environment."""
    guest: str
    """Where it must be mounted: a virtual environment does not move."""
    environment: dict[str, str] = field(default_factory=dict)
    """Variables every check gets, for example PATH and VIRTUAL_ENV."""
    read_only: tuple[tuple[Path, str], ...] = ()
    """Further mounts it needs, for example the interpreter's own folder."""
    notes: tuple[str, ...] = ()

    @property
    def mounts(self) -> tuple[tuple[Path, str], ...]:
        """All that the sandbox must show of it."""
        return ((self.path, self.guest), *self.read_only)


class Environments(Protocol):
    """Prepares and builds."""

    def prepare(
        self, repository: Repository, base: str, policy: EffectivePolicy, alive: Callable[[], None]
    ) -> CheckEnvironment:
        """Resolve and install the base commit's requirements as wheels; cached by digest.

        Raises:
            EnvironmentUnavailable: something has no wheel, or the registry cannot be reached.
        """

    def install(
        self, environment: CheckEnvironment, tree: Path, policy: EffectivePolicy, alive: Callable[[], None]
    ) -> CheckEnvironment:
        """Build the package in ``tree`` inside the sandbox without network and add it for the checks of this tree.

        What is built is a copy: ``tree`` stays as it was checked out, and nothing of it has run in it.
        """
