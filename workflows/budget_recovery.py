"""A Control that lost its books (terminated by hand) takes over what the target's audit log says was booked."""

from __future__ import annotations

from datetime import datetime

from contracts.budget import BookedBefore, BudgetTerms
from workflows.budget_book import plus
from workflows.budgeting import turn
from workflows.control_state import ControlState


def recover(state: ControlState, terms: BudgetTerms | None, booked: BookedBefore, now: datetime) -> None:
    """Add it to what was booked since; periods that are over are forgotten at once."""
    book = state.budget
    for each in booked.periods:
        book.spent[each.period] = plus(book.spent_in(each.period), each.amounts)
    for reservation in booked.reservations:
        book.reservations.setdefault(reservation.key, reservation)
    if booked.periods or booked.reservations:
        state.log("budget recovered from the audit log", periods=len(booked.periods), open=len(booked.reservations))
    turn(state, now, terms)
