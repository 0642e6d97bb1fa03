"""Alerts on their way: raised by workflows, delivered through channels (runbook §9)."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from temporalio import activity

from activities import api
from activities.heartbeat import heartbeating
from activities.step_session import StepPorts
from contracts.alert import Alert, AlertKind, AlertSettings, Delivered, Receipt, Undelivered
from policies.counted import shortened
from policies.settings.alerts import AlertPolicy, settings_of
from ports.alerts import Channel, ChannelFailed, OpenChannels
from ports.crashpoints import crashpoint
from ports.policy_source import PolicyError


@dataclass(frozen=True)
class Alerting:
    """Hands alerts over and delivers them; a retry repeats them, their fingerprints tell."""

    bench: StepPorts
    channels: OpenChannels

    @activity.defn(name=api.RAISE_ALERTS.name, no_thread_cancel_exception=True)
    def raise_alerts(self, request: api.RaiseAlertsInput) -> api.AlertsRaised:
        """Hand over all of them, or raise."""
        with heartbeating():
            for alert in request.alerts:
                self.bench.alerts.send(alert)
        return api.AlertsRaised(count=len(request.alerts))

    @activity.defn(name=api.ALERT_SETTINGS.name, no_thread_cancel_exception=True)
    def alert_settings(self, _given: api.AlertSettingsInput) -> AlertSettings:
        """What ``alerts.toml`` says now; a broken one is named, and stops no alert."""
        policy, problem = self._policy()
        return settings_of(policy).model_copy(update={"problem": shortened(problem, 1000)})

    @activity.defn(name=api.DELIVER.name, no_thread_cancel_exception=True)
    def deliver(self, request: api.DeliverInput) -> api.DeliverOutput:
        """Try every channel that has not taken an alert yet, once each, side by side."""
        with heartbeating():
            crashpoint("deliver.before_effect")
            policy, problem = self._policy()
            channels = self.channels(policy)
            with ThreadPoolExecutor(len(channels), thread_name_prefix="channel") as pool:
                # One thread for each channel: a slow one keeps no other waiting.
                tried = list(pool.map(lambda channel: _all_through(channel, request.alerts), channels))
            crashpoint("deliver.after_effect")
        results = []
        for each in request.alerts:
            receipts = [receipts[each.id] for receipts in tried if each.id in receipts]
            if problem:
                # Its other channels are unknown now: the alert waits for them.
                receipts.append(_receipt("alerts.toml", delivered=False, detail=shortened(problem, 200)))
            complete = all(receipt.delivered for receipt in receipts)
            results.append(Delivered(id=each.id, receipts=tuple(receipts), complete=complete))
        return api.DeliverOutput(delivered=tuple(results))

    def _policy(self) -> tuple[AlertPolicy, str]:
        try:
            return self.bench.policies.alerts(), ""
        except PolicyError as problem:
            return AlertPolicy(), str(problem)


def _all_through(channel: Channel, alerts: tuple[Undelivered, ...]) -> dict[str, Receipt]:
    wanted = (each for each in alerts if channel.name not in each.delivered and _takes(channel, each.alert))
    return {each.id: _try(channel, each.alert) for each in wanted}


def _takes(channel: Channel, alert: Alert) -> bool:
    # Nobody is told about a channel's failure through that channel.
    about_itself = alert.kind is AlertKind.DELIVERY_FAILED and alert.facts.get("channel") == channel.name
    return channel.takes(alert) and not about_itself


def _try(channel: Channel, alert: Alert) -> Receipt:
    try:
        return _receipt(channel.name, delivered=True, detail=channel.send(alert))
    except ChannelFailed as failure:
        return _receipt(channel.name, delivered=False, detail=str(failure))
    except Exception as problem:
        # A channel's defect must not keep the others' receipts from being kept. Its words may hold its URL.
        return _receipt(channel.name, delivered=False, detail=f"unexpected {type(problem).__name__}")


def _receipt(channel: str, *, delivered: bool, detail: str) -> Receipt:
    return Receipt(channel=channel, delivered=delivered, at=datetime.now(UTC), detail=detail)
