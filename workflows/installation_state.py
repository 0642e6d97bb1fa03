"""Everything the Installation knows."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from contracts.control import InstallationNotice, PauseRecord, TargetView
from contracts.home import HomeMark
from contracts.modes import TargetStatus


class InstallationState(BaseModel):
    """Handed on at continue-as-new."""

    model_config = ConfigDict(
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )

    ready: bool = False
    """Whether it knows which targets existed before it."""
    status: TargetStatus = TargetStatus.ACTIVE
    epoch: int = 0
    """Starts at the millisecond of its birth: newer than any Installation that was terminated."""
    pause: PauseRecord | None = None
    targets: dict[str, TargetView] = {}
    notice: InstallationNotice | None = None
    """The latest news."""
    home: HomeMark | None = None
    """Whose files it works on: a worker with another home refuses to start."""
    ended: str = ""
    """How the one before it ended, if by force: then it wakes up PAUSED, whatever is known of targets."""
    to_tell: list[str] = []
    """Targets that have not been told the latest news."""
