"""Check environments: of wheels, or prepared by commands; nothing of the repository executed outside the sandbox."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from ports.repository import Repository
from ports.sandbox import Command, CommandResult, Instead, Limits

if TYPE_CHECKING:
    from policies.settings.schema import EffectivePolicy


class EnvironmentUnavailable(Exception):
    """The environment could not be prepared; the message says what of it, and what to do."""

    def __init__(self, text: str, *, unreachable: bool = False, records: tuple[tuple[str, bytes], ...] = ()) -> None:
        """``unreachable``: the network's trouble, which is nobody's change; ``records`` as of a CheckEnvironment."""
        super().__init__(text)
        self.unreachable = unreachable
        self.records = records
        self.of_change: tuple[str, ...] = ()
        """Files of the change because of which it was made anew; empty: it is the base's own."""
        self.setting = ""
        """What of ``[environment]`` could not be had from elsewhere: `submodules`, `lfs`; empty: it was not that."""


class Online(Protocol):
    """Runs a command in an environment, with the network of its list of hosts and a cache that goes away."""

    def __call__(
        self,
        argv: tuple[str, ...],
        tree: Path,
        limits: Limits,
        alive: Callable[[], None],
        *,
        shown: tuple[tuple[Path, str], ...] = (),
        expected: tuple[int, ...] = (0,),
    ) -> CommandResult:
        """``shown``: further host files and where they appear; ``expected``: exit statuses that mean it worked.

        Raises:
            EnvironmentUnavailable: it was stopped or ended otherwise; says what of it, and what to do.
        """


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
    """What its owner should know of it: requirements that could not be read, contents that are not there."""
    copies: tuple[tuple[Path, str], ...] = ()
    """What every check gets a copy of its own of, at these relative paths of its tree."""
    instead: Instead | None = None
    """What every check sees in place of files of its tree."""
    reserves_memory: bool = False
    """Its programs may reserve any address space."""
    records: tuple[tuple[str, bytes], ...] = ()
    """What is kept of making it, by name: the commands' output, and what they asked the network for."""
    prepared_again: tuple[str, ...] = ()
    """Files of the change for which it was made from the merge result."""
    online: Online | None = field(default=None, compare=False, repr=False)
    """For what must ask a registry; None: it is not prepared with a list of hosts."""
    asked: list[bytes] = field(default_factory=list, compare=False, repr=False)
    """What such commands asked the network for, a block each."""
    held: object = field(default=None, compare=False, repr=False)
    """As long as this is referred to, what it is made of is not removed."""

    @property
    def mounts(self) -> tuple[tuple[Path, str], ...]:
        """All that the sandbox must show of it."""
        return ((self.path, self.guest), *self.read_only)

    def command(self, argv: tuple[str, ...], tree: Path, limits: Limits, **variables: str) -> Command:
        """A command in it, on a tree that nothing ran in yet."""
        return Command(
            argv=argv,
            tree=tree,
            limits=limits,
            environment=self.environment | variables,
            read_only=self.mounts,
            copies=self.copies,
            instead=self.instead,
            reserves_memory=self.reserves_memory,
        )


class Environments(Protocol):
    """Prepares and builds."""

    def prepare(
        self, repository: Repository, base: str, policy: EffectivePolicy, alive: Callable[[], None], merged: str = ""
    ) -> CheckEnvironment:
        """What the base commit needs, made or found by its digest.

        Args:
            repository: where the commits are.
            base: decides, always: a change must not choose what it is checked with (P6).
            policy: how it is made.
            alive: called several times a second.
            merged: the merge result that is to be checked. Where it differs from the base in what decides
                (``environment.keyed_by``), the base's would be the wrong one: it is made from the merge result.

        Raises:
            EnvironmentUnavailable: it cannot be made, or the registry cannot be reached.
        """

    def install(
        self, environment: CheckEnvironment, tree: Path, policy: EffectivePolicy, alive: Callable[[], None]
    ) -> CheckEnvironment:
        """Build the package in ``tree`` inside the sandbox without network and add it for the checks of this tree.

        What is built is a copy: ``tree`` stays as it was checked out, and nothing of it has run in it.
        """
