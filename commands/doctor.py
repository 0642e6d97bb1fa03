"""``doctor``: what is missing, and what to do about it."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import timedelta

from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError

from commands.alert_findings import channel_findings, delivery_findings
from commands.control_findings import control_findings
from commands.conversations import has_worker
from commands.exit_statuses import Exit
from commands.forge_findings import target_findings
from commands.home import client_of
from commands.terminal import AsJson, emit, guarded, say, show
from composition import Adapters, HomeUnusable, ServerUnavailable, compose, open_home, retention
from policies.counted import counted
from ports.policy_source import PolicyError
from settings import Settings
from workflows.api import SEARCH_ATTRIBUTES

_PYTHON = (3, 11)
_GIT = (2, 38)
_RETENTION = timedelta(days=90)
_DISK = 1 << 30


@dataclass(frozen=True)
class Finding:
    """One thing looked at."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""


@guarded
async def doctor(as_json: AsJson = False) -> int:
    """Look at everything a run needs: tools, sandbox, server, worker, policy, disk.

    Exit status 1 when something is not ok; each line says what to do.
    """
    adapters = compose(Settings())
    findings = [*_machine(adapters), *_policies(adapters)]
    findings += [Finding(*found) for found in channel_findings(adapters)]
    findings += [finding async for finding in _server(adapters)]
    sick = [finding for finding in findings if not finding.ok]
    if as_json:
        emit({"ok": not sick, "findings": [vars(finding) for finding in findings]})
    else:
        for finding in findings:
            show(
                f"{'ok    ' if finding.ok else 'not ok'}  {finding.name:<18} {finding.detail}",
                "" if finding.ok else "red",
            )
            if not finding.ok:
                show(f"        {finding.remedy}")
        say("everything is ok" if not sick else f"{len(sick)} of {len(findings)} are not ok")
    return Exit.TROUBLE if sick else Exit.OK


def _machine(adapters: Adapters) -> Iterator[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", sys.version_info >= _PYTHON, python, "use Python 3.11 or newer, then `make setup`")
    yield _git()
    verdict = adapters.sandbox.self_test()
    broken = "; ".join(child.rule for child in verdict.children if not child.allowed)
    remedy = "allow unprivileged user namespaces, or install the package `bubblewrap`; without a sandbox nothing runs"
    yield Finding("sandbox", verdict.allowed, f"{adapters.sandbox.name}: {broken or verdict.reason}", remedy)
    home = adapters.settings.home
    try:
        open_home(home)
    except HomeUnusable as unusable:
        yield Finding("home", ok=False, detail=str(unusable), remedy="set AUTONOMY_HOME to a folder of your own")
        return
    free = shutil.disk_usage(home).free
    yield Finding(
        "disk", free >= _DISK, f"{free >> 20} MiB free in {home}", "free at least 1 GiB, or move AUTONOMY_HOME"
    )


def _git() -> Finding:
    remedy = f"install git {_GIT[0]}.{_GIT[1]} or newer"
    try:
        said = subprocess.run(["git", "version"], capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError) as problem:
        return Finding("git", ok=False, detail=str(problem), remedy=remedy)
    found = re.search(r"(\d+)\.(\d+)", said)
    return Finding("git", found is not None and (int(found[1]), int(found[2])) >= _GIT, said, remedy)


def _policies(adapters: Adapters) -> Iterator[Finding]:
    folder, names = adapters.settings.policies, adapters.policies.names()
    yield Finding(
        "policy folder",
        folder.is_dir() and bool(names),
        f"{folder}, {counted(len(names), 'target')}",
        "set AUTONOMY_POLICIES, or make a target: starter.py init <path-or-url>",
    )
    for name in names:
        try:
            policy = adapters.policies.effective(name)
        except PolicyError as problem:
            yield Finding(
                f"target {name}", ok=False, detail=str(problem), remedy="correct the file: starter.py policy check"
            )
        else:
            checked = bool(policy.target.checks)
            yield Finding(
                f"target {name}",
                ok=checked,
                detail=f"policy {policy.digest[:12]}" if checked else "no required check: every run of it is refused",
                remedy="write what its own CI runs into [[checks]] of its file, at least one of kind `tests`",
            )
            yield from (Finding(*found) for found in target_findings(adapters, policy.target))


async def _server(adapters: Adapters) -> AsyncIterator[Finding]:
    start = "start one: starter.py up"
    try:
        client = await client_of(adapters.settings)
    except ServerUnavailable as absent:
        yield Finding("server", ok=False, detail=str(absent), remedy=start)
        return
    yield Finding("server", ok=True, detail=f"{client.service_client.config.target_host}, namespace {client.namespace}")
    yield await _retention(client)
    yield await _search_attributes(client)
    worked = await has_worker(client)
    detail = "one asks for work" if worked else "none asked for work lately"
    yield Finding("worker", worked, detail, "start one: starter.py up, or python -m worker")
    if worked:
        async for found in control_findings(client, adapters.policies.names()):
            yield Finding(*found)
        async for found in delivery_findings(client):
            yield Finding(*found)


async def _retention(client: Client) -> Finding:
    try:
        kept = await retention(client)
    except RPCError as problem:
        return Finding(
            "retention", ok=False, detail=problem.message, remedy="allow this client to describe the namespace"
        )
    remedy = (
        f"a worker sets it when it starts; by hand: temporal operator namespace update --retention {_RETENTION.days}d"
    )
    return Finding("retention", kept >= _RETENTION, f"closed runs are kept {kept.days} days", remedy)


async def _search_attributes(client: Client) -> Finding:
    remedy = "a worker registers them when it starts; by hand: temporal operator search-attribute create"
    try:
        listed = await client.operator_service.list_search_attributes(
            ListSearchAttributesRequest(namespace=client.namespace)
        )
    except RPCError as problem:
        return Finding("search attributes", ok=False, detail=problem.message, remedy=remedy)
    missing = [key.name for key in SEARCH_ATTRIBUTES if key.name not in listed.custom_attributes]
    detail = f"missing: {', '.join(missing)}" if missing else f"all {len(SEARCH_ATTRIBUTES)} are there"
    return Finding("search attributes", not missing, detail, remedy)
