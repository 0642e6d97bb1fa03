"""The command line: which command is where."""

from __future__ import annotations

from typing import Annotated

import typer

from commands import (
    alerting,
    audits,
    budgeting,
    dashboards,
    deciding,
    doctor,
    granting,
    incidents,
    initialize,
    looking,
    pausing,
    policy,
    pulls,
    recovering,
    reports,
    resuming,
    rolling_back,
    run,
    schedules,
    silencing,
    up,
)
from commands.exit_statuses import Exit
from commands.terminal import tracebacks

_WORK, _LOOK, _BRAKE, _CARE = "Work", "Look", "Stop and go", "Care"


def build_app() -> typer.Typer:
    """Every command, under its heading."""
    app = typer.Typer(
        help="Runs coding agents on your repositories every day, and stops, explains and resumes them safely.",
        epilog=_epilog(),
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    app.command(rich_help_panel=_WORK, epilog=initialize.EPILOG)(initialize.init)
    app.command(rich_help_panel=_WORK, epilog=run.EPILOG)(run.run)
    app.command(rich_help_panel=_WORK)(up.up)
    app.add_typer(schedules.app, name="schedule", rich_help_panel=_WORK)
    for command in (
        looking.status,
        looking.watch,
        looking.why,
        looking.queue,
        dashboards.dashboard,
        reports.runs,
        reports.report,
    ):
        app.command(rich_help_panel=_LOOK)(command)
    app.command(rich_help_panel=_BRAKE, epilog=pausing.EPILOG)(pausing.pause)
    app.command(rich_help_panel=_BRAKE, epilog=resuming.EPILOG)(resuming.resume)
    app.command(rich_help_panel=_BRAKE, epilog=rolling_back.EPILOG)(rolling_back.rollback)
    app.command(rich_help_panel=_BRAKE)(deciding.mode)
    app.command(rich_help_panel=_BRAKE, epilog=deciding.EPILOG)(deciding.decide)
    app.add_typer(budgeting.app, name="budget", rich_help_panel=_BRAKE)
    app.command(rich_help_panel=_BRAKE, epilog=granting.EPILOG)(granting.grant)
    app.add_typer(pulls.app, name="pr", rich_help_panel=_WORK)
    app.add_typer(alerting.app, name="alerts", rich_help_panel=_LOOK)
    app.command(rich_help_panel=_CARE, epilog=silencing.EPILOG)(silencing.silence)
    app.add_typer(incidents.app, name="incident", rich_help_panel=_CARE)
    app.command(rich_help_panel=_CARE)(doctor.doctor)
    app.command(rich_help_panel=_CARE, epilog=recovering.EPILOG)(recovering.recover)
    app.add_typer(audits.app, name="audit", rich_help_panel=_CARE)
    app.add_typer(policy.app, name="policy", rich_help_panel=_CARE)
    return app


def _options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an unexpected failure.")] = False,
) -> None:
    tracebacks.wanted = debug


def _epilog() -> str:
    shown = [status for status in Exit if status not in {Exit.TROUBLE, Exit.USAGE, Exit.INTERRUPTED}]
    table = " · ".join(f"{status.value} {status.name.lower().replace('_', ' ')}" for status in shown)
    return f"Exit statuses: {table}. The README says what each means."
