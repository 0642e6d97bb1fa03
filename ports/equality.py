"""Whether a change can be shown to change nothing that runs: measured by us, whoever made or reviewed it (P6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from policies.settings.schema import SandboxLimits


class Equality(Protocol):
    """Compares two trees, and believes nobody."""

    def unproved(
        self, base: Path, tree: Path, paths: Sequence[str], limits: SandboxLimits, alive: Callable[[], None]
    ) -> Mapping[str, str]:
        """Of the changed paths those that are not shown to be equal, and why. Could not look is not shown.

        Raises:
            ports.sandbox.SandboxUnavailable: there is no sandbox.
        """
