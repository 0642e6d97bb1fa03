"""What a workflow commands must not depend on how messages are grouped into workflow tasks (P16).

On a fresh replay the SDK plays a task that produced no command together with the next one, where only an update started
that one (temporalio 1.35; sdk-rust 1146 and 1606, sdk-python 673), and it plays messages before timers and results. The
order of the first time is lost, and code that decided by it wedges for good. So no task that the history keeps is left
without a command: one that has none notes its number in the memo, and a replay plays the very tasks that were.

A reset in the Temporal UI gives messages again (its default). The SDK plays those the first time updates first, on a
replay signals first: they are brought into the order of the first time, whenever they are played.

A flood is bounded here, too: of many pauses in one task the latest are played, and the rest is told as a number.

And nothing stays of what was played ahead: a query that waited for a worker brings it a history whose last events no
task has taken yet. The SDK plays them to answer, keeps the workflow so, and sends what it then commanded with the next
task, after which a replay finds another order. So that next task fails once, and is played again from the beginning.
"""

import json
from dataclasses import dataclass
from typing import Any

from temporalio.api.common.v1 import Payload
from temporalio.bridge.proto.workflow_activation import SignalWorkflow, WorkflowActivation, WorkflowActivationJob
from temporalio.bridge.proto.workflow_commands import ModifyWorkflowProperties, SetPatchMarker, WorkflowCommand
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.converter import StorageDriverStoreContext
from temporalio.worker import WorkflowInstance, WorkflowInstanceDetails
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner
from temporalio.workflow import Info

from workflows import api
from workflows.messages import signals

PATCH = "commanded-tasks"
"""Executions that began before this was here go on without it, as their histories say."""
MEMO = "tasksWithoutCommand"
PLAYED = 20
"""Pauses of one task that are played one by one."""
_ALONE = "legacy_query"
"""The SDK's id of a query that came without a workflow task."""
AHEAD = "A query was answered from ahead of the history; this task is played again from its beginning."


@dataclass(frozen=True)
class CommandedTasks(SandboxedWorkflowRunner):
    """The SDK's sandbox; every task of the workflows in it has a command."""

    def create_instance(self, det: WorkflowInstanceDetails) -> WorkflowInstance:
        """As the SDK's, with a look at every activation."""
        return _Commanded(super().create_instance(det))


class _Commanded(WorkflowInstance):
    def __init__(self, inner: WorkflowInstance) -> None:
        self._inner = inner
        self._on = False
        self._without = 0
        self._ahead = _Ahead()

    def activate(self, act: WorkflowActivation) -> WorkflowActivationCompletion:
        """Play an activation; a task without a command gets one."""
        if self._ahead.of(act):
            return _failed(AHEAD)
        act = _as_the_first_time(act)
        begins = any(job.HasField("initialize_workflow") for job in act.jobs)
        if begins:
            self._on = not act.is_replaying or any(job.notify_has_patch.patch_id == PATCH for job in act.jobs)
        if not self._on:
            return self._inner.activate(act)
        completion = self._inner.activate(_bounded(act))
        if not completion.HasField("successful"):
            return completion
        commands = completion.successful.commands
        if begins:
            commands.insert(0, WorkflowCommand(set_patch_marker=SetPatchMarker(patch_id=PATCH)))
        elif any(map(_is_kept, act.jobs)) and all(map(_leaves_no_trace, commands)):
            self._without += 1
            commands.append(_note(self._without))
        return completion

    def get_serialization_context(self, command_info: Any) -> Any:
        """None: no part of our converter asks for one, and the SDK would enter the sandbox for it at every payload."""
        del command_info

    def get_external_store_context(self, command_info: Any) -> Any:
        """Of nobody, likewise: no payload of ours is stored elsewhere."""
        del command_info
        return StorageDriverStoreContext()

    def get_info(self) -> Info:
        """The SDK's own."""
        return self._inner.get_info()

    def get_thread_id(self) -> int | None:
        """The SDK's own."""
        return self._inner.get_thread_id()


class _Ahead:
    """Whether what was played last may never have been told to the server.

    So it may be when a query came alone, and before it what followed a replay: that was a task, or the history's end.
    And so it is of a workflow that was kept, when there is more history and no task that began with it: every task has
    a time of its own, which its activations show.
    """

    def __init__(self) -> None:
        self._replayed = self._followed = self._suspected = False
        self._events = self._began = 0

    def of(self, act: WorkflowActivation) -> bool:
        """Look at the next activation; whether it must not be played on top."""
        if any(job.HasField("query_workflow") for job in act.jobs):
            alone = any(job.query_workflow.query_id == _ALONE for job in act.jobs)
            self._suspected |= alone and self._followed
            return False
        if all(job.HasField("remove_from_cache") for job in act.jobs):
            return False
        same_task, began = act.history_length == self._events, act.timestamp.ToNanoseconds()
        no_task_began = not act.is_replaying and self._events > 0 and began == self._began
        self._suspected |= no_task_began and not same_task
        self._followed = not act.is_replaying and (self._replayed or (self._followed and same_task))
        self._replayed, self._events, self._began = act.is_replaying, act.history_length, began
        # What the query itself brought is played to the end: it is answered, and the next task fails.
        return self._suspected and not no_task_began


def _failed(reason: str) -> WorkflowActivationCompletion:
    failed = WorkflowActivationCompletion()
    failed.failed.failure.message = reason
    failed.failed.failure.application_failure_info.SetInParent()
    return failed


def _is_kept(job: WorkflowActivationJob) -> bool:
    """Whether the history has an event of it. An update has one once it is accepted, and that is a command."""
    return job.WhichOneof("variant") not in {"query_workflow", "remove_from_cache", "do_update", "notify_has_patch"}


def _leaves_no_trace(command: WorkflowCommand) -> bool:
    return command.HasField("respond_to_query") or command.update_response.HasField("rejected")


def _note(number: int) -> WorkflowCommand:
    payload = Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(number).encode())
    properties = ModifyWorkflowProperties()
    properties.upserted_memo.fields[MEMO].CopyFrom(payload)
    return WorkflowCommand(modify_workflow_properties=properties)


def _as_the_first_time(act: WorkflowActivation) -> WorkflowActivation:
    """Where a reset gives messages again (it changes the seed), updates stand before signals; all else as it is.

    So what runs said of themselves is in the books before a pause closes them for having said nothing.
    """
    if not any(job.HasField("update_random_seed") for job in act.jobs):
        return act
    return _with(act, sorted(act.jobs, key=lambda job: job.HasField("signal_workflow")))


def _bounded(act: WorkflowActivation) -> WorkflowActivation:
    """Leave out all but the latest ``PLAYED`` pauses, and tell how many were left out where the last of them stood."""
    pauses = [n for n, job in enumerate(act.jobs) if signals.is_pause(job.signal_workflow.signal_name)]
    if len(pauses) <= PLAYED:
        return act
    left_out = set(pauses[:-PLAYED])
    told = Payload(metadata={"encoding": b"json/plain"}, data=json.dumps(len(left_out)).encode())
    more = WorkflowActivationJob(signal_workflow=SignalWorkflow(signal_name=api.MORE_PAUSES, input=[told]))
    last_left_out = max(left_out)
    jobs = [
        more if n == last_left_out else job for n, job in enumerate(act.jobs) if n not in left_out - {last_left_out}
    ]
    return _with(act, jobs)


def _with(act: WorkflowActivation, jobs: list[WorkflowActivationJob]) -> WorkflowActivation:
    changed = WorkflowActivation()
    changed.CopyFrom(act)
    del changed.jobs[:]
    changed.jobs.extend(jobs)
    return changed
