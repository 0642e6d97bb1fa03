"""Asking an agent: its answer must fit our contract, or it is asked again, at most N times (P6)."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from pydantic import TypeAdapter, ValidationError
from temporalio.exceptions import ApplicationError

from activities.workbench import Sitting
from ports.agents import Agent, Brief

Answer = TypeVar("Answer")

_LARGEST = 4 * 1024 * 1024
"""Bytes; a longer answer is not read."""


def propose(sitting: Sitting, agent: Agent, brief: Brief, wanted: TypeAdapter[Answer]) -> Answer:
    """Ask until the answer is valid.

    Raises:
        ApplicationError: ``AgentOutputInvalid``, not retryable; every answer is kept as an artifact.
    """
    repairs = sitting.policy.autopilot.agents.repair_attempts
    problem = ""
    for attempt in range(1 + repairs):
        text = agent.answer(replace(brief, feedback=problem))
        try:
            if len(text) > _LARGEST:
                problem = f"the answer is longer than {_LARGEST} characters"
                continue
            return wanted.validate_json(text)
        except (ValidationError, ValueError, RecursionError) as invalid:
            problem = str(invalid)[:2000]
            body = text[:_LARGEST].encode("utf-8", "replace")
            sitting.save(f"rejected_answers/{brief.role}-{attempt + 1}.txt", body, "text/plain")
            sitting.note("answer rejected", agent=agent.name, attempt=attempt + 1, problem=problem[:300])
    raise ApplicationError(
        f"{agent.name} as {brief.role} gave {1 + repairs} answers that break the contract: {problem}",
        type="AgentOutputInvalid",
        non_retryable=True,
    )
