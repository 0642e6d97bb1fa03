"""Questions on issues: planned by whichever step finds one unclear, written like everything else that a run writes."""

from activities.run.asking import gathered
from activities.step_session import StepSession
from contracts.asked import Conversation
from contracts.handover import PlannedWrite, StepResult
from contracts.modes import WriteAction
from contracts.task import AskedTask, AskedTasks
from policies.counted import shortened
from policies.texts.question import LONGEST, question_text
from policies.verdicts import allow

RULE = "what is asked can be done, or asked about"
_MOST = 3
"""Questions by rule that one run asks; the next run goes on."""


def question_file(number: int) -> str:
    """Name of the artifact with what is asked on an issue."""
    return f"question-{number}.md"


def by_rule(session: StepSession, wanted: AskedTasks | None) -> tuple[PlannedWrite, ...]:
    """Of issues with nothing to work on; a person's trial asks nobody but the agent. A smoke has gathered none."""
    if wanted is None or session.run.asked is not None:
        return ()
    unclear = [each for each in wanted.conversations if each.question and not each.waits]
    return tuple(_planned(session, each, each.question) for each in unclear[:_MOST])


def asking_back(session: StepSession, task: AskedTask, task_id: str, question: str) -> StepResult | None:
    """The end of a step whose agent cannot tell what an issue wants; None: the task is from no issue.

    No attempt is used up, and the candidate is quiet until somebody answers.
    """
    wanted = gathered(session)
    talk = wanted.below(task) if wanted else None
    if talk is None or not talk.state:
        return None
    text = f"issue {talk.number} is unclear: {shortened(' '.join(question.split()), 300)}"
    if talk.waits:
        # Tried by a person meanwhile: it is asked there already.
        return session.done(allow(RULE, f"{text}; {talk.waits}"), task_id=task_id, nothing_to_do=True)
    writes = (_planned(session, talk, question),)
    return session.done(allow(RULE, text), task_id=task_id, nothing_to_do=True, writes=writes)


def _planned(session: StepSession, talk: Conversation, question: str) -> PlannedWrite:
    kept = session.save(question_file(talk.number), question_text(question).encode(), "text/markdown")
    session.note("question", issue=talk.number, state=talk.state, question=shortened(question, LONGEST))
    return PlannedWrite(
        action=WriteAction.COMMENT,
        task_id="",
        branch="",
        base_branch=session.policy.target.base_branch,
        base_sha=session.input.base_sha,
        head_sha="",
        body_sha256=kept.sha256,
        number=talk.number,
        asks=talk.state,
    )
