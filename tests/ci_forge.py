"""A CI for the local forge, which has none: results of checks by commit in a file, read by whatever process asks.

Everything else is the real forge; only what a CI would report is written by the test.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.forge_facts import CheckState, CommitCheck
from policies.settings.schema import Target
from ports.forge import Forge, ForgeError, OpenForge

ANY = "*"
"""Instead of a commit: of every commit without results of its own."""


@dataclass
class CiResults:
    """The file."""

    place: Path

    def report(self, commit: str, *checks: CommitCheck) -> None:
        """What the CI says of a commit from now on."""
        found = self._read() | {commit: [check.model_dump(mode="json") for check in checks]}
        new = self.place.with_suffix(".new")
        new.write_text(json.dumps(found))
        new.replace(self.place)

    def break_down(self) -> None:
        """From now on the forge cannot be asked."""
        self.place.write_text("not JSON")

    def of(self, commit: str) -> tuple[CommitCheck, ...]:
        """What it says now."""
        found = self._read()
        return tuple(CommitCheck.model_validate(each) for each in found.get(commit, found.get(ANY, [])))

    def _read(self) -> dict[str, Any]:
        try:
            read: dict[str, Any] = json.loads(self.place.read_text()) if self.place.exists() else {}
        except ValueError as error:
            raise ForgeError("the forge is down") from error
        return read


@dataclass
class ForgeWithCi:
    """A forge, with the CI of the file."""

    real: Forge
    results: CiResults
    on_look: Callable[[str], None] = lambda commit: None

    def __getattr__(self, name: str) -> Any:
        """Everything else is the real forge's."""
        return getattr(self.real, name)

    def required_checks(self, commit: str, named: tuple[str, ...] = ()) -> tuple[CommitCheck, ...] | None:
        """The named ones."""
        self.on_look(commit)
        found = {check.name: check for check in self.results.of(commit)}
        return tuple(found.get(name, CommitCheck(name=name, state=CheckState.MISSING)) for name in named) or None


def with_ci(opened: OpenForge, results: CiResults, on_look: Callable[[str], None] = lambda commit: None) -> OpenForge:
    """The same forges, with the CI of the file."""

    def forge(target: Target) -> Any:
        return ForgeWithCi(opened(target), results, on_look)

    return forge
