"""Connecting to a Temporal server, and making sure the namespace is what the runbook needs."""

import logging
import os
from datetime import timedelta
from functools import cache
from typing import Any

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, UpdateNamespaceRequest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.service import RPCError, RPCStatusCode

from ports.server import ServerUnavailable
from workflows.api import EPOCH_ATTRIBUTE, SEARCH_ATTRIBUTES

RETENTION = timedelta(days=90)
"""Policy default: audit is kept at least this long (runbook, policy defaults)."""
DEFAULT_ADDRESS = "localhost:7233"


async def connect(
    address: str | None = None,
    namespace: str | None = None,
    default: str | None = DEFAULT_ADDRESS,
    *,
    asking: bool = False,
) -> Client:
    """Connect as TEMPORAL_* variables or the Temporal profile say; the arguments win.

    Args:
        address: the server's.
        namespace: the namespace.
        default: where to ask when neither says where; None: nowhere, since a stranger may listen there.
        asking: only queries are sent, which no history holds: tracing is left out where no collector is named.

    Raises:
        ServerUnavailable: nobody answers; the message says what to start.
    """
    config = ClientConfig.load_client_connect_config()
    if default is not None:
        config.setdefault("target_host", default)
    elif address is None and "target_host" not in config:
        raise ServerUnavailable(
            "AUTONOMY_SERVER_PORT is set, and no server of this AUTONOMY_HOME runs: start one with `starter.py up`, "
            "give `run` or `try` `--embedded`, or name another one with TEMPORAL_ADDRESS"
        )
    if address is not None:
        config["target_host"] = address
    if namespace is not None:
        config["namespace"] = namespace
    with_what: dict[str, Any] = {"data_converter": pydantic_data_converter}
    if not asking or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        # Imported here: the plugins bring the worker and OpenTelemetry along, a fifth of what a look costs.
        from adapters.temporal.plugin import project_plugins  # noqa: PLC0415

        with_what = {"plugins": project_plugins()}
    try:
        return await Client.connect(**config, **with_what, runtime=quiet_runtime())
    except (RPCError, RuntimeError, OSError) as problem:
        raise ServerUnavailable(
            f"no Temporal server answers at {config['target_host']}: start one with `starter.py up`, "
            "give `run` or `try` `--embedded`, or set TEMPORAL_ADDRESS"
        ) from problem


@cache
def quiet_runtime() -> Runtime:
    """The process's one runtime; the core's own log lines go through Python's logging, not to the terminal."""
    forwarding = LogForwardingConfig(logger=logging.getLogger("temporalio.core"))
    levels = TelemetryFilter(core_level="WARN", other_level="ERROR")
    return Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(filter=levels, forwarding=forwarding)))


async def prepare_namespace(client: Client) -> tuple[str, ...]:
    """Register our search attributes and raise the retention; returns what could not be done."""
    undone: list[str] = []
    try:
        listed = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
        missing = {
            key.name: IndexedValueType.INDEXED_VALUE_TYPE_INT
            if key is EPOCH_ATTRIBUTE
            else IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
            for key in SEARCH_ATTRIBUTES
            if key.name not in listed.custom_attributes
        }
        if missing:
            await client.operator_service.add_search_attributes(
                AddSearchAttributesRequest(namespace=client.namespace, search_attributes=missing)
            )
    except RPCError as problem:
        if problem.status is not RPCStatusCode.ALREADY_EXISTS:
            undone.append(f"search attributes: {problem.message}")
    try:
        if await retention(client) < RETENTION:
            await client.workflow_service.update_namespace(
                UpdateNamespaceRequest(
                    namespace=client.namespace,
                    config=NamespaceConfig(
                        workflow_execution_retention_ttl=Duration(seconds=int(RETENTION.total_seconds()))
                    ),
                )
            )
    except RPCError as problem:
        undone.append(f"retention of {RETENTION.days} days: {problem.message}")
    return tuple(undone)


async def retention(client: Client) -> timedelta:
    """How long the namespace keeps closed histories."""
    answer = await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    return timedelta(seconds=answer.config.workflow_execution_retention_ttl.seconds)
