"""What becomes of a raised alert: pure rules over ``AlertsState`` (runbook §9).

An alert goes out at least once (P7); it is kept back only because the same one is out already, because a policy
violation explains it, or because a person silenced its kind. Policy violations and protected-path alerts always go out.
"""

from datetime import datetime, timedelta

from pydantic import AwareDatetime

from contracts.alert import (
    NEVER_SILENCED,
    Alert,
    AlertFate,
    AlertKind,
    AlertRecord,
    AlertSettings,
    AlertsView,
    AlertTrait,
    Delivered,
    LiftRequest,
    Progress,
    RaiseAnswer,
    Receipt,
    Silence,
    SilenceRequest,
)
from contracts.artifact import Book
from contracts.control import Answer
from contracts.verdict import Decision, Fact, Verdict
from policies.counted import counted, shortened

# Everything the Alerts workflow knows, in one bounded model.

KEPT_DONE = 100
"""Alerts remembered after they went out (or did not have to); ``alerts.jsonl`` keeps them all."""
KEPT_WAITING = 150
"""Alerts that wait for a channel; more would outgrow what continue-as-new can carry."""
KEPT_SILENCES = 30
LONGEST_NAME = 100
_SHOWN = 50


class AlertsState(Book):
    """Handed on at continue-as-new. Mutated only by the pure rules in ``alert_rules``, and by the watch."""

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


OUT = frozenset({AlertFate.QUEUED, AlertFate.DELIVERED, AlertFate.FAILED})

_LONGEST_SUMMARY = 800
_MOST_FACTS = 10
_LONGEST_FACT = 160
_MOST_BYTES = 4096
_MOST_RECEIPTS = 12


def take(state: AlertsState, alert: Alert, now: datetime) -> RaiseAnswer:
    """Deduplicate, inhibit, silence, or queue."""
    alert = bounded(alert)
    settings = state.known()
    expire(state, now)
    reason = _inhibited_by(state, alert, now) or _silenced_by(state, alert)
    fate = AlertFate.QUEUED
    if reason:
        fate = AlertFate.SILENCED if reason.startswith("silence") else AlertFate.INHIBITED
    fates = {fate} if reason else OUT
    twin = _twin(state, alert, fates, now - _window(alert.kind, settings))
    if twin is not None:
        state.records[twin.id] = twin.model_copy(update={"times": twin.times + 1})
        told = f"{twin.id} said so at {twin.raised_at:%Y-%m-%d %H:%M} UTC"
        return RaiseAnswer(taken=True, fate=AlertFate.DUPLICATE, reason=told, id=twin.id)
    if not reason and not _room(state, now):
        full = f"{KEPT_WAITING} alerts wait for a channel that takes them"
        return RaiseAnswer(taken=False, fate=AlertFate.FAILED, reason=full)
    record = AlertRecord(
        id=state.next_id("A"),
        alert=alert,
        raised_at=now,
        fate=fate,
        reason=reason,
        next_try_at=None if reason else now,
    )
    state.records[record.id] = record
    state.forget()
    return RaiseAnswer(taken=True, fate=fate, reason=reason or "will be delivered", id=record.id)


def delivered(state: AlertsState, outcome: Delivered, now: datetime) -> None:
    """Note the receipts of one delivery; a channel that fails too often is told through the others."""
    record = state.records.get(outcome.id)
    if record is None or record.next_try_at is None:
        return
    receipts = {receipt.channel: receipt for receipt in record.receipts}
    receipts |= {receipt.channel: _short(receipt) for receipt in outcome.receipts}
    kept = {"receipts": tuple(receipts.values())[:_MOST_RECEIPTS]}
    if outcome.complete:
        done = {"fate": AlertFate.DELIVERED, "reason": "", "next_try_at": None}
        state.records[record.id] = record.model_copy(update=kept | done)
        state.forget()
        return
    state.records[record.id] = record.model_copy(update=kept)
    _not_yet(state, record.id, [receipt for receipt in outcome.receipts if not receipt.delivered], now)


def postpone(state: AlertsState, alert_id: str, now: datetime) -> None:
    """A round of delivery came to nothing, and nobody knows why."""
    if alert_id in state.records:
        _not_yet(state, alert_id, [], now)


def silence(state: AlertsState, request: SilenceRequest, now: datetime) -> Answer:
    """Silence a kind for a while, or say why not."""
    expire(state, now)
    facts: dict[str, Fact] = {
        "kind": request.kind,
        "target": request.target,
        "expiresAt": request.expires_at.isoformat(),
    }
    longest = state.known().longest_silence_hours
    why_not = ""
    if request.kind in NEVER_SILENCED:
        why_not = f"{request.kind} can never be silenced (runbook §9): mend its cause and close its incident"
    elif len(request.target) > LONGEST_NAME:
        why_not = f"no target's name is longer than {LONGEST_NAME} characters"
    elif state.settings is None:
        why_not = "alerts.toml has not been read yet: ask again in a moment"
    elif state.settings.problem:
        why_not = f"alerts.toml cannot be used, so nothing may be silenced: {shortened(state.settings.problem, 300)}"
    elif request.expires_at <= now:
        why_not = f"{request.expires_at.isoformat()} is past"
    elif request.expires_at > now + timedelta(hours=longest):
        why_not = f"a silence lasts at most {counted(longest, 'hour')} (alerts.toml, silence.longest_hours)"
    elif len(state.silences) >= KEPT_SILENCES:
        why_not = f"{KEPT_SILENCES} silences are in force: lift one first"
    if why_not:
        return _answer(Decision.DENY, why_not, facts)
    made = Silence(id=state.next_id("S"), **request.model_dump())
    state.silences[made.id] = made
    return _answer(
        Decision.ALLOW, f"{made.id}: silent until {made.expires_at:%Y-%m-%d %H:%M} UTC", {**facts, "id": made.id}
    )


def lift(state: AlertsState, request: LiftRequest, now: datetime) -> Answer:
    """End a silence early."""
    expire(state, now)
    gone = state.silences.pop(request.id, None)
    facts: dict[str, Fact] = {"id": request.id, "actor": request.actor}
    if gone is None:
        return _answer(Decision.DENY, f"no silence {request.id[:40]} is in force", facts)
    return _answer(Decision.ALLOW, f"{gone.kind} of {gone.target or 'every target'} is heard again", facts)


def expire(state: AlertsState, now: datetime) -> None:
    """Forget silences whose time is over."""
    state.silences = {name: each for name, each in state.silences.items() if each.expires_at > now}


def bounded(alert: Alert) -> Alert:
    """The same alert, no larger than the books can carry."""
    facts = {
        key[:60]: shortened(value, _LONGEST_FACT) if isinstance(value, str) else value
        for key, value in list(alert.facts.items())[:_MOST_FACTS]
    }
    short = alert.model_copy(update={"summary": shortened(alert.summary, _LONGEST_SUMMARY), "facts": facts})
    if len(short.model_dump_json()) > _MOST_BYTES:
        return short.model_copy(update={"summary": shortened(short.summary, 200), "facts": {}})
    return short


def _twin(
    state: AlertsState, alert: Alert, fates: set[AlertFate] | frozenset[AlertFate], since: datetime
) -> AlertRecord | None:
    same = (
        record
        for record in reversed(state.records.values())
        if record.alert.fingerprint == alert.fingerprint and record.alert.kind is alert.kind and record.fate in fates
    )
    found = next(same, None)
    if found is None:
        return None
    # What is still on its way is the same alert, however old it is.
    return found if found.raised_at > since or found.next_try_at is not None else None


def _window(kind: AlertKind, settings: AlertSettings) -> timedelta:
    if AlertTrait.LASTING in kind.traits:
        return timedelta(hours=settings.remind_hours)
    return timedelta(minutes=settings.dedup_minutes)


def _inhibited_by(state: AlertsState, alert: Alert, now: datetime) -> str:
    if AlertTrait.CONSEQUENCE not in alert.kind.traits:
        return ""
    since = now - timedelta(hours=state.known().inhibit_hours)
    for record in reversed(state.records.values()):
        fresh = record.alert.kind is AlertKind.POLICY_VIOLATION and record.raised_at > since
        if fresh and _explains(record.alert, alert):
            return f"a consequence of the policy violation {record.id}"
    return ""


def _explains(violation: Alert, alert: Alert) -> bool:
    if violation.run_id and alert.run_id:
        return violation.run_id == alert.run_id
    return violation.target in {"", alert.target}


def _silenced_by(state: AlertsState, alert: Alert) -> str:
    if alert.kind in NEVER_SILENCED:
        return ""
    for each in state.silences.values():
        if each.kind is alert.kind and each.target in {"", alert.target}:
            until = f"{each.expires_at:%Y-%m-%d %H:%M} UTC"
            return f"silence {each.id} of {each.owner} until {until}: {shortened(each.reason, 200)}"
    return ""


def _room(state: AlertsState, now: datetime) -> bool:
    """Make room: the oldest alert that somebody has heard is given up where nobody else takes it."""
    waiting = state.waiting()
    if len(waiting) < KEPT_WAITING:
        return True
    heard = (record for record in waiting if any(receipt.delivered for receipt in record.receipts))
    oldest = next(heard, None)
    if oldest is None:
        return False
    given_up = f"given up at {now:%Y-%m-%d %H:%M} UTC: {KEPT_WAITING} alerts wait"
    update = {"fate": AlertFate.FAILED, "reason": given_up, "next_try_at": None}
    state.records[oldest.id] = oldest.model_copy(update=update)
    return True


def _not_yet(state: AlertsState, alert_id: str, failing: list[Receipt], now: datetime) -> None:
    record, settings = state.records[alert_id], state.known()
    attempts = record.attempts + 1
    most = 60 * settings.retry_most_minutes
    pause = min(settings.retry_seconds * 2.0 ** min(attempts - 1, 30), most)
    late = attempts >= settings.failed_after
    update = {
        "attempts": attempts,
        "next_try_at": now + timedelta(seconds=pause),
        "fate": AlertFate.FAILED if late else AlertFate.QUEUED,
        "reason": shortened("; ".join(f"{receipt.channel}: {receipt.detail}" for receipt in failing), 300),
    }
    state.records[alert_id] = record.model_copy(update=update)
    # About its own failure a delivery_failed alert keeps quiet, or it would never end.
    if not late or record.alert.kind is AlertKind.DELIVERY_FAILED:
        return
    for receipt in failing:
        take(state, _delivery_failed(record, receipt, attempts), now)


def _delivery_failed(record: AlertRecord, receipt: Receipt, attempts: int) -> Alert:
    return Alert(
        kind=AlertKind.DELIVERY_FAILED,
        summary=(
            f"channel {receipt.channel} did not take {record.id} ({record.alert.kind}) in "
            f"{counted(attempts, 'attempt')}: {receipt.detail}"
        ),
        facts={"channel": receipt.channel, "alert": record.id, "kind": record.alert.kind},
        fingerprint=f"{AlertKind.DELIVERY_FAILED}/{receipt.channel}"[:300],
    )


def _short(receipt: Receipt) -> Receipt:
    return receipt.model_copy(update={"channel": receipt.channel[:60], "detail": shortened(receipt.detail, 200)})


def _answer(decision: Decision, reason: str, facts: dict[str, Fact]) -> Answer:
    verdict = Verdict(rule="the alert may be silenced", decision=decision, reason=reason, facts=facts)
    return Answer.of(verdict, 0)
