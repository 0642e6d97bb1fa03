"""The checker's part for incidents: each once, one ticket, one bundle whose digests are true, one sound log."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections import Counter
from pathlib import Path
from typing import Any

from temporalio.service import RPCError
from world import World

from adapters.git.mirror import open_mirror
from adapters.policy_files import PolicyFiles
from adapters.store.chained_log import ChainedLog
from contracts.incident import IncidentView, PostIncidentReport
from workflows import api


async def incidents_unsound(world: World) -> list[str]:
    """Everything wrong with every incident of a world at rest, one sentence each."""
    found: list[str] = []
    log = ChainedLog(world.settings.artifacts)
    for target in PolicyFiles(world.settings.policies).names():
        logged = _opened(log, target)
        found += [f"incident {name} was opened {count} times" for name, count in logged.items() if count > 1]
        for incident in logged:
            found += await _unsound(world, log, target, incident)
    return found


async def _unsound(world: World, log: ChainedLog, target: str, incident: str) -> list[str]:
    handle = world.client.get_workflow_handle(api.incident_id(target, incident))
    try:
        view: IncidentView = await handle.query(api.VIEW, result_type=IncidentView)
    except RPCError as absent:
        return [f"incident {incident} has no workflow: {absent.message}"]
    if view.waiting_for:
        return [f"incident {incident} is not at rest: {view.waiting_for}"]
    found = [f"incident {incident}: {problem}" for problem in _artifacts(world, log, incident, view.report)]
    tickets = [each for each in _tickets(world, target) if each["runKey"] == f"{incident}/open_ticket"]
    if [view.report.ticket] != [str(each["number"]) for each in tickets]:
        found.append(f"incident {incident} has the tickets {[each['number'] for each in tickets]}")
    elif (tickets[0]["state"] == "closed") != (view.report.state == "closed"):
        found.append(f"incident {incident} is {view.report.state}, its ticket {tickets[0]['state']}")
    mirror = open_mirror(world.settings.mirrors)(PolicyFiles(world.settings.policies).effective(target).target)
    anchors = {"mirror ref": mirror.anchored(f"run/{incident}") or "", "temporal": view.audit_head}
    verified = log.verify(f"run/{incident}", anchors)
    if verified.problem:
        found.append(f"audit log run/{incident}, record {verified.problem.seq}: {verified.problem.problem}")
    return found


def _artifacts(world: World, log: ChainedLog, incident: str, report: PostIncidentReport) -> list[str]:
    folder = world.settings.artifacts / "runs" / incident
    try:
        kept = PostIncidentReport.model_validate_json((folder / "post_incident_report.json").read_bytes())
        bundle = (folder / "evidence.tar").read_bytes()
    except (OSError, ValueError) as problem:
        return [f"its report or evidence cannot be read: {problem}"]
    found = [] if kept == report else ["its kept report is not what its workflow says"]
    if report.evidence is None or hashlib.sha256(bundle).hexdigest() != report.evidence.sha256:
        found.append("its evidence is not what its digest says")
    with tarfile.open(fileobj=io.BytesIO(bundle)) as tar:
        bodies = {entry.name: tar.extractfile(entry).read() for entry in tar}
    manifest = json.loads(bodies.pop("manifest.json"))
    named = {entry["name"]: entry["sha256"] for entry in manifest["entries"]}
    if named != {name: hashlib.sha256(body).hexdigest() for name, body in bodies.items()}:
        found.append("its manifest does not match its files")
    hashes = {
        line["hash"] for name, body in bodies.items() if name.endswith("audit_log.jsonl") for line in _lines(body)
    }
    # What happened after the bundle was closed is in the logs themselves.
    hashes |= {record.hash for name in {fact.log for fact in report.timeline} for record in log.records(name)}
    found += [f"its fact {fact.text!r} cites no record" for fact in report.timeline if fact.record not in hashes]
    return found


def _lines(body: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in body.splitlines()]


def _opened(log: ChainedLog, target: str) -> Counter[str]:
    if f"target/{target}" not in log.logs():
        return Counter()
    return Counter(
        str(record.facts["incident"]) for record in log.records(f"target/{target}") if record.event == "incident opened"
    )


def _tickets(world: World, target: str) -> list[dict[str, Any]]:
    folder: Path = world.settings.home / "forge" / target / "tickets"
    return [json.loads(path.read_text()) for path in sorted(folder.glob("[0-9]*.json"))]
