"""Check runs and commit statuses as one: what GitHub's two kinds of CI results say of a commit, by name."""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from adapters.forges.github.api import CheckRun, RequiredCheck, Status
from contracts.forge_facts import CheckState, CommitCheck

_STOPPED = ("cancelled", "stale", "action_required")
_CONCLUSIONS = {
    "success": CheckState.GREEN,
    # GitHub lets it pass.
    "neutral": CheckState.GREEN,
    # GitHub lets it pass too, but what was skipped did not run.
    "skipped": CheckState.MISSING,
    # Nobody looked at the commit to the end.
    **dict.fromkeys(_STOPPED, CheckState.MISSING),
}
_STATES = {"success": CheckState.GREEN, "pending": CheckState.PENDING}
_WORST_FIRST = (CheckState.RED, CheckState.PENDING, CheckState.MISSING, CheckState.GREEN)
_TAIL = 300


def reported(runs: Iterable[CheckRun], statuses: Iterable[Status]) -> tuple[CommitCheck, ...]:
    """Everything that was reported, one entry per name."""
    found = [*(_of_run(run) for run in runs), *(_of_status(status) for status in statuses)]
    names = dict.fromkeys(check.name for check in found)
    return tuple(_worst([check for check in found if check.name == name]) for name in names)


def required(
    wanted: Iterable[RequiredCheck], named: Iterable[str], runs: tuple[CheckRun, ...], statuses: tuple[Status, ...]
) -> tuple[CommitCheck, ...]:
    """One entry per required name: GitHub's own exactly, from the App it wants; the policy's may be patterns."""
    checks = {check.name: check for each in wanted for check in _exactly(each, runs, statuses)}
    everything = reported(runs, statuses)
    for name in named:
        matching = [check for check in everything if check.name == name or fnmatchcase(check.name, name)]
        for check in matching or [CommitCheck(name=name, state=CheckState.MISSING)]:
            checks.setdefault(check.name, check)
    return tuple(checks.values())


def _exactly(wanted: RequiredCheck, runs: tuple[CheckRun, ...], statuses: tuple[Status, ...]) -> Iterator[CommitCheck]:
    # A status does not name its App, but a person is none: nobody's own token makes a wanted App's check green.
    by_app = wanted.app_id is not None and wanted.app_id > 0
    matching = [
        *(_of_run(run) for run in runs if run.name == wanted.context and (not by_app or _made_by(run, wanted.app_id))),
        *(
            _of_status(status)
            for status in statuses
            if status.context.lower() == wanted.context.lower()
            and (not by_app or (status.creator is not None and status.creator.type == "Bot"))
        ),
    ]
    found = _worst(matching) if matching else CommitCheck(name=wanted.context, state=CheckState.MISSING)
    yield found.model_copy(update={"name": wanted.context})


def _made_by(run: CheckRun, app_id: int | None) -> bool:
    return run.app is not None and run.app.id == app_id


def _worst(checks: list[CommitCheck]) -> CommitCheck:
    """Two suites, or a run and a status, of one name: both must be green, as on GitHub."""
    return min(checks, key=lambda check: _WORST_FIRST.index(check.state))


def _of_run(run: CheckRun) -> CommitCheck:
    state = CheckState.PENDING
    if run.status == "completed":
        state = _CONCLUSIONS.get(run.conclusion or "", CheckState.RED)
    how = run.status if state is CheckState.PENDING else run.conclusion if state is not CheckState.GREEN else ""
    parts = (how, run.output.title, run.output.summary)
    detail = " · ".join(filter(None, parts))
    # What went wrong is said last.
    tail = f"{detail}\n{run.output.text or ''}".strip()[-_TAIL:]
    stopped = state is CheckState.MISSING and run.conclusion in _STOPPED
    return CommitCheck(name=run.name, state=state, link=run.html_url or "", detail=tail, stopped=stopped)


def _of_status(status: Status) -> CommitCheck:
    state = _STATES.get(status.state, CheckState.RED)
    detail = (status.description or "")[-_TAIL:]
    return CommitCheck(name=status.context, state=state, link=status.target_url or "", detail=detail)
