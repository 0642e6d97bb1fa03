"""Who is asked under an id, and what a closed one is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.client import WorkflowExecutionStatus, WorkflowQueryRejectedError

from adapters.temporal.open_workflow import ask_open


def answering(*answers: Any) -> Any:
    """A client whose one workflow answers so, in this order."""
    left = list(answers)

    async def query(*_asked: Any, **_how: Any) -> Any:
        if isinstance(answer := left.pop(0), Exception):
            raise answer
        return answer

    return SimpleNamespace(get_workflow_handle=lambda _id: SimpleNamespace(query=query))


async def test_one_that_goes_on_under_its_id_meanwhile_is_no_closed_one() -> None:
    """`status` would say that its Control is gone, which works on in a new execution."""
    went_on = WorkflowQueryRejectedError(WorkflowExecutionStatus.CONTINUED_AS_NEW)
    assert "open" == await ask_open(answering(went_on, "open"), "control/demo", "status", str)


@pytest.mark.parametrize("status", [WorkflowExecutionStatus.COMPLETED, WorkflowExecutionStatus.TERMINATED])
async def test_a_closed_one_is_not_asked(status: WorkflowExecutionStatus) -> None:
    """It tells what was true once."""
    assert await ask_open(answering(WorkflowQueryRejectedError(status)), "control/demo", "status", str) is None
