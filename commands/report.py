"""``runs`` and ``report``: ended runs, from the artifact store; no server needed."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer
from pydantic import ValidationError
from rich.table import Table
from rich.text import Text

from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.terminal import AsJson, emit, guarded, out, say, show
from composition import Adapters, compose, open_forge, open_repository
from contracts.admission import RunResult
from contracts.artifact import Contract
from contracts.change import Change
from contracts.evidence import ChecksReport
from contracts.later_review import LATER_REVIEW, LaterReview
from contracts.modes import STEPS_OF_A_ROUND, RunKind, RunStatus, StepName
from contracts.release import ReleaseDecision
from contracts.report import RunReport
from contracts.task import TaskContract
from contracts.verdict import Decision, Verdict
from policies.counted import in_rounds
from ports.store import StoreError
from reporting.run_report_text import STYLES, print_report, short_verdict, verdict_tree
from reporting.wording import in_one_sentence, status_tone
from settings import Settings

if TYPE_CHECKING:
    from activities.after.later_reviews import LaterReviews

Model = TypeVar("Model", bound=Contract)

ENDED = "end"
"""The name under which it is shown how a run ended that no step's verdict ended."""
_NOT_BY_A_VERDICT = frozenset({RunStatus.LOST, RunStatus.CANCELLED, RunStatus.PAUSED, RunStatus.FAILED})


@dataclass(frozen=True)
class KeptRun:
    """A run's report and the artifacts it refers to; None: the run ended before that artifact was made."""

    report: RunReport
    decision: ReleaseDecision | None
    contract: TaskContract | None
    change: Change | None
    checks: ChecksReport | None
    page: str


@guarded
def runs(
    target: Annotated[str | None, typer.Argument(help="Only this target's.")] = None,
    limit: Annotated[int, typer.Option("--limit", "--latest", min=1, help="How many to list.")] = 20,
    as_json: AsJson = False,
) -> int:
    """The newest ended runs, newest first; also attempts that were not allowed to start, with the reason."""
    adapters = compose(Settings())
    # One more than is shown tells whether there are older ones.
    newest = adapters.index.latest(limit + 1, target, refused=True)
    found = newest[:limit]
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
        if len(newest) > limit:
            say(f"… and older runs: --limit {limit * 5}")
    else:
        say(
            f"no run{f' of {target}' if target else ''} has ended yet; start one: starter.py run {target or '<target>'}"
        )
    return Exit.OK


@guarded
def report(
    run_id: Annotated[str | None, typer.Argument(help="A run id; default: the newest run.")] = None,
    limit: Annotated[int, typer.Option("--limit", "--latest", min=1, help="How many of the newest runs.")] = 1,
    html: Annotated[bool, typer.Option("--html", help="Print only where the page is.")] = False,
    as_json: AsJson = False,
) -> int:
    """A run's report: task, steps, change, checks, decision tree, writes, review."""
    adapters = compose(Settings())
    wanted = [run_id] if run_id else [run.run_id for run in adapters.index.latest(limit)]
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
            if later := since_then(adapters, one.report.run.run_id):
                show(later.sentence, "bold")
    return Exit.OK


def _kept(adapters: Adapters, run_id: str) -> KeptRun:
    kept = kept_run(adapters, run_id)
    if kept is None:
        message = (
            f"no report of a run {run_id} in {adapters.settings.artifacts}: `starter.py runs` lists the ended runs. "
            "That of a run that was ended by force is made by Control, within control.reap_seconds"
        )
        raise CommandFailed(Exit.USAGE, message)
    return kept


def kept_run(adapters: Adapters, run_id: str) -> KeptRun | None:
    """A run that has ended, or None; what was lost since is None, and the report says so.

    Raises:
        StoreError: the report itself is lost.
    """
    ref = adapters.store.find(run_id, "run_report.json")
    if ref is None:
        return None
    report, lost = RunReport.model_validate_json(adapters.store.get(ref)), {}

    def read(name: str, model: type[Model]) -> Model | None:
        try:
            kept = adapters.store.find(run_id, name)
            return None if kept is None else model.model_validate_json(adapters.store.get(kept))
        except (StoreError, ValidationError) as problem:
            lost[name] = f"{name}: {problem}"
            return None

    decision, contract = read("release_decision.json", ReleaseDecision), read("task_contract.json", TaskContract)
    change, checks = read("change.json", Change), read("checks/checks.json", ChecksReport)
    known = {line.partition(":")[0] for line in report.missing}
    missing = (*report.missing, *(line for name, line in lost.items() if name not in known))
    return KeptRun(
        report=report.model_copy(update={"missing": missing}),
        decision=decision,
        contract=contract,
        change=change,
        checks=checks,
        page=f"{adapters.store.address(run_id)}/run_report.html",
    )


def kept_verdicts(adapters: Adapters, run_id: str) -> dict[str, Verdict]:
    """Each step's verdict by its name (``code, round 2``), Release's with its whole tree; empty before a run's end."""
    kept = kept_run(adapters, run_id)
    if kept is None:
        return {}
    report = kept.report
    names = in_rounds((record.step for record in report.steps), STEPS_OF_A_ROUND)
    verdicts = {name: record.verdict for name, record in zip(names, report.steps, strict=True)}
    if report.status in _NOT_BY_A_VERDICT:
        verdicts = {ENDED: said_so(f"{report.status}: {report.reason}")} | verdicts
    release = verdicts.get(StepName.RELEASE.value)
    if kept.decision and release:
        verdicts[StepName.RELEASE.value] = release.model_copy(update={"children": (kept.decision.verdict,)})
    return verdicts | {f"write {write.planned.action}": write.verdict for write in report.writes}


def sentence_of(adapters: Adapters, run_id: str) -> str:
    """What a person would say of an ended run; empty of one that has left no report."""
    kept = kept_run(adapters, run_id) if run_id else None
    if kept is None:
        return ""
    report, title = kept.report, kept.contract.title if kept.contract else ""
    number = report.pull_request.number if report.pull_request else 0
    became = adapters.index.outcomes([run_id]).get(run_id, "")
    trial = report.run.kind is RunKind.SOURCE
    return in_one_sentence(report.status, title, report.reason, number, became, trial=trial)


def later_reviews(adapters: Adapters) -> "LaterReviews":
    """Looks at what became of changes; measures nothing, and keeps nothing by itself."""
    # Imported here: lists need none of it.
    from activities.after.later_reviews import LaterReviews  # noqa: PLC0415

    settings = adapters.settings
    forges = partial(open_forge, settings)
    return LaterReviews(adapters.store, adapters.policies, partial(open_repository, settings), forges)


def since_then(adapters: Adapters, run_id: str) -> LaterReview | None:
    """What became of a run's change, as it was reviewed, and with what has come since; None: nobody looked yet."""
    # What most runs have not is not worth the modules that read it.
    if not run_id or LATER_REVIEW not in adapters.store.names(run_id):
        return None

    def told() -> None:
        say(f"looking at the base: what became of {run_id}")

    return later_reviews(adapters).again(run_id, datetime.now(UTC), told)


def said_so(reason: str) -> Verdict:
    """A verdict that says how a run ended that did not reach its own end."""
    return Verdict(rule="the run came to its own end", decision=Decision.DENY, reason=reason)


def with_kept(result: RunResult, adapters: Adapters) -> RunResult:
    """The result of a run that had been made before, completed with what it left behind."""
    kept = kept_run(adapters, result.run_id) if result.status is RunStatus.ALREADY_RAN else None
    if kept is None:
        return result
    more = {
        "task_id": kept.report.task_id,
        "pull_request": kept.report.pull_request,
        "artifacts": adapters.store.address(result.run_id),
        "report": kept.page,
        "audit_head": kept.report.audit_head,
    }
    return result.model_copy(update=more)


def show_verdicts(verdicts: dict[str, Verdict], *, full: bool) -> None:
    """Print each verdict under its name, in short or with the whole tree below it."""
    width = max(map(len, verdicts), default=0)
    for name, verdict in verdicts.items():
        if full:
            show(name, "bold")
            out.print(verdict_tree(verdict))
        else:
            out.print(short_verdict(name, verdict, width))
