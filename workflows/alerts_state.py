"""Everything the Alerts workflow knows, in one bounded model."""

from __future__ import annotations

from datetime import datetime

from pydantic import AwareDatetime, BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from contracts.alert import AlertRecord, AlertSettings, AlertsView, Progress, Silence
from policies.counted import counted

KEPT_DONE = 100
"""Alerts remembered after they went out (or did not have to); ``alerts.jsonl`` keeps them all."""
KEPT_WAITING = 150
"""Alerts that wait for a channel; more would outgrow what continue-as-new can carry."""
KEPT_SILENCES = 30
LONGEST_NAME = 100
_SHOWN = 50


class AlertsState(BaseModel):
    """Handed on at continue-as-new. Mutated only by the pure rules in ``alert_rules``, and by the watch."""

    model_config = ConfigDict(
        extra="forbid",
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        serialize_by_alias=True,
    )

    settings: AlertSettings | None = None
    """None until ``alerts.toml`` was read once."""
    records: dict[str, AlertRecord] = {}
    """Oldest first."""
    silences: dict[str, Silence] = {}
    serial: int = 0
    look_at: AwareDatetime | None = None
    """When the watch looks next; None: at once."""
    watched_at: AwareDatetime | None = None
    progress: list[Progress] = []

    def known(self) -> AlertSettings:
        """The settings in force."""
        return self.settings or AlertSettings()

    def waiting(self) -> list[AlertRecord]:
        """What some channel has not taken yet."""
        return [record for record in self.records.values() if record.next_try_at is not None]

    def due(self, now: datetime) -> list[AlertRecord]:
        """What is to be delivered now, the longest due first."""
        due = [record for record in self.waiting() if record.next_try_at and record.next_try_at <= now]
        return sorted(due, key=lambda record: record.next_try_at or now)

    def next_id(self, letter: str) -> str:
        """A new name."""
        self.serial += 1
        return f"{letter}{self.serial}"

    def forget(self) -> None:
        """Drop the oldest that are done."""
        done = [record.id for record in self.records.values() if record.next_try_at is None]
        for old in done[: max(0, len(done) - KEPT_DONE)]:
            del self.records[old]

    def view(self) -> AlertsView:
        """For the query."""
        newest = list(reversed(self.records.values()))
        return AlertsView(
            recent=tuple(newest[:_SHOWN]),
            undelivered=tuple(self.waiting()),
            silences=tuple(self.silences.values()),
            settings=self.known(),
            watched_at=self.watched_at,
        )

    def details(self) -> str:
        """Markdown for the Temporal UI."""
        waiting = self.waiting()
        lines = [f"**{len(waiting)} undelivered** · {counted(len(self.silences), 'silence')}", ""]
        if self.watched_at:
            lines += [f"last watch: {self.watched_at:%Y-%m-%d %H:%M} UTC", ""]
        if self.known().problem:
            lines += [f"alerts.toml cannot be used: {self.known().problem}", ""]
        lines += [
            f"- `{record.id}` {record.raised_at:%m-%d %H:%M} **{record.alert.kind}** {record.alert.target} "
            f"({record.fate}, raised {record.times} times)"
            for record in list(reversed(self.records.values()))[:15]
        ]
        return "\n".join(lines)
