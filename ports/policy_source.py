"""Where policies come from: files of the operator, read whole or refused (P6, P13)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self

if TYPE_CHECKING:
    from policies.settings.alerts import AlertPolicy
    from policies.settings.schema import EffectivePolicy


class PolicyError(Exception):
    """A policy cannot be used. The message names file, line, key and the nearest valid key."""


class UnknownTarget(PolicyError):
    """No ``targets/<name>.toml``; the message lists the known ones and the nearest name."""


@dataclass(frozen=True)
class Provenance:
    """Where one effective value came from."""

    key: str
    value: str
    source: str
    """``autopilot.toml:12``, ``targets/demo.toml:4`` or ``default``."""
    meaning: str


class PolicySource(Protocol):
    """The operator's policy folder."""

    def names(self) -> tuple[str, ...]:
        """Known targets."""

    def effective(self, target: str) -> EffectivePolicy:
        """Read, check, merge, tighten, digest.

        Raises:
            PolicyError: broken TOML, unknown key, loosening override, missing file.
        """

    def alerts(self) -> AlertPolicy:
        """``alerts.toml``; its defaults when there is none.

        Raises:
            PolicyError: broken TOML, unknown key.
        """

    def misnamed(self) -> dict[str, str]:
        """Files of the folder that nobody reads, each with the one that its name nearly is."""

    def explain(self, target: str) -> tuple[Provenance, ...]:
        """Every effective value with its source."""

    def text(self, file: str) -> str:
        """A policy file as it is, for a proposal to change it.

        Raises:
            PolicyError: missing, unreadable, not UTF-8.
        """

    def catalogue(self) -> str | None:
        """``catalogue.toml``, the sources that could be tried; None where there is none. No part of any digest.

        Raises:
            PolicyError: unreadable, not UTF-8.
        """

    def instead(self, files: Mapping[str, bytes]) -> Self:
        """The same folder, as if it held these files."""
