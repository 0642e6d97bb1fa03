"""Every recorded history of every flow replays with today's workflows: no deploy wedges a run (P15)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

import composition
from adapters.temporal.plugin import project_plugins
from workflows.run import daily_run

HISTORIES = sorted(Path(__file__).with_name("histories").glob("*.json"))
# Recorded by the code before a guarded change, and never anew: open conversations look like these.
OLDER = sorted(Path(__file__).with_name("older").glob("*.json"))
ENDS = {"run-pr", "run-dry", "run-nothing-to-do", "run-already-ran", "run-rejected", "run-refused", "run-escalated"} | {
    *("run-aborted", "run-drained", "run-held-and-resumed", "run-cancelled", "run-failed"),
    *("control-paused-and-resumed", "control-incident", "control-continued-as-new", "control-with-handed-on-books"),
    *("installation-paused-and-resumed", "incident-done", "alerts", "run-held-by-its-budget", "control-budget"),
    *("run-merged", "follow-up-healthy", "follow-up-regression", "follow-up-of-a-persons-merge", "rollback-restored"),
    *("control-rolled-back-and-resumed", "dashboards-continued-as-new", "run-green-in-ci", "run-rejected-by-ci"),
    *("run-in-rounds", "control-of-exchanges"),
}


def history_in(place: Path) -> WorkflowHistory:
    recorded = json.loads(place.read_text())
    return WorkflowHistory.from_json(recorded.pop("workflowId"), recorded)


async def replay(history: WorkflowHistory) -> None:
    await Replayer(workflows=composition.WORKFLOWS, plugins=project_plugins()).replay_workflow(history)


def test_each_end_of_each_conversation_is_recorded() -> None:
    """``python tests/replay/record.py`` records them all."""
    assert {place.stem for place in HISTORIES} >= ENDS


@pytest.mark.parametrize("place", [*HISTORIES, *OLDER], ids=lambda place: place.stem)
async def test_a_recorded_history_replays(place: Path) -> None:
    """The same commands in the same order."""
    await replay(history_in(place))


async def test_two_steps_in_another_order_do_not_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    """This test can fail: a reordered flow is found."""
    first, second, *rest = daily_run.FLOW
    monkeypatch.setattr(daily_run, "FLOW", (second, first, *rest))
    (place,) = [place for place in HISTORIES if place.stem == "run-pr"]
    with pytest.raises(NondeterminismError):
        await replay(history_in(place))
