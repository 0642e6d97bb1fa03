"""Which tasks get a command of their own, and what is played of a flood; the SDK's instance is scripted here.

That it holds against the real SDK and server: `tests/workflows/test_grouping.py`, `test_floods.py`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from temporalio.bridge.proto.workflow_activation import DoUpdate as Update
from temporalio.bridge.proto.workflow_activation import (
    FireTimer,
    InitializeWorkflow,
    NotifyHasPatch,
    QueryWorkflow,
    RemoveFromCache,
    SignalWorkflow,
    UpdateRandomSeed,
    WorkflowActivation,
    WorkflowActivationJob,
)
from temporalio.bridge.proto.workflow_commands import StartTimer, UpdateResponse, WorkflowCommand
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import StorageDriverStoreContext, WorkflowSerializationContext
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from adapters.temporal.commanded_tasks import MEMO, PATCH, PLAYED, CommandedTasks
from adapters.temporal.plugin import project_plugins
from workflows import api
from workflows.messages.malformed import AnsweringConverter

BEGIN = WorkflowActivationJob(initialize_workflow=InitializeWorkflow())
KNOWN = WorkflowActivationJob(notify_has_patch=NotifyHasPatch(patch_id=PATCH))
TIMER = WorkflowActivationJob(fire_timer=FireTimer(seq=1))
SEED = WorkflowActivationJob(update_random_seed=UpdateRandomSeed(randomness_seed=7))
SIGNAL = WorkflowActivationJob(signal_workflow=SignalWorkflow(signal_name="pause"))
UPDATE = WorkflowActivationJob(do_update=Update(id="u"))
QUERY = WorkflowActivationJob(query_workflow=QueryWorkflow(query_id="q"))
GONE = WorkflowActivationJob(remove_from_cache=RemoveFromCache())
START_TIMER = WorkflowCommand(start_timer=StartTimer(seq=2))
REJECTED, ACCEPTED = UpdateResponse(protocol_instance_id="u"), UpdateResponse(protocol_instance_id="u")
REJECTED.rejected.SetInParent()
ACCEPTED.accepted.SetInParent()


class Scripted:
    """Answers each activation with what the test says, and keeps what it was given."""

    def __init__(self) -> None:
        self.commands: list[WorkflowCommand] = []
        self.given: list[WorkflowActivation] = []

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        """The next commands."""
        self.given.append(act)
        completion = WorkflowActivationCompletion()
        completion.successful.SetInParent()
        completion.successful.commands.extend(self.commands)
        return completion


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Scripted:
    """The SDK's instance."""
    made = Scripted()
    monkeypatch.setattr(SandboxedWorkflowRunner, "create_instance", lambda _self, _det: made)
    return made


def play(instance: Any, *jobs: WorkflowActivationJob, replaying: bool = False) -> list[WorkflowCommand]:
    """What goes to the server."""
    act = WorkflowActivation(jobs=jobs, is_replaying=replaying)
    return list(instance.activate(act).successful.commands)


def kinds(commands: list[WorkflowCommand]) -> list[str | None]:
    """Their names."""
    return [command.WhichOneof("variant") for command in commands]


NOTE = ["modify_workflow_properties"]


@pytest.mark.parametrize(
    ("jobs", "commands", "sent"),
    [
        ((TIMER,), (), NOTE),
        ((TIMER,), (START_TIMER,), ["start_timer"]),
        ((UPDATE,), (WorkflowCommand(update_response=ACCEPTED),), ["update_response"]),
        ((UPDATE,), (WorkflowCommand(update_response=REJECTED),), ["update_response"]),
        ((TIMER, UPDATE), (WorkflowCommand(update_response=REJECTED),), ["update_response", *NOTE]),
        ((QUERY,), (), []),
        ((GONE,), (), []),
    ],
    ids=["nothing", "a command", "accepted", "rejected alone", "rejected beside a timer", "a query", "evicted"],
)
def test_a_task_that_the_history_keeps_has_a_command(
    scripted: Scripted, jobs: tuple[Any, ...], commands: tuple[Any, ...], sent: list[str]
) -> None:
    """Only what leaves a trace counts; a rejected update leaves none."""
    instance: Any = CommandedTasks().create_instance(None)  # type: ignore[arg-type]
    assert ["set_patch_marker"] == kinds(play(instance, BEGIN))
    scripted.commands = list(commands)
    assert sent == kinds(play(instance, *jobs))


def test_the_notes_are_numbered(scripted: Scripted) -> None:
    """So that each differs from the one before, and a person sees how many there were."""
    instance: Any = CommandedTasks().create_instance(None)  # type: ignore[arg-type]
    play(instance, BEGIN)
    play(instance, TIMER)
    [note] = play(instance, TIMER)
    assert 2 == json.loads(note.modify_workflow_properties.upserted_memo.fields[MEMO].data)


def test_an_execution_from_before_goes_on_as_its_history_says(scripted: Scripted) -> None:
    """It began without the marker: nothing may be added, also after the replay has caught up."""
    instance: Any = CommandedTasks().create_instance(None)  # type: ignore[arg-type]
    assert [] == play(instance, BEGIN, replaying=True)
    assert [] == play(instance, TIMER)


def test_an_execution_with_the_marker_says_it_again(scripted: Scripted) -> None:
    """A replay must command what the first time did."""
    instance: Any = CommandedTasks().create_instance(None)  # type: ignore[arg-type]
    assert ["set_patch_marker"] == kinds(play(instance, KNOWN, BEGIN, replaying=True))
    assert NOTE == kinds(play(instance, TIMER, replaying=True))


@pytest.mark.parametrize("began", [(BEGIN,), (KNOWN, BEGIN)], ids=["from before", "of today"])
@pytest.mark.parametrize("given", [(SEED, UPDATE, SIGNAL, TIMER), (SEED, SIGNAL, UPDATE, TIMER)])
def test_what_a_reset_gives_again_has_one_order(scripted: Scripted, began: tuple[Any, ...], given: Any) -> None:
    """The SDK's first time and its replay differ; what is played does not."""
    instance: Any = CommandedTasks().create_instance(None)  # type: ignore[arg-type]
    play(instance, *began, replaying=True)
    play(instance, *given, replaying=True)
    assert [SEED, UPDATE, TIMER, SIGNAL] == list(scripted.given[-1].jobs)


def test_messages_that_come_by_themselves_keep_their_order(scripted: Scripted) -> None:
    """Without a reset nothing is moved."""
    instance: Any = CommandedTasks().create_instance(None)  # type: ignore[arg-type]
    play(instance, BEGIN)
    play(instance, SIGNAL, UPDATE)
    assert [SIGNAL, UPDATE] == list(scripted.given[-1].jobs)


def test_of_a_flood_the_latest_are_played_and_the_rest_is_counted(scripted: Scripted) -> None:
    """However a person spells it; other messages keep their places."""
    instance: Any = CommandedTasks().create_instance(None)  # type: ignore[arg-type]
    play(instance, BEGIN)
    names = [*(f"{'pause' if n % 2 else 'Pause '}" for n in range(500)), "other", *("PAUSE" for _ in range(PLAYED))]
    play(instance, *(WorkflowActivationJob(signal_workflow=SignalWorkflow(signal_name=name)) for name in names))
    played = scripted.given[-1].jobs
    assert [api.MORE_PAUSES, "other", *["PAUSE"] * PLAYED] == [job.signal_workflow.signal_name for job in played]
    assert 500 == json.loads(played[0].signal_workflow.input[0].data)


ALONE = WorkflowActivationJob(query_workflow=QueryWorkflow(query_id="legacy_query"))


@pytest.mark.parametrize(
    ("then", "again"),
    [
        (((TIMER, 9), (ALONE, 9), (UPDATE, 11)), True),
        (((TIMER, 9), (SIGNAL, 9), (ALONE, 9), (UPDATE, 11)), True),
        (((TIMER, 9), (ALONE, 9), (ALONE, 9), (GONE, 9), (UPDATE, 11)), True),
        (((ALONE, 9), (UPDATE, 11)), False),
        (((TIMER, 9), (QUERY, 9), (UPDATE, 11)), False),
        (((TIMER, 9), (UPDATE, 13), (ALONE, 13), (TIMER, 17)), False),
    ],
    ids=["ahead", "ahead, in two steps", "asked twice", "nothing was ahead", "a query of a task", "a task in between"],
)
def test_what_was_played_ahead_to_answer_a_query_is_played_again(scripted: Scripted, then: Any, again: bool) -> None:
    """After a replay: the task behind such a query fails, which makes the SDK begin anew; the server gives it again."""
    instance: Any = CommandedTasks().create_instance(None)  # type: ignore[arg-type]
    play(instance, KNOWN, BEGIN, replaying=True)
    for job, events in then:
        completion = instance.activate(activation(job, events, began=events))
    assert again == completion.HasField("failed")
    assert again == (scripted.given[-1].jobs[0] != then[-1][0])


def activation(job: WorkflowActivationJob, events: int, began: int) -> WorkflowActivation:
    """Of a task that began at that second."""
    act = WorkflowActivation(jobs=[job], history_length=events)
    act.timestamp.seconds = began
    return act


@pytest.mark.parametrize(
    ("then", "again"),
    [
        (((TIMER, 12, 9), (ALONE, 12, 9), (UPDATE, 15, 13)), True),
        (((TIMER, 11, 9), (SIGNAL, 13, 9), (UPDATE, 13, 9), (ALONE, 13, 9), (UPDATE, 17, 14)), True),
        (((TIMER, 12, 10), (ALONE, 12, 10), (UPDATE, 15, 13)), False),
        (((UPDATE, 9, 9), (ALONE, 9, 9), (UPDATE, 15, 13)), False),
    ],
    ids=["ahead", "ahead, in three steps", "each has its task", "two steps of one task"],
)
def test_what_a_query_brings_to_a_kept_workflow_is_played_again(scripted: Scripted, then: Any, again: bool) -> None:
    """No task began with these events. The query is answered from them; the next task, which has a time, fails."""
    instance: Any = CommandedTasks().create_instance(None)  # type: ignore[arg-type]
    instance.activate(activation(BEGIN, 3, began=3))
    instance.activate(activation(TIMER, 9, began=9))
    *before, last = then
    assert not any(instance.activate(activation(*each)).HasField("failed") for each in before)
    assert again == instance.activate(activation(*last)).HasField("failed")


@pytest.mark.usefixtures("scripted")
def test_no_payload_enters_the_sandbox_for_a_context_that_nobody_reads() -> None:
    """A seventh of what a replay costs; a converter that reads its context must be given the SDK's again."""
    converter = project_plugins()[0].data_converter
    assert converter is converter.with_context(WorkflowSerializationContext(namespace="any", workflow_id="any"))
    # The SDK makes one for each activation: what they know of types is shared.
    one, other = (converter.payload_converter_class() for _ in range(2))
    assert isinstance(one, AnsweringConverter)
    assert isinstance(other, AnsweringConverter)
    assert one.converters[b"json/plain"] is other.converters[b"json/plain"]
    # The instance behind it cannot even be asked.
    instance: Any = CommandedTasks().create_instance(None)  # type: ignore[arg-type]
    assert instance.get_serialization_context(None) is None
    assert instance.get_external_store_context(None) == StorageDriverStoreContext()
    assert converter.external_storage is None
