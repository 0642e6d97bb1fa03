"""Sources of records (runbook §5): asked once, answered with bytes, and everything said about them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from policies.settings.schema import EffectivePolicy
from policies.settings.sources import Format, SourcePolicy
from ports.repository import Repository


@dataclass(frozen=True)
class SourceAnswer:
    """What came back. A refusal and silence are answers, with the problem and no body."""

    asked: str
    """URL without credentials, argv or path."""
    body: bytes | None
    problem: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = ""


@dataclass(frozen=True)
class SourceRequest:
    """For whom sources are asked, at one moment: each says one thing, however many look at it."""

    policy: EffectivePolicy
    repository: Repository
    base_sha: str
    alive: Callable[[], None] = field(default=lambda: None)
    answers: dict[str, SourceAnswer] = field(default_factory=dict)
    """What was said so far, by source."""


class Connector(Protocol):
    """One way to ask."""

    def fetch(self, source: SourcePolicy, request: SourceRequest) -> SourceAnswer:
        """Ask once; no retry, nothing kept."""


@dataclass(frozen=True)
class Recording:
    """One recorded answer, to be read again."""

    source: SourcePolicy
    form: Format
    body: bytes


class ReplayFailed(Exception):
    """Whether the same bytes give the same records could not be found out."""


class Replaying(Protocol):
    """Reads recorded answers again, where nothing of the first reading is left."""

    def digests(
        self, recorded: Sequence[Recording], policy: EffectivePolicy, alive: Callable[[], None]
    ) -> tuple[str, ...]:
        """SHA-256 of what each says, as it would be recorded; empty: it says nothing.

        Raises:
            ReplayFailed: it could not be done.
        """
