"""One plugin for worker, starter, tests and replay: converter, sandbox runner, tracing share one truth.

It changes what histories contain, so it has been in since the first recorded run (docs/adr/0004).
"""

import logging
import os
from dataclasses import replace

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from temporalio.contrib.opentelemetry import OpenTelemetryPlugin, ReplaySafeTracerProvider, create_tracer_provider
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.plugin import SimplePlugin
from temporalio.worker import WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxRestrictions

from adapters.temporal.activity_failures import ForgePatience, NamesFullDisk
from adapters.temporal.commanded_tasks import CommandedTasks
from workflows.messages.malformed import AnsweringConverter, WellFormedMessages

_PASSED_THROUGH = ("contracts", "policies", "workflows", "activities", "pydantic", "opentelemetry")


def project_plugins() -> list[SimplePlugin]:
    """The plugins every client, worker and replayer of this project uses, in order. Give them to the client only."""
    _trace_globally()
    return [
        SimplePlugin(
            "autonomy",
            data_converter=replace(pydantic_data_converter, payload_converter_class=AnsweringConverter),
            workflow_runner=_runner,
            interceptors=[WellFormedMessages(), NamesFullDisk(), ForgePatience()],
        ),
        OpenTelemetryPlugin(add_temporal_spans=True),
    ]


def _runner(_given: WorkflowRunner | None) -> WorkflowRunner:
    # Contracts and rules are pure by import contract; reloading them for every run would cost a second each.
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*_PASSED_THROUGH)
    return CommandedTasks(restrictions=restrictions)


def _trace_globally() -> None:
    if isinstance(trace.get_tracer_provider(), ReplaySafeTracerProvider):
        return
    logging.getLogger("opentelemetry.context").addFilter(_unless_evicted)
    collected = bool(os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"))
    # Whatever another process thought of it: who collects wants all spans, who does not need not fill in any.
    sampler = ALWAYS_ON if collected else ALWAYS_OFF
    provider = create_tracer_provider(sampler, Resource.create({"service.name": "autonomy"}))
    if collected:
        # Imported here: without a collector nobody pays for the exporter.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def _unless_evicted(record: logging.LogRecord) -> bool:
    # A workflow evicted from the cache closes its spans in a foreign context. Nothing is lost, but every stop of a
    # worker would print a traceback per open run.
    problem = record.exc_info[1] if record.exc_info else None
    return not (isinstance(problem, ValueError) and isinstance(problem.__context__, GeneratorExit))
