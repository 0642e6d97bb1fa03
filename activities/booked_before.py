"""What a target's audit log says was booked: for a Control that was terminated and has lost its ledger (P9)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from contracts.audit import AuditRecord
from contracts.budget import Amounts, BookedBefore, PeriodAmounts, Reservation

_LOOKED_BACK = timedelta(days=40)
"""Longer than any period that may still be present."""


def booked_before(records: Iterable[AuditRecord], now: datetime) -> BookedBefore:
    """Sum costs and runs by period; a reservation that was never settled is still one."""
    spent: dict[str, Amounts] = {}
    reserved: dict[str, Reservation] = {}
    for record in records:
        if record.at < now - _LOOKED_BACK or not record.facts.get("periods"):
            continue
        key, periods = str(record.facts.get("key", "")), str(record.facts["periods"]).split()
        if record.event == "cost booked":
            reserved.pop(key, None)
            _add(spent, periods, _amounts(record))
        elif record.event in {"cost reserved", "cost unknown"}:
            reserved[key] = Reservation(
                key=key,
                attempt=str(record.facts["attempt"]),
                run_id=key.rpartition("/")[0],
                worst=_amounts(record),
                at=datetime.fromisoformat(str(record.facts["since"])),
                periods=tuple(periods),
                unknown=record.event == "cost unknown",
                note=str(record.facts.get("note", "")),
            )
        elif record.event in {"run admitted", "run queued"}:
            _add(spent, periods, Amounts(runs=1))
    sums = tuple(PeriodAmounts(period=period, amounts=amounts) for period, amounts in sorted(spent.items()))
    return BookedBefore(periods=sums, reservations=tuple(reserved.values()))


def _add(spent: dict[str, Amounts], periods: list[str], more: Amounts) -> None:
    for period in periods:
        known = spent.get(period, Amounts())
        spent[period] = Amounts(
            usd=min(known.usd + more.usd, 1e9),
            tokens=min(known.tokens + more.tokens, 10**15),
            agent_minutes=min(known.agent_minutes + more.agent_minutes, 1e9),
            runs=known.runs + more.runs,
        )


def _amounts(record: AuditRecord) -> Amounts:
    facts = record.facts
    return Amounts.model_validate(
        {"usd": facts["usd"], "tokens": facts["tokens"], "agent_minutes": facts["agentMinutes"]}
    )
