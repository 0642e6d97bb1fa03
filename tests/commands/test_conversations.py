"""A command that came with a workflow task that failed is given again: nothing of it was done (P14, P16)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.api.failure.v1 import Failure
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.service import RPCError, RPCStatusCode

from commands import conversations
from contracts.control import PauseRequest

ABORTED = RPCError("Unable to perform workflow execution update", RPCStatusCode.FAILED_PRECONDITION, b"")
GONE = RPCError("workflow not found", RPCStatusCode.NOT_FOUND, b"")


class Control:
    """Answers in turn; is its own client and handle."""

    def __init__(self, *answers: Any) -> None:
        self._answers = list(answers)

    def get_workflow_handle(self, _workflow_id: str) -> Control:
        """Itself."""
        return self

    async def execute_update(self, *_: Any, **__: Any) -> Any:
        """The next answer."""
        answer = self._answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.mark.parametrize(
    ("answers", "ended"),
    [
        (("yes",), "yes"),
        ((ABORTED, ABORTED, "yes"), "yes"),
        ((ABORTED, ABORTED, ABORTED, "too late"), ABORTED),
        ((GONE, "never asked"), GONE),
    ],
)
async def test_a_command_is_given_again(monkeypatch: pytest.MonkeyPatch, answers: Any, ended: Any) -> None:
    """A few times, and for that reason alone."""
    monkeypatch.setattr(conversations, "_MOMENT", 0)
    try:
        found: Any = await conversations.command(Control(*answers), "control/x", "resume", PauseRequest())  # type: ignore[arg-type]
    except RPCError as problem:
        found = problem
    assert ended is found


@pytest.mark.parametrize(
    ("attempt", "said", "shown"),
    [
        (4, "the disk is full", "preflight failed 3 times, and is tried again: the disk is full"),
        (2, "the worker went away", ""),
        (4, "", ""),
    ],
    ids=["again and again", "once", "nothing is known"],
)
async def test_a_step_that_keeps_failing_is_told_with_its_reason(attempt: int, said: str, shown: str) -> None:
    """`status` and `why` of the target say it: on a full disk the run itself cannot."""
    step = PendingActivityInfo(attempt=attempt, last_failure=Failure(message=said) if said else None)
    step.activity_type.name = "preflight"

    async def describe(**_: Any) -> Any:
        return SimpleNamespace(raw_description=SimpleNamespace(pending_activities=[step]))

    assert shown == await conversations.failing_step(SimpleNamespace(describe=describe))  # type: ignore[arg-type]  # so much of it is used
