"""What an agent could be asked for on this base (``asked_tasks.json``): gathered by Sensing, ranked by Triaging."""

from datetime import date

from activities.step_session import StepSession
from contracts.asked import Conversation
from contracts.ci import RedInCi
from contracts.evidence import ChecksReport
from contracts.forge_facts import Issue
from contracts.modes import RunKind
from contracts.task import AskedTask, AskedTasks
from policies.task import asked
from policies.task.questions import conversation
from ports.forge import ForgeError
from ports.store import RunIndex

ASKED, BASE_CI = "asked_tasks.json", "checks/base_ci.json"
_TAIL = 8_000
"""Bytes of the end of a check's output."""
_RECENT = 200
"""Ended runs looked at."""
_MOST_ISSUES = 100
"""Anybody may open one where a form of the forge's gives it the label: those that wait longest are looked at."""


def gather(session: StepSession, index: RunIndex) -> AskedTasks | None:
    """Keep the list with the run; None: nobody codes who could be asked.

    A forge that cannot be asked is named in ``unseen``: no issue is not "no issues". Issues and standing tasks wait for
    the target to be open: what an agent cannot do must not keep it shut (a smoke, P2).
    """
    policy, run = session.policy, session.run
    if not asked.agent_codes(policy, run.asked):
        return None
    tasks: list[AskedTask] = []
    talks: list[Conversation] = []
    unseen: list[str] = []
    if run.asked is not None:
        tasks, talks = _persons(session, unseen)
    else:
        tasks += _red(session)
    if run.asked is None and run.kind is not RunKind.SMOKE:
        for issue in _issues(session, unseen):
            tasks.append(asked.of_issue(issue, policy))
            talks += _said_below(session, issue, unseen)
        ended, today = index.latest(_RECENT, run.target), date.fromisoformat(run.date)
        for standing in policy.standing.of(run.target):
            if not asked.rests(standing, ended, today):
                tasks.append(asked.of_standing(standing, policy))
    found = AskedTasks(
        run_id=run.run_id,
        base_sha=session.input.base_sha,
        tasks=tuple(tasks),
        unseen=tuple(unseen),
        conversations=tuple(talks),
    )
    session.save(ASKED, found)
    waiting = sum(bool(each.waits) for each in talks)
    session.note("asked", tasks=len(tasks), waiting=waiting, unseen="; ".join(unseen))
    return found


def gathered(session: StepSession) -> AskedTasks | None:
    """What Sensing kept; None: it asked for nothing."""
    known = any(ref.name == ASKED for ref in session.input.artifacts)
    return session.load(ASKED, AskedTasks) if known else None


def tail_of(session: StepSession, name: str) -> str:
    """The end of a kept output, as text."""
    return session.load_bytes(name)[-_TAIL:].decode("utf-8", "replace")


def _red(session: StepSession) -> list[AskedTask]:
    red = asked.red_check(session.load("checks/base.json", ChecksReport))
    if red is None:
        in_ci = any(ref.name == BASE_CI for ref in session.input.artifacts)
        return [asked.of_ci(session.load(BASE_CI, RedInCi).checks)] if in_ci else []
    output = red.attempts[-1].output
    return [asked.of_check(red, tail_of(session, output.name) if output else "")]


def _persons(session: StepSession, unseen: list[str]) -> tuple[list[AskedTask], list[Conversation]]:
    wanted = session.run.asked
    assert wanted is not None  # noqa: S101  # the caller's condition
    if not wanted.issue:
        return [asked.of_person(wanted, session.policy)], []
    issue = next((each for each in _issues(session, unseen) if each.number == wanted.issue), None)
    if issue is None and not unseen:
        unseen.append(f"issue {wanted.issue}: no open issue with the target's label has this number")
    if issue is None:
        return [], []
    return [asked.of_person(wanted, session.policy, issue)], _said_below(session, issue, unseen)


def _said_below(session: StepSession, issue: Issue, unseen: list[str]) -> list[Conversation]:
    """What is said of one; where that cannot be read, nobody knows whether it waits, and it does."""
    policy, key = session.policy, asked.of_issue(issue, session.policy).key
    rules = policy.target.issues
    try:
        comments = session.bench.forges(policy.target).issue_comments(issue.number) if issue.comments else ()
    except ForgeError as problem:
        unseen.append(f"issue {issue.number}: {problem}")
        waits = "what is said below it could not be read"
        return [Conversation(key=key, number=issue.number, state="", waits=waits)]
    most = policy.autopilot.caps.attempts_per_task
    return [conversation(key, issue, comments, most, others=bool(rules and rules.others))]


def _issues(session: StepSession, unseen: list[str]) -> tuple[Issue, ...]:
    target = session.policy.target
    if target.issues is None:
        if session.run.asked is not None:
            unseen.append(f"issues: targets/{target.name}.toml has no [issues] with a label")
        return ()
    try:
        found = session.bench.forges(target).issues(target.issues.label)
    except ForgeError as problem:
        unseen.append(f"issues: {problem}")
        return ()
    if found is None:
        unseen.append("issues: a repository without a forge has none")
    found = found or ()
    if session.run.asked is None and (rest := len(found) - _MOST_ISSUES) > 0:
        unseen.append(f"issues: {rest} newer ones with the label; a run looks at the {_MOST_ISSUES} oldest")
        return found[rest:]
    return found
