"""Alerts go out at least once, carrying their fingerprint (P7, runbook §9)."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from contracts.alert import Alert

if TYPE_CHECKING:
    from policies.settings.alerts import AlertPolicy


class AlertsUnavailable(Exception):
    """The alert could not be handed over. Retried; never means that nobody had to hear of it."""


class AlertSink(Protocol):
    """Where steps raise alerts."""

    def send(self, alert: Alert) -> None:
        """Hand over durably.

        Raises:
            AlertsUnavailable: it was not taken.
        """


class ChannelFailed(Exception):
    """A channel did not take an alert. The message says why, and holds no secret."""


class Channel(Protocol):
    """One way to a person."""

    @property
    def name(self) -> str:
        """As in ``alerts.toml``, or ``file`` or ``terminal``."""

    def takes(self, alert: Alert) -> bool:
        """Whether this alert should go this way."""

    def send(self, alert: Alert) -> str:
        """Deliver; returns what to note on the receipt.

        Raises:
            ChannelFailed: it is not delivered, or nobody knows.
        """


OpenChannels = Callable[["AlertPolicy"], tuple[Channel, ...]]
"""The channels of a policy, the built-in ones first."""
