"""``runs`` and ``report``: ended runs, from the artifact store; no server needed."""

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.kept_runs import KeptRun, kept_run
from commands.terminal import AsJson, emit, guarded, out, say, show
from composition import Adapters, compose
from reporting.run_report_text import STYLES, print_report
from reporting.wording import status_tone
from settings import Settings


@guarded
def runs(
    target: Annotated[str | None, typer.Argument(help="Only this target's.")] = None,
    latest: Annotated[int, typer.Option(min=1, help="How many.")] = 20,
    as_json: AsJson = False,
) -> int:
    """The newest ended runs, newest first; also attempts that were not allowed to start, with the reason."""
    adapters = compose(Settings())
    found = adapters.index.latest(latest, target, refused=True)
    if target and not found:
        # A target whose file is gone keeps its runs; one that never was has neither.
        adapters.policies.effective(target)
    if as_json:
        emit({"runs": [run.model_dump(mode="json", by_alias=True) for run in found]})
        return Exit.OK
    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("ended", "run", "status", "outcome", "pull request"):
        table.add_column(title)
    for run in found:
        pull = f"#{run.pull_request}" if run.pull_request else ""
        status = Text(run.became or run.status, STYLES[status_tone(run.status)])
        table.add_row(f"{run.ended_at:%Y-%m-%d %H:%M}", run.run_id, status, run.outcome or run.refused, pull)
    if found:
        out.print(table)
    else:
        say(
            f"no run{f' of {target}' if target else ''} has ended yet; start one: starter.py run {target or '<target>'}"
        )
    return Exit.OK


@guarded
def report(
    run_id: Annotated[str | None, typer.Argument(help="A run id; default: the newest run.")] = None,
    latest: Annotated[int, typer.Option(min=1, help="The newest so many runs.")] = 1,
    html: Annotated[bool, typer.Option("--html", help="Print where the page is.")] = False,
    as_json: AsJson = False,
) -> int:
    """A run's report: task, steps, change, checks, decision tree, writes, review."""
    adapters = compose(Settings())
    wanted = [run_id] if run_id else [run.run_id for run in adapters.index.latest(latest)]
    if not wanted:
        raise CommandFailed(Exit.USAGE, "no run has ended yet; start one: starter.py run <target>")
    kept = [_kept(adapters, one) for one in wanted]
    if as_json:
        emit(
            kept[0].report
            if run_id
            else {"reports": [one.report.model_dump(mode="json", by_alias=True) for one in kept]}
        )
        return Exit.OK
    for one in kept:
        if html:
            show(one.page)
        else:
            print_report(out, one.report, one.decision, one.contract, one.change, one.checks)
    return Exit.OK


def _kept(adapters: Adapters, run_id: str) -> KeptRun:
    kept = kept_run(adapters, run_id)
    if kept is None:
        message = (
            f"no report of {run_id} in {adapters.settings.artifacts}: `starter.py runs` lists the ended runs. "
            "For one that was ended by force Control makes it, within control.reap_seconds"
        )
        raise CommandFailed(Exit.USAGE, message)
    return kept
