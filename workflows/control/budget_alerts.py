"""Thresholds and exhaustion of the budget (runbook §6.4, §9): each is said once per period and measure."""

from contracts.alert import AlertKind
from contracts.budget import BudgetAlertReport, Measure, Period
from policies.counted import shortened
from workflows.control.budget_book import amount, biggest, cap_name, kind_of, lifted_by, line_of, lines, of
from workflows.control.state import ControlState

EXHAUSTED = 100


def weigh(state: ControlState, periods: tuple[str, ...], run_id: str) -> None:
    """Raise the alert of the highest threshold that what is spent has just passed."""
    book = state.budget
    thresholds = book.terms.thresholds if book.terms else ()
    for period in periods:
        for measure in Measure:
            cap, spent = book.cap(period, measure), of(book.spent_in(period), measure)
            if cap <= 0:
                continue
            passed = [each for each in thresholds if spent * 100 >= each * cap and each < EXHAUSTED]
            line = line_of(period, measure)
            if spent >= cap and measure is not Measure.RUNS:
                exhausted(state, period, measure, f"{amount(spent)} of {amount(cap)} {measure} are spent", run_id)
            elif passed and passed[-1] > book.alerted.get(line, 0):
                # To have used every run of a day is what a plan of one run a day does: only the refused one is news.
                book.alerted[line] = passed[-1]
                used = f"{amount(spent)} of {amount(cap)} {measure} of {period} are spent"
                state.alert(
                    AlertKind.BUDGET_THRESHOLD,
                    f"budget/{state.target}/{line}/{passed[-1]}",
                    f"{state.target}: {passed[-1]} % of {cap_name(period, measure)} is passed: {used}",
                    run_id,
                    cap=cap,
                    spent=spent,
                    threshold=passed[-1],
                )


def exhausted(state: ControlState, period: str, measure: Measure, reason: str, run_id: str) -> None:
    """6.4: alert, and for a calendar period ``budget_alert_report.json``; once."""
    book = state.budget
    line = line_of(period, measure)
    if book.alerted.get(line, 0) >= EXHAUSTED:
        return
    book.alerted[line] = EXHAUSTED
    summary = f"{state.target}: budget exhausted: {reason}"
    state.alert(AlertKind.BUDGET_THRESHOLD, f"budget/{state.target}/{line}/{EXHAUSTED}", summary, run_id)
    state.log("budget exhausted", line=line, reason=shortened(reason, 500), runId=run_id)
    if kind_of(period) is Period.RUN or book.as_of is None:
        return
    runs = [run for run in book.runs.values() if period in run.periods]
    dearest = biggest(runs)
    # The folder of a run that exists: one that is refused just now never gets a folder.
    home = run_id if run_id in state.runs else (dearest[0].run_id if dearest else run_id)
    book.to_report.append(
        BudgetAlertReport(
            target=state.target,
            period=period,
            measure=measure,
            at=book.as_of,
            epoch=state.epoch,
            run_id=home,
            reason=shortened(reason, 2000),
            lines=lines(book),
            reservations=tuple(book.reservations.values()),
            biggest_runs=dearest,
            lifted_by=lifted_by(book, state.target, period, measure),
        )
    )


def cost_unknown(state: ControlState, key: str, reason: str) -> None:
    """Nothing is spent until a person has looked: that must be heard."""
    line = f"run/{key}"
    if line not in state.budget.alerted:
        state.budget.alerted[line] = EXHAUSTED
        run_id = key.rpartition("/")[0]
        fingerprint = f"budget/{state.target}/{line}/unknown"
        state.alert(AlertKind.BUDGET_THRESHOLD, fingerprint, f"{state.target}: {reason}", run_id)


def cost_known(state: ControlState, key: str) -> None:
    """A person stated it; the next unknown one is news again."""
    state.budget.alerted.pop(f"run/{key}", None)
