"""What earlier runs and people said about an idea, per tool, rule and path: no other set of files is another idea.

Only a judgement of the change suppresses. A day on which it could not be judged (a moved base, machinery, nobody's
answer, unfinished CI) lets other ideas go first, and that is all.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta
from typing import NamedTuple, TypeVar

from contracts.artifact import Contract
from contracts.modes import RunStatus
from contracts.report import IndexedRun
from contracts.task import Finding
from policies.counted import counted
from policies.settings.schema import EffectivePolicy
from policies.task.acceptance import Answer

_JUDGING = frozenset({RunStatus.REJECTED, RunStatus.ESCALATED})
_WELL = frozenset({RunStatus.PR_OPENED, RunStatus.MERGED})
_IN_VAIN = frozenset({RunStatus.REJECTED, RunStatus.FAILED, RunStatus.LOST})

ASKED = "asked"
"""In the place of a tool's name: what an agent was asked for, which is one task whatever files it touched."""
Key = TypeVar("Key")


class Place(NamedTuple):
    """One idea in one file."""

    tool: str
    rule: str
    path: str


class PersonsNo(NamedTuple):
    """A person closed a pull request of ours, or took a merge of ours out of the base again."""

    task_id: str
    places: frozenset[Place]
    """Empty: it is not known any more what it was about."""
    what: str


class Memory(Contract):
    """What earlier runs left behind, read from ledger, forge and base."""

    today: date
    open_task_ids: frozenset[str] = frozenset()
    """Tasks whose pull request waits for a person."""
    refused: Mapping[Place, str] = {}
    """Why an idea is not proposed in a file for now."""
    by_people: frozenset[Place] = frozenset()
    """Those of ``refused`` that a person said: they hold for remediations, too."""
    refused_tasks: Mapping[str, str] = {}
    """The same by task id, where nothing tells any more which files it was about."""
    tried: Mapping[Place, int] = {}
    """Runs that came to nothing without a judgement of the change."""
    ideas: Mapping[str, tuple[str, str]] = {}
    """Task id of a remediation to its tool and rule, which its id does not name."""
    answers: tuple[Answer, ...] = ()
    """What people made of pull requests of ours, of those that are known."""
    suspects: frozenset[tuple[str, str, str]] = frozenset()
    """Tool, rule and path of what a listed remediation is about: no other idea takes it before."""

    def refusal(self, task_id: str, tool: str, rule: str, paths: Iterable[str]) -> str:
        """Why an idea is not proposed now in these files; empty when nothing speaks against it."""
        refusals = (self.refused.get(Place(tool, rule, path)) for path in paths)
        return next(filter(None, refusals), "") or self.refused_tasks.get(task_id, "")

    def attempts(self, tool: str, rule: str, paths: Iterable[str]) -> int:
        """Runs in vain, of the file with most of them."""
        return max((self.tried.get(Place(tool, rule, path), 0) for path in paths), default=0)


def remember(
    today: date,
    open_task_ids: frozenset[str],
    ended: Iterable[IndexedRun],
    noes: Iterable[PersonsNo],
    policy: EffectivePolicy,
    answers: Iterable[Answer] = (),
) -> Memory:
    """Put together what is known.

    Rules, the first that holds for a file gives the reason: a person said no and still does · judged by our gates
    within ``candidates.suppress_days`` · judged ``caps.attempts_per_task`` times; of what an agent was asked for,
    rejected so often for whatever reason.

    Args:
        today: in the target's time zone.
        open_task_ids: of pull requests that wait for a person.
        ended: this target's runs that might have written, newest first. A DRY_RUN proves nothing about an idea.
        noes: what people said, as forge and base show it now.
        policy: how long, how often.
        answers: to pull requests of ours, by people.
    """
    runs, refusals = [run for run in ended if run.task_id], list(noes)
    people = {place: no.what for no in refusals for place in no.places}
    runs = list(_counted(runs))
    judged = [run for run in runs if run.judged]
    latest: dict[Place, date] = {}
    for run in judged:
        day = date.fromisoformat(run.date)
        latest |= {place: max(day, latest.get(place, day)) for place in _judged(run)}
    gates = {place: reason for place, day in latest.items() if (reason := _lately(day, today, policy))}
    # An agent is paid for each try, whatever came of it.
    paid = [run for run in runs if _is_asked(run) and run.status is RunStatus.REJECTED and not run.judged]
    capped = _capped(Counter(place for run in (*judged, *paid) for place in _judged(run)), policy)
    in_vain = (run for run in runs if run.status in _IN_VAIN and not run.judged)
    return Memory(
        today=today,
        open_task_ids=open_task_ids,
        refused=capped | gates | people,
        by_people=frozenset(people),
        refused_tasks=_by_task(runs, today, policy) | {no.task_id: no.what for no in refusals if not no.places},
        tried=Counter(place for run in in_vain for place in places(run)),
        answers=tuple(answers),
    )


def places(run: IndexedRun) -> frozenset[Place]:
    """What a run was about; nothing for one that was listed before ideas were."""
    idea = run.idea
    return frozenset(Place(idea.tool, idea.rule, path) for path in idea.paths) if idea else frozenset()


def same_file(before: bytes, now: bytes) -> bool:
    """Whether a file that is new is, by its lines, one that is gone: renamed, as git has it (half of the lines)."""
    old, new = Counter(before.splitlines()), Counter(now.splitlines())
    return 2 * (old & new).total() > max(old.total(), new.total())


def _judged(run: IndexedRun) -> frozenset[Place]:
    """What a judgement of a run holds for: of what an agent was asked for, wherever it was tried."""
    return frozenset([Place(ASKED, run.idea.rule, "")]) if run.idea and _is_asked(run) else places(run)


def _counted(newest_first: Iterable[IndexedRun]) -> Iterator[IndexedRun]:
    """Without the tries at an agent's task before one that led to a pull request: what comes again is counted anew."""
    well: set[str] = set()
    for run in newest_first:
        if run.idea and _is_asked(run) and run.status in _WELL:
            well.add(run.idea.rule)
        if not (run.idea and _is_asked(run) and run.idea.rule in well):
            yield run


def _is_asked(run: IndexedRun) -> bool:
    return run.idea is not None and run.idea.tool == ASKED


def withheld(findings: Iterable[Finding], memory: Memory) -> Mapping[tuple[str, str, str], tuple[Finding, ...]]:
    """Findings that are not proposed now, by tool, rule and reason."""
    found: dict[tuple[str, str, str], tuple[Finding, ...]] = {}
    for one in findings:
        if reason := memory.refused.get(Place(one.tool, one.rule, one.path)):
            key = (one.tool, one.rule, reason)
            found[key] = (*found.get(key, ()), one)
    return found


def _by_task(runs: Iterable[IndexedRun], today: date, policy: EffectivePolicy) -> dict[str, str]:
    """Of runs that were listed before ideas were: by task id, as they counted then."""
    old = [run for run in runs if run.judged is None]
    ends = [(run.task_id or "", date.fromisoformat(run.date)) for run in reversed(old) if run.status in _JUDGING]
    failed = Counter(run.task_id or "" for run in old if run.status not in _WELL)
    return _capped(failed, policy) | {task: lately for task, day in ends if (lately := _lately(day, today, policy))}


def _capped(tried: Mapping[Key, int], policy: EffectivePolicy) -> dict[Key, str]:
    most = policy.autopilot.caps.attempts_per_task
    return {key: used_up(count, most) for key, count in tried.items() if count >= most}


def used_up(count: int, most: int) -> str:
    """Why an idea is not tried any more, and until when."""
    return f"tried {counted(count, 'time')} without success, at most {most}; until caps.attempts_per_task is raised"


def _lately(day: date, today: date, policy: EffectivePolicy) -> str:
    until = day + timedelta(days=policy.autopilot.candidates.suppress_days)
    return f"rejected on {day}, suppressed until {until}" if today < until else ""
