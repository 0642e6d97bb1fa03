"""What a run found out about a target's dependencies: ``lookups/dependencies.json`` (issue of languages, item 7)."""

from __future__ import annotations

from typing import Literal

from pydantic import AwareDatetime

from contracts.artifact import Contract


class Said(Contract):
    """What one version of a package says of itself."""

    licence: str = ""
    """As it names it; empty: it names none."""
    text: str = ""
    """SHA-256 of its licence's words, without whose copyright it is; empty: it holds none."""
    notes: str = ""
    """Of its list of changes what is about this version. Another's words: shown as inert text alone."""


class PackageChange(Contract):
    """What an update changes of one package in a lock file."""

    package: str
    before: str = ""
    """Version; empty: it was not there."""
    after: str = ""
    """Empty: it is gone."""
    said_before: Said | None = None
    said_after: Said | None = None
    """None: it could not be asked."""
    unsaid: str = ""
    """Why one of them could not."""
    released: AwareDatetime | None = None
    """When ``after`` was; None: the registry does not say."""
    taken_back: bool = False
    """``after`` was."""


class Advisory(Contract):
    """A known vulnerability of a version in a lock file."""

    package: str
    version: str
    identifier: str
    summary: str = ""


class DependencyUpdate(Contract):
    """One package of one lock file, as it could be, and what speaks against that."""

    lock_file: str
    package: str
    before: str
    after: str
    released: AwareDatetime | None = None
    advisories: tuple[Advisory, ...] = ()
    """That ``before`` has."""
    fixed: tuple[str, ...] = ()
    """Those of them that are gone where it was tried."""
    taken_back: bool = False
    """``before`` was: yanked, retracted, deprecated."""
    commands: tuple[tuple[str, ...], ...] = ()
    """What makes it, on the base."""
    made: dict[str, str] = {}
    """Files to the SHA-256 of what they became, twice the same; empty: it was not tried, or is refused."""
    changes: tuple[PackageChange, ...] = ()
    """All that it changes in the lock file."""
    refused: str = ""
    """Why no run takes it; empty: one may."""


class DependencyLook(Contract):
    """Everything that was looked up, once a run, in Sensing; what later steps know of registries is this."""

    schema_version: Literal[1] = 1
    looked_at: AwareDatetime
    updates: tuple[DependencyUpdate, ...] = ()
    """Best first."""
    waiting: tuple[str, ...] = ()
    """Packages that were not tried today: others go first."""
    blind: dict[str, str] = {}
    """What could not be looked at, and why."""
