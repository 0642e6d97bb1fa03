"""The shape of ``alerts.toml`` (runbook §9). Every setting has its meaning right below it."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from contracts.alert import AlertKind, AlertSettings
from policies.settings.section import Positive, Section

BUILT_IN = ("file", "terminal")
"""Channels that need no configuration."""

ChannelName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]*$", max_length=40)]
VariableName = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Z0-9_]*$", max_length=100)]


class DedupPolicy(Section):
    """``[dedup]``: what is the same alert."""

    window_minutes: float = Field(default=60, gt=0)
    """The same fingerprint within this time is counted, not sent again."""
    remind_hours: float = Field(default=24, gt=0)
    """A state that lasts (stuck, missed, a channel that fails) is told again only after this."""
    inhibit_hours: float = Field(default=12, gt=0)
    """How long a policy violation explains its consequences, which are then not sent."""


class SilencePolicy(Section):
    """``[silence]``."""

    longest_hours: float = Field(default=168, gt=0, le=24 * 90)
    """No silence lasts longer."""


class DeliveryPolicy(Section):
    """``[delivery]``."""

    terminal: bool = True
    """Also one line on the worker's stderr."""
    failed_after: Positive = 5
    """Attempts after which the other channels are told that one does not take an alert."""
    retry_seconds: float = Field(default=15, gt=0)
    """Before the second attempt; doubled each time."""
    retry_most_minutes: float = Field(default=30, gt=0)
    """Attempts are never further apart than this."""


class WatchPolicy(Section):
    """``[watch]``: finds what nobody would tell."""

    every_minutes: float = Field(default=5, gt=0)
    daily_by: str = Field(default="09:00", pattern=r"^(([01]\d|2[0-3]):[0-5]\d)?$")
    """HH:MM in each target's time zone: without an ended daily run by then its deadline is missed. Empty: off."""
    stuck_minutes: float = Field(default=120, ge=0)
    """A run that makes no progress for this long, and waits for nobody, is stuck. 0: off."""


class ChannelPolicy(Section):
    """One ``[[channels]]`` entry: any service that apprise can reach."""

    name: ChannelName
    url_env: VariableName
    """Environment variable of the worker that holds the apprise URL: secrets are never in a file."""
    kinds: tuple[AlertKind, ...] = ()
    """Empty: all."""
    timeout_seconds: float = Field(default=20, gt=0, le=60)
    """Then the attempt is killed and counts as failed."""

    def takes(self, kind: AlertKind) -> bool:
        """Whether this kind goes through this channel; a test goes through all."""
        return not self.kinds or kind in self.kinds or kind is AlertKind.TEST


class AlertPolicy(Section):
    """``alerts.toml``."""

    dedup: DedupPolicy = DedupPolicy()
    silence: SilencePolicy = SilencePolicy()
    delivery: DeliveryPolicy = DeliveryPolicy()
    watch: WatchPolicy = WatchPolicy()
    channels: tuple[ChannelPolicy, ...] = Field(default=(), max_length=10)

    @model_validator(mode="after")
    def _names_differ(self) -> AlertPolicy:
        names = [*BUILT_IN, *(channel.name for channel in self.channels)]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"channel names must differ from each other and from {' and '.join(BUILT_IN)}: {twice[0]}")
        return self


def settings_of(policy: AlertPolicy) -> AlertSettings:
    """What the ``Alerts`` workflow needs to know."""
    return AlertSettings(
        dedup_minutes=policy.dedup.window_minutes,
        remind_hours=policy.dedup.remind_hours,
        inhibit_hours=policy.dedup.inhibit_hours,
        longest_silence_hours=policy.silence.longest_hours,
        failed_after=policy.delivery.failed_after,
        retry_seconds=policy.delivery.retry_seconds,
        retry_most_minutes=policy.delivery.retry_most_minutes,
        watch_minutes=policy.watch.every_minutes,
    )
