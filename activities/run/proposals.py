"""Asking an agent: its answer must fit our contract, or it is asked again, at most N times (P6)."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import TypeAdapter
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.step_session import StepSession
from policies.counted import shortened
from ports.agents import Agent, Brief, InvalidAnswer

Answer = TypeVar("Answer")

_LARGEST = 4 * 1024 * 1024
"""Characters; a longer answer is not read."""
_LONGEST_TEXT = 4000
"""Characters; what agents say travels in reasons and reports, which must stay readable and small."""


def propose(session: StepSession, agent: Agent, brief: Brief, wanted: TypeAdapter[Answer]) -> Answer:
    """Ask until the answer is valid.

    Raises:
        ApplicationError: ``AgentOutputInvalid``, not retryable; every answer is kept as an artifact.
    """
    repairs = session.policy.autopilot.agents.repair_attempts
    problem = ""
    for attempt in range(1 + repairs):
        try:
            text = agent.answer(replace(brief, feedback=problem))
        except InvalidAnswer as refused:
            text, problem = refused.text, refused.reason
        else:
            try:
                return _valid(text, wanted)
            except (ValueError, RecursionError) as invalid:
                problem = str(invalid)
        # The problem may quote the answer, which may hold what UTF-8 cannot.
        problem = shortened(problem.encode("utf-8", "replace").decode(), 2000)
        body = text[:_LARGEST].encode("utf-8", "replace")
        session.save(f"rejected_answers/{brief.role}-{attempt + 1}.txt", body, "text/plain")
        session.note("answer rejected", agent=agent.name, attempt=attempt + 1, problem=shortened(problem, 300))
    # No result will carry these events: the step ends here.
    session.bench.record(session.run.run_id, tuple(session.events), activity.info().started_time)
    raise ApplicationError(
        f"{agent.name} as {brief.role} gave {1 + repairs} answers that break the contract"
        f" (kept under rejected_answers/): {problem}",
        type="AgentOutputInvalid",
        non_retryable=True,
    )


def _valid(text: str, wanted: TypeAdapter[Answer]) -> Answer:
    if len(text) > _LARGEST:
        raise ValueError(f"the answer is longer than {_LARGEST} characters")
    answer = wanted.validate_json(text)
    if any(len(each) > _LONGEST_TEXT for each in _texts(wanted.dump_python(answer))):
        raise ValueError(f"a text in the answer is longer than {_LONGEST_TEXT} characters")
    return answer


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
