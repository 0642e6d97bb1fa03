"""A year in minutes: the real workflow classes, played by the SDK in this process, under one clock that jumps.

The server's own time skipping has a clock for each workflow, and none for Schedules: a run, its Control and the review
would live in different years. Here nothing waits, so the clock goes on to whatever is due next. There is no history and
nothing is replayed: `tests/replay` is about that.
"""

import asyncio
import heapq
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import Any, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.failure.v1 import Failure, ServerFailureInfo
from temporalio.bridge.proto import workflow_activation as jobs
from temporalio.bridge.proto.activity_result import ActivityResolution
from temporalio.bridge.proto.workflow_commands import WorkflowCommand
from temporalio.common import Priority, TypedSearchAttributes
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.testing import ActivityEnvironment
from temporalio.worker import UnsandboxedWorkflowRunner, WorkflowInstance, WorkflowInstanceDetails
from temporalio.workflow import Info, ParentInfo, _Definition

from contracts.artifact import Contract

Reply = TypeVar("Reply")
_LONG = 2000
"""Events of a history after which a workflow is asked to continue as new; about as the server does."""
Job = jobs.WorkflowActivationJob


class Stuck(Exception):
    """A workflow failed its task: a bug, which a server would try again for ever."""


class _Execution:
    """One workflow execution."""

    def __init__(self, workflow_id: str, run_id: str, type_name: str) -> None:
        self.workflow_id, self.run_id, self.type_name = workflow_id, run_id, type_name
        self.instance: WorkflowInstance | None = None
        self.events = 0
        self.status = "RUNNING"
        self.result: Payload | None = None
        self.timers: set[int] = set()
        self.parent: tuple[_Execution, int] | None = None


class Clockwork:
    """Workflows, activities and the time.

    Args:
        workflows: their classes.
        activities: by name; what each is given, typed as it says itself.
        takes: by name, how long some of them take.
        now: when it begins.
    """

    def __init__(
        self,
        workflows: tuple[type, ...],
        activities: Mapping[str, Callable[..., Any]],
        takes: Mapping[str, timedelta],
        now: datetime,
        seed: int,
    ) -> None:
        self.now = now
        self.tasks = 0
        """Workflow tasks so far."""
        self._definitions = {str(each.name): each for each in map(_Definition.must_from_class, workflows)}
        self._activities = activities
        self._takes = takes
        self._due: list[tuple[datetime, int, Callable[[], None]]] = []
        self._order = count()
        self._answers: dict[str, Any] = {}
        self._random = Random(seed)  # noqa: S311  # a year that can be lived again
        self._open: dict[str, _Execution] = {}
        self._convert = pydantic_data_converter.payload_converter

    # Time

    def at(self, moment: datetime, what: Callable[[], None]) -> None:
        """Do it then, after whatever is due before."""
        heapq.heappush(self._due, (max(moment, self.now), next(self._order), what))

    def until(self, moment: datetime) -> None:
        """Let time pass."""
        while self._due and self._due[0][0] <= moment:
            self.now, _, what = heapq.heappop(self._due)
            what()
        self.now = moment

    # What a client does

    def start(self, type_name: str, workflow_id: str, request: Any) -> None:
        """Start a workflow, unless it runs."""
        if not self.is_open(workflow_id):
            self._begin(type_name, workflow_id, list(self._convert.to_payloads([request])))

    def is_open(self, workflow_id: str) -> bool:
        """Whether it runs."""
        known = self._open.get(workflow_id)
        return known is not None and known.status == "RUNNING"

    def status(self, workflow_id: str) -> tuple[str, str] | None:
        """Its execution's id and status; None: nobody ever started it."""
        known = self._open.get(workflow_id)
        return (known.run_id, known.status) if known else None

    def signal(self, workflow_id: str, name: str, *request: Any) -> bool:
        """Whether somebody was there to hear it."""
        payloads = self._convert.to_payloads(request)
        return self._signal(workflow_id, jobs.SignalWorkflow(signal_name=name, input=payloads, originating_event_id=1))

    def update(self, workflow_id: str, name: str, request: Contract, reply: type[Reply]) -> Reply:
        """Ask, and be answered at once.

        Raises:
            RuntimeError: its validator refused it, or its handler failed.
        """
        ident = uuid.UUID(int=self._random.getrandbits(128)).hex
        update = jobs.DoUpdate(
            id=ident,
            protocol_instance_id=ident,
            name=name,
            input=self._convert.to_payloads([request]),
            run_validator=True,
        )
        self._activate(self._open[workflow_id], Job(do_update=update))
        while ident not in self._answers and self._due and self._due[0][0] <= self.now:
            # A handler that asks an activity.
            heapq.heappop(self._due)[2]()
        answer = self._answers.pop(ident, None)
        if answer is None or answer.HasField("rejected"):
            raise RuntimeError(f"{name} of {workflow_id}: {answer.rejected.message if answer else 'no answer'}")
        return self._value(answer.completed, reply)

    def query(self, workflow_id: str, name: str, reply: type[Reply], *request: Any) -> Reply | None:
        """Look; None: nobody is there."""
        known = self._open.get(workflow_id)
        if known is None:
            return None
        question = jobs.QueryWorkflow(query_id="q", query_type=name, arguments=self._convert.to_payloads(request))
        for command in self._activate(known, Job(query_workflow=question)):
            if command.respond_to_query.HasField("succeeded"):
                return self._value(command.respond_to_query.succeeded.response, reply)
            if command.respond_to_query.HasField("failed"):
                raise RuntimeError(f"{name} of {workflow_id}: {command.respond_to_query.failed.message}")
        return None

    def result(self, workflow_id: str, reply: type[Reply]) -> Reply:
        """What one that has ended returned.

        Raises:
            RuntimeError: it runs, or ended otherwise.
        """
        known = self._open[workflow_id]
        if known.status != "COMPLETED" or known.result is None:
            raise RuntimeError(f"{workflow_id} is {known.status}")
        return self._value(known.result, reply)

    # What the server does

    def _begin(
        self, type_name: str, workflow_id: str, arguments: list[Payload], parent: tuple[_Execution, int] | None = None
    ) -> _Execution:
        run_id = str(uuid.UUID(int=self._random.getrandbits(128)))
        execution = self._open[workflow_id] = _Execution(workflow_id, run_id, type_name)
        execution.parent = parent
        first = jobs.InitializeWorkflow(
            workflow_type=type_name,
            workflow_id=workflow_id,
            arguments=arguments,
            randomness_seed=self._random.getrandbits(63),
            attempt=1,
            first_execution_run_id=run_id,
            original_execution_run_id=run_id,
        )
        asyncio.run(self._create(execution, first.randomness_seed))
        self._activate(execution, Job(initialize_workflow=first))
        return execution

    async def _create(self, execution: _Execution, seed: int) -> None:
        parent = execution.parent[0] if execution.parent else None
        info = Info(
            attempt=1, continued_run_id=None, cron_schedule=None, execution_timeout=None,
            first_execution_run_id=execution.run_id, headers={}, namespace="year",
            original_execution_run_id=execution.run_id,
            parent=ParentInfo("year", parent.run_id, parent.workflow_id) if parent else None,
            root=None, priority=Priority.default, raw_memo={}, retry_policy=None, run_id=execution.run_id,
            run_timeout=None, search_attributes={}, start_time=self.now, task_queue="year",
            task_timeout=timedelta(seconds=10), typed_search_attributes=TypedSearchAttributes([]),
            workflow_id=execution.workflow_id, workflow_start_time=self.now, workflow_type=execution.type_name,
        )  # fmt: skip
        execution.instance = UnsandboxedWorkflowRunner().create_instance(
            WorkflowInstanceDetails(
                payload_converter_factory=pydantic_data_converter.payload_converter_class,
                failure_converter_class=pydantic_data_converter.failure_converter_class,
                interceptor_classes=(),
                defn=self._definitions[execution.type_name],
                info=info,
                randomness_seed=seed,
                extern_functions={},
                disable_eager_activity_execution=True,
                worker_level_failure_exception_types=(),
                patch_activation_callback=None,
                last_completion_result=Payloads(),
                last_failure=None,
            )
        )

    def _activate(self, execution: _Execution, job: Job) -> list[WorkflowCommand]:
        """One workflow task: play it, and do what it commanded."""
        if execution.instance is None or (execution.status != "RUNNING" and not job.HasField("query_workflow")):
            return []
        self.tasks += 1
        execution.events += 3
        at = Timestamp()
        at.FromDatetime(self.now)
        done = execution.instance.activate(
            jobs.WorkflowActivation(
                run_id=execution.run_id,
                timestamp=at,
                history_length=execution.events,
                continue_as_new_suggested=execution.events > _LONG,
                jobs=[job],
            )
        )
        if not done.HasField("successful"):
            raise Stuck(f"{execution.workflow_id}: {done.failed.failure.message}\n{done.failed.failure.stack_trace}")
        commands = list(done.successful.commands)
        for command in commands:
            self._do(execution, command)
        return commands

    def _do(self, execution: _Execution, command: WorkflowCommand) -> None:
        kind = command.WhichOneof("variant") or ""
        execution.events += 1
        handler = getattr(self, f"_{kind}", None)
        if handler is not None:
            handler(execution, getattr(command, kind))

    def _update_response(self, execution: _Execution, command: Any) -> None:
        del execution
        if not command.HasField("accepted"):
            self._answers[command.protocol_instance_id] = command

    def _start_timer(self, execution: _Execution, command: Any) -> None:
        execution.timers.add(command.seq)

        def fire() -> None:
            if command.seq in execution.timers:
                execution.timers.discard(command.seq)
                self._activate(execution, Job(fire_timer=jobs.FireTimer(seq=command.seq)))

        self.at(self.now + command.start_to_fire_timeout.ToTimedelta(), fire)

    def _cancel_timer(self, execution: _Execution, command: Any) -> None:
        execution.timers.discard(command.seq)

    def _schedule_activity(self, execution: _Execution, command: Any) -> None:
        def perform() -> None:
            if execution.status != "RUNNING":
                return
            done = self._performed(execution, command)
            self._activate(execution, Job(resolve_activity=jobs.ResolveActivity(seq=command.seq, result=done)))

        self.at(self.now + self._takes.get(command.activity_type, timedelta()), perform)

    def _performed(self, execution: _Execution, command: Any) -> ActivityResolution:
        function = self._activities[command.activity_type]
        (payload,) = self._convert.from_payloads(list(command.arguments), [_given(function)])
        here = ActivityEnvironment()
        here.info = replace(
            ActivityEnvironment.default_info(),
            activity_id=command.activity_id,
            activity_type=command.activity_type,
            scheduled_time=self.now,
            started_time=self.now,
            workflow_id=execution.workflow_id,
            workflow_run_id=execution.run_id,
        )
        resolution = ActivityResolution()
        resolution.completed.result.CopyFrom(self._convert.to_payloads([here.run(function, payload)])[0])
        return resolution

    def _start_child_workflow_execution(self, execution: _Execution, command: Any) -> None:
        def begin() -> None:
            known = self._open.get(command.workflow_id)
            if known is not None and known.status == "RUNNING":
                # The same twice is a bug of whoever commands it, as far as a year is concerned.
                raise Stuck(f"{command.workflow_id} runs already")
            child_run = self._begin(
                command.workflow_type, command.workflow_id, list(command.input), (execution, command.seq)
            )
            started = jobs.ResolveChildWorkflowExecutionStart(seq=command.seq)
            started.succeeded.run_id = child_run.run_id
            self._activate(execution, Job(resolve_child_workflow_execution_start=started))

        self.at(self.now, begin)

    def _signal_external_workflow_execution(self, execution: _Execution, command: Any) -> None:
        workflow_id = command.workflow_execution.workflow_id or command.child_workflow_id

        def deliver() -> None:
            told = jobs.SignalWorkflow(
                signal_name=command.signal_name, input=list(command.args), originating_event_id=1
            )
            answer = jobs.ResolveSignalExternalWorkflow(seq=command.seq)
            if not self._signal(workflow_id, told):
                answer.failure.CopyFrom(
                    Failure(message=f"{workflow_id} is not open", server_failure_info=ServerFailureInfo())
                )
            self._activate(execution, Job(resolve_signal_external_workflow=answer))

        self.at(self.now, deliver)

    def _complete_workflow_execution(self, execution: _Execution, command: Any) -> None:
        execution.status, execution.result = "COMPLETED", command.result
        execution.instance = None
        if execution.parent is None:
            return
        parent, seq = execution.parent
        ended = jobs.ResolveChildWorkflowExecution(seq=seq)
        ended.result.completed.result.CopyFrom(command.result)
        self.at(self.now, lambda: self._tell_parent(parent, ended))

    def _tell_parent(self, parent: _Execution, ended: Any) -> None:
        self._activate(parent, Job(resolve_child_workflow_execution=ended))

    def _fail_workflow_execution(self, execution: _Execution, command: Any) -> None:
        raise Stuck(f"{execution.workflow_id} failed: {command.failure.message}")

    def _continue_as_new_workflow_execution(self, execution: _Execution, command: Any) -> None:
        execution.status, execution.instance = "CONTINUED_AS_NEW", None
        self._begin(command.workflow_type or execution.type_name, execution.workflow_id, list(command.arguments))

    def _signal(self, workflow_id: str, told: Any) -> bool:
        known = self._open.get(workflow_id)
        if known is None or known.status != "RUNNING":
            return False
        self._activate(known, Job(signal_workflow=told))
        return True

    def _value(self, payload: Payload, reply: type[Reply]) -> Reply:
        (found,) = self._convert.from_payloads([payload], [reply])
        value: Reply = found
        return value


def _given(function: Callable[..., Any]) -> Any:
    """The type that an activity says it is given."""
    hints = {name: hint for name, hint in getattr(function, "__annotations__", {}).items() if name != "return"}
    return next(iter(hints.values()))
