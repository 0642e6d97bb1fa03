"""What an agent is asked for: a red check, an issue, a standing task, a person's own (``try``); one way to a candidate.

An agent's change is measured like any other, and merges only when a person says so.
"""

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, timedelta

from contracts.asked import PersonsTask
from contracts.evidence import CheckResult, ChecksReport, CheckStatus
from contracts.forge_facts import CheckState, CommitCheck, Issue
from contracts.modes import Role
from contracts.remediation import Remediation
from contracts.report import IndexedRun
from contracts.task import (
    AskedBy,
    AskedTask,
    Candidate,
    CandidateTasks,
    Concern,
    Finding,
    MeasureKind,
    SuppressedCandidate,
    TaskType,
)
from policies.agents.context import cut
from policies.counted import joined, shortened
from policies.digests import sha256_hex
from policies.settings.charter import RolePolicy
from policies.settings.schema import CheckKind, EffectivePolicy
from policies.settings.tasks import StandingTask
from policies.task.acceptance import expected, quiet, turn
from policies.task.candidates import task_id, waits_for_people
from policies.task.idea_memory import ASKED, Memory, Place
from policies.task.measure_words import WORDS, metric

TOOL = ASKED
"""In the place of a tool's name, in ideas, contracts and what is remembered of them."""
NOBODY = "no agent codes: name a backend for it in [roles.coding] or [trials.NAME] of charter.toml"
ANYWHERE = ("**",)
NONE_WAIT: Mapping[str, str] = {}
CI_KEY = "ci"
_TITLE, _TEXT, _NAMED = 200, 12_000, 3
_TOLD, _HEAD = 20, 200
"""Red checks of a CI that are told, and characters of what is said of one before its log."""
_WORTH = {
    AskedBy.PERSON: 10.0,
    AskedBy.CHECK: 8.0,
    AskedBy.ISSUE: 5.0,
    AskedBy.REMEDIATION: 0.8,
    AskedBy.STANDING: 0.6,
}
"""Beside a tool's findings, whose score is at most 1 for a single one: what people wait for goes first."""
_NOBODY_WAITS = frozenset({AskedBy.STANDING, AskedBy.REMEDIATION})
_CONFIDENCE = 0.8
_TYPES = {AskedBy.CHECK: TaskType.RELIABILITY_FIX}


def coder(policy: EffectivePolicy, request: PersonsTask | None = None) -> RolePolicy:
    """Who codes: the charter's role, or the one of ``[trials]`` that a person tries."""
    if request is not None and request.agent:
        return policy.charter.trials[request.agent]
    return policy.charter.roles[Role.CODING]


def agent_codes(policy: EffectivePolicy, request: PersonsTask | None = None) -> bool:
    """Whether somebody codes who can be asked for more than a tool's fix; nobody is by an unknown name."""
    if request is not None and request.agent and request.agent not in policy.charter.trials:
        return False
    return coder(policy, request).backend != "tools"


def as_tried(policy: EffectivePolicy, request: PersonsTask) -> EffectivePolicy:
    """The policy with whom a person tries in the role that codes; its digest stays that of the files."""
    roles = {**policy.charter.roles, Role.CODING: coder(policy, request)}
    return policy.model_copy(update={"charter": policy.charter.model_copy(update={"roles": roles})})


def red_check(report: ChecksReport) -> CheckResult | None:
    """The one required check that is red on the base; None: none, more than one, or one that gives no sound answer."""
    bad = [each for each in report.results if each.required and each.status is not CheckStatus.GREEN]
    return bad[0] if len(bad) == 1 and bad[0].status is CheckStatus.RED else None


def of_check(result: CheckResult, tail: str) -> AskedTask:
    """Turn it green. ``tail``: the end of its output."""
    return AskedTask(
        key=f"check-{result.name}",
        by=AskedBy.CHECK,
        title=f"Make the check `{result.name}` pass again",
        text=tail[-_TEXT:],
        measure=MeasureKind.CHECK,
        check=result.name,
    )


def red_in_ci(checks: Iterable[CommitCheck]) -> tuple[CommitCheck, ...]:
    """The red ones among a base's required checks in the forge's CI; none while another gives no sound answer."""
    found = tuple(checks)
    sound = all(each.state in {CheckState.RED, CheckState.GREEN} for each in found)
    return tuple(each for each in found if each.state is CheckState.RED) if sound else ()


def of_ci(reds: Sequence[CommitCheck]) -> AskedTask:
    """Turn it green there: nothing here shows that it is, so the forge's own word on the pull request does."""
    names = ", ".join(f"`{shortened(' '.join(each.name.split()), 60)}`" for each in reds[:_NAMED])
    more = f" and {len(reds) - _NAMED} more" if len(reds) > _NAMED else ""
    told = reds[:_TOLD]
    room = _TEXT // len(told) - _HEAD - 4
    lines = [f"{shortened(f'{each.name}: {each.detail}', _HEAD)}\n{cut(each.log, room)}" for each in told]
    return AskedTask(
        key=CI_KEY,
        by=AskedBy.CHECK,
        title=f"Make CI pass again: {names}{more}",
        text="\n\n".join(lines),
        measure=MeasureKind.IN_CI,
        url=next((each.link for each in reds), "")[:400],
    )


def of_remediation(one: Remediation, findings: Sequence[Finding], most: int) -> AskedTask:
    """Mend by hand what its tool could not: fewer findings, and the checks that its fix broke stay green.

    ``most``: files of a diff.
    """
    paths = tuple(sorted({each.path for each in findings}))[:most]
    broken = joined(list(dict.fromkeys(note.check for note in one.failed))[:_NAMED]) or "a check"
    lines = (f"{note.check} was {note.status.value} with it in {one.run_id}: {note.detail}" for note in one.failed)
    return AskedTask(
        key=f"remediation-{one.fingerprint[:12]}",
        by=AskedBy.REMEDIATION,
        title=shortened(f"Mend {one.tool} {one.rule} where its own fix breaks {broken}", _TITLE),
        text=shortened("\n".join(lines), _TEXT),
        measure=MeasureKind.FINDINGS,
        paths=paths,
        tool=one.tool,
        rule=one.rule,
        before=sum(each.path in paths for each in findings),
    )


def of_issue(issue: Issue, policy: EffectivePolicy) -> AskedTask:
    """What somebody reported: shown by a test first, then mended."""
    named = policy.target.issues.check if policy.target.issues else ""
    return AskedTask(
        key=f"issue-{issue.number}",
        by=AskedBy.ISSUE,
        title=shortened(" ".join(issue.title.split()) or f"Issue {issue.number}", _TITLE),
        text=shortened(issue.body, _TEXT),
        measure=MeasureKind.NEW_TEST,
        check=named or tests_of(policy),
        number=issue.number,
        url=issue.url[:400],
    )


def of_standing(task: StandingTask, policy: EffectivePolicy) -> AskedTask:
    """What the owner wants looked after."""
    measured = WORDS[task.measure].by_check
    return AskedTask(
        key=task.key,
        by=AskedBy.STANDING,
        title=task.title,
        text=task.prompt,
        measure=task.measure,
        check=(task.check or tests_of(policy)) if measured else "",
        paths=task.paths,
    )


def of_person(request: PersonsTask, policy: EffectivePolicy, issue: Issue | None = None) -> AskedTask:
    """What an operator tries an agent with: their own words, or an issue's."""
    if issue is not None:
        return of_issue(issue, policy).model_copy(update={"by": AskedBy.PERSON})
    first = request.text.strip().partition("\n")[0]
    return AskedTask(
        key=f"person-{sha256_hex(request.text.encode())[:12]}",
        by=AskedBy.PERSON,
        title=shortened(first, _TITLE),
        text=shortened(request.text, _TEXT),
        measure=MeasureKind.NEW_TEST if request.with_test else MeasureKind.ACCEPTANCE,
        check=tests_of(policy) if request.with_test else "",
    )


def tests_of(policy: EffectivePolicy) -> str:
    """The check that runs tests: the first required one of the kind; empty: the target has none."""
    tests = [each for each in policy.target.checks if each.kind is CheckKind.TESTS]
    return next((each.name for each in sorted(tests, key=lambda each: not each.required)), "")


def rests(task: StandingTask, ended: Iterable[IndexedRun], today: date) -> bool:
    """Whether a run took it lately."""
    since = today - timedelta(days=task.every_days)
    return any(run.idea and run.idea.rule == task.key and date.fromisoformat(run.date) > since for run in ended)


def with_asked(
    found: CandidateTasks,
    tasks: Sequence[AskedTask],
    policy: EffectivePolicy,
    memory: Memory,
    waits: Mapping[str, str] = NONE_WAIT,
) -> CandidateTasks:
    """Ranked beside what tools found; alone where a person asked for just this, or a check of the base is red.

    On a red base nothing else can be shown to be right, so no other task is taken. ``waits``: by the key of a task, why
    it is none today; whoever tries it knows better.
    """
    alone = next((each for each in tasks if each.by is AskedBy.PERSON), None)
    alone = alone or next((each for each in tasks if each.by is AskedBy.CHECK), None)
    kept = [] if alone else list(found.candidates)
    suppressed = list(found.suppressed)
    for task in [alone] if alone else tasks:
        idea = expected(candidate_of(task, policy), memory.answers)
        against = waits.get(task.key) or _speaks_against(idea, task, policy, memory)
        if reason := "" if task.by is AskedBy.PERSON else against:
            suppressed.append(SuppressedCandidate(task_id=idea.task_id, title=idea.title, reason=reason))
        else:
            kept.append(idea)
    if alone:
        why = "a person tries an agent on one task" if alone.by is AskedBy.PERSON else f"first {alone.title}"
        others = (each for each in found.candidates if not each.needs_person)
        suppressed += [SuppressedCandidate(task_id=each.task_id, title=each.title, reason=why) for each in others]
    kept.sort(key=turn)
    return found.model_copy(update={"candidates": tuple(kept), "suppressed": tuple(suppressed)})


def candidate_of(task: AskedTask, policy: EffectivePolicy) -> Candidate:
    """One idea: whatever the target, or the task, allows to be touched."""
    paths = task.paths if task.paths and task.paths != ANYWHERE else policy.target.allowed_paths
    budget = policy.autopilot.diff_budget
    return Candidate(
        task_id=task_id(policy.target.name, TOOL, task.key, (task.key,)),
        type=_TYPES.get(task.by, TaskType.CODE_IMPROVEMENT),
        title=task.title,
        tool=TOOL,
        rule=task.key,
        paths=paths,
        metric=metric(task),
        measure=task.measure,
        before=task.before,
        expected_after=0,
        confidence=_CONFIDENCE,
        score=_WORTH[task.by],
        concern=Concern.CODE if task.by in _NOBODY_WAITS else Concern.BROKEN,
        why=rationale(task),
        estimated_files=budget.files,
        estimated_lines=budget.lines,
        evidence=(task.url,) if task.url else (),
        asked=task,
    )


def rationale(task: AskedTask) -> str:
    """Why it is worth a pull request."""
    red = f"The required check {task.check}" if task.check else "The forge's own CI"
    return {
        AskedBy.CHECK: f"{red} is red on the base, so nothing else can be shown to be right.",
        AskedBy.REMEDIATION: "Its tool's own fix broke a check, in however few files it was tried.",
        AskedBy.ISSUE: f"Somebody reported it as issue {task.number}.",
        AskedBy.STANDING: "The owner wants it looked after (tasks.toml).",
        AskedBy.PERSON: "A person asked for it, to try an agent.",
    }[task.by]


def _speaks_against(idea: Candidate, task: AskedTask, policy: EffectivePolicy, memory: Memory) -> str:
    if WORDS[task.measure].by_check and not task.check:
        return "the target has no check of kind tests that could show it; add one to its [[checks]]"
    if waits := waits_for_people(idea.tool, idea.rule, policy.autopilot.caps, memory):
        return waits
    # Where it was refused does not matter: it is one task, whatever files it touched.
    answers = [each.model_copy(update={"areas": frozenset([""])}) for each in memory.answers]
    if reason := quiet(idea.tool, idea.rule, ("",), answers, policy.target.name):
        return reason
    paths = idea.paths
    if task.by is AskedBy.STANDING:
        # Each time it is another change: one that a person refused says nothing of the next, two do.
        paths = tuple(path for path in paths if Place(idea.tool, idea.rule, path) not in memory.by_people)
    return memory.refusal(idea.task_id, idea.tool, idea.rule, ("", *paths))


_OF_TESTS = frozenset({
    "tests", "test", "__tests__", "spec", "specs", "testdata", "test_data", "test-data", "fixtures", "__fixtures__",
    "__snapshots__", "golden", "goldens", "cassettes",
})  # fmt: skip
"""Folders of tests, and of what they compare with."""


def is_test(path: str) -> bool:
    """Whether a path is one that test runners of any language take for a test."""
    name = path.rpartition("/")[2].lower()
    folders = set(path.lower().split("/")[:-1])
    stem = name.rpartition(".")[0]
    return (
        bool(folders & _OF_TESTS)
        or name.endswith(".snap")
        or stem.startswith("test_")
        or stem.endswith(("_test", ".test", ".spec", "_spec", "tests"))
    )


_INTERPRETERS = ("python", "pypy", "sh", "bash", "dash", "node", "deno", "bun", "ruby", "perl", "php")
_MODULES_OF_RUNNERS = frozenset({"pytest", "_pytest", "pluggy", "unittest", "nose2", "tox", "nox"})


def is_started(path: str, argvs: Iterable[Sequence[str]]) -> bool:
    """Whether a path is a program that a check starts: its first word, or the first file for an interpreter."""
    for argv in argvs:
        words = [word for each in argv for word in re.split(r"[\s;&|'\"]+", each) if word]
        for first, second in zip(words, [*words[1:], ""], strict=True):
            of_interpreter = first.rpartition("/")[2].rstrip("0123456789.") in _INTERPRETERS
            if path in {words[0].removeprefix("./"), second.removeprefix("./") if of_interpreter else ""}:
                return True
    return False


def stands_in(path: str, argvs: Iterable[Sequence[str]], there: Callable[[str], bool]) -> str:
    """The module in whose place a new file of Python would be imported where checks run; empty: none.

    Checks find modules at the root, in ``src``, and, by pytest's usual way, beside a test; all that before the library.

    Args:
        path: of the new file.
        argvs: of the checks.
        there: whether the base has a path.
    """
    folder, _, name = path.rpartition("/")
    stem, dot, suffix = name.partition(".")
    if stem in {"__init__", "__main__"}:
        folder, _, stem = folder.rpartition("/")
    beside_tests = is_test(f"{folder}/x") and not there(f"{folder}/__init__.py")
    if not dot or not suffix.endswith(("py", "pyc", "so")) or not (folder in {"", "src"} or beside_tests):
        return ""
    named = {argv[at + 1] for argv in argvs for at, word in enumerate(argv[:-1]) if word == "-m"}
    ours = beside_tests and any(there(f"{at}{stem}{end}") for at in ("", "src/") for end in (".py", "/__init__.py"))
    taken = stem in sys.stdlib_module_names or stem in _MODULES_OF_RUNNERS | named or ours
    return stem if taken else ""
