"""``review``: the governance review (runbook §11), from the artifact store; no server needed."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from activities.governance.reviewing import GovernanceReviewing
from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.report import later_reviews
from commands.terminal import DAY, AsJson, emit, guarded, out, say, show
from composition import compose
from contracts.governance import GovernanceReport, Standing
from policies.counted import counted
from reporting.governance_html import render_review, shown_value
from reporting.wording import visible
from settings import Settings

EPILOG = (
    "A worker makes the same review every Monday at 06:00 UTC (Schedule `governance-review`) and keeps it beside the "
    "runs' artifacts, as GR-<year>-W<week>."
)
_STYLES = {Standing.MET: "green", Standing.MISSED: "red", Standing.TOO_FEW: "dim", Standing.NO_TARGET: "dim"}
_DAYS = 28


@guarded
def review(
    since: Annotated[
        datetime | None,
        typer.Option(formats=DAY, metavar="YYYY-MM-DD", help=f"From this day on, UTC; default: {_DAYS} days ago."),
    ] = None,
    page: Annotated[Path | None, typer.Option(help="Write the page with its charts to this file.")] = None,
    as_json: AsJson = False,
) -> int:
    """Every baseline metric with its target, what was accepted and what was not, incidents, and what is overdue."""
    adapters, now = compose(Settings()), datetime.now(UTC)
    begins = since.replace(tzinfo=UTC) if since else now - timedelta(days=_DAYS)
    if begins >= now:
        raise CommandFailed(Exit.USAGE, f"{begins:%Y-%m-%d} is not over: there is nothing to review since")
    parts = (adapters.store, adapters.audit, adapters.index, adapters.policies, render_review)
    reviewing = GovernanceReviewing(*parts, later_reviews(adapters))
    found = reviewing.report(begins, now)
    if page:
        page.write_text(render_review(found), encoding="utf-8")
    if as_json:
        emit(found)
    else:
        _show(found)
        if page:
            say(f"written: {page}")
    return Exit.OK


def _show(found: GovernanceReport) -> None:
    show(found.sentence)
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("metric", "value", "target", "", "of"):
        table.add_column(title)
    for metric in found.groups[0].metrics:
        standing = Text(metric.standing.value, _STYLES[metric.standing])
        table.add_row(metric.name, shown_value(metric), metric.target, standing, f"{round(metric.of, 1):g}")
    out.print(table)
    for pattern in found.patterns:
        show(
            f"{pattern.kind} {counted(pattern.count, 'time')}: {visible(pattern.what)}"
            + (f" ({pattern.said[0]})" if pattern.said else "")
        )
    for row in found.fates:
        told = ", ".join(f"{count} {fate.value}" for fate, count in row.counts.items() if count) or "no merge"
        show(f"after {counted(row.days, 'day')}: {told}")
    for told in found.undone:
        show(visible(told))
    for flake in found.flakes:
        until = f", until {flake.until}{' (overdue)' if flake.overdue else ''}" if flake.until else ""
        told = f"{flake.flaked} of {counted(flake.seen, 'look')}; {flake.owner or 'nobody'} looks after it{until}"
        show(f"flaky: {flake.target} {flake.check}, {told}", "red" if flake.overdue else "")
    for trial in found.trials:
        show(f"trial of {trial.source} {'passed' if trial.passed else 'not passed'}: {visible(trial.reason)}")
    for each in found.lowered:
        show(f"source {each.source} {each.state} by {visible(each.by)}: {visible(each.reason)}")
    for incident in found.overdue:
        show(f"overdue since {incident.due_on}: {incident.incident}, {incident.owner or 'nobody'}", "red")
    show(f"risk score: {found.calibration.verdict}")
    if proposal := found.proposal:
        [edit] = proposal.edits
        show(f"proposed: {edit.name} from {edit.before} to {edit.after}: {proposal.because}")
        if replayed := proposal.what_if:
            changed = counted(len(replayed.others), "past decision")
            show(f"it would have changed {changed} of {replayed.decisions}")
        show("`patch -p1` in the policy folder takes it; what a worker's review proposes, `starter.py policy apply`:")
        show(found.patch.rstrip())
    else:
        show(f"no threshold is proposed to move: {found.no_proposal}")
    for what, why in found.unreadable.items():
        say(f"in no number: {what}: {why}")
