"""The evidence bundle of an incident: ``evidence.tar`` with a manifest of digests (runbook §6.1)."""

import hashlib
import io
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import ValidationError
from temporalio import activity

from activities.api import COLLECT
from activities.heartbeat import heartbeating
from activities.step_session import HISTORY, StepPorts, written
from contracts.admission import RunRecord
from contracts.artifact import ArtifactRef
from contracts.audit import AuditEvent, AuditRecord
from contracts.incident import (
    CitedFact,
    Collected,
    EvidenceEntry,
    EvidenceManifest,
    IncidentRecord,
    IncidentStart,
    PostIncidentReport,
)
from contracts.modes import Role
from policies.after.incident import concerns, timeline
from policies.settings.schema import EffectivePolicy
from ports.control_desk import ControlUnavailable
from ports.crashpoints import crashpoint
from ports.policy_source import PolicyError
from ports.repository import RepositoryError
from ports.store import ArtifactStore, AuditLog, StoreError

BUNDLE, MANIFEST, REPORT = "evidence.tar", "evidence_manifest.json", "post_incident_report.json"


@dataclass
class Bundle:
    """Files on their way into the tar, and what could not be had."""

    files: dict[str, bytes] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)

    def take(self, name: str, get: Callable[[], bytes | None]) -> None:
        """Add a file, or remember why not: one damaged artifact must not keep all the others out."""
        try:
            body = get()
        except (StoreError, ControlUnavailable) as problem:
            self.missing.append(f"{name}: {problem}")
            return
        if body is None:
            self.missing.append(f"{name}: there is none")
        else:
            self.files[name] = body


@dataclass(frozen=True)
class Collecting:
    """Collects once; an attempt after a crash adopts what is there."""

    bench: StepPorts

    @activity.defn(name=COLLECT.name, no_thread_cancel_exception=True)
    def collect(self, request: IncidentStart) -> Collected:
        """Artifacts, audit slices, verdicts, histories, diff and checks of every run the incident is about."""
        with heartbeating():
            crashpoint("collect.before_effect")
            incident = request.record.incident
            records = records_of(self.bench.audit, request)
            evidence = self.bench.store.find(incident, BUNDLE) or self._bundle(request, records)
            crashpoint("collect.after_bundle")
            event = AuditEvent(
                key="collected",
                role=Role.AUDIT,
                event="evidence collected",
                facts={"evidence": evidence.sha256, "runId": request.record.run_id},
                artifacts=(evidence.sha256,),
            )
            head = self.bench.record(incident, (event,), activity.info().started_time)
            anchor_log(self.bench, request.target, incident, head)
            crashpoint("collect.after_effect")
            return Collected(
                evidence=evidence,
                timeline=facts_of(request, records),
                kept=self._kept(incident),
                address=self.bench.store.address(incident),
                audit_head=head,
            )

    def _bundle(self, request: IncidentStart, records: dict[str, list[AuditRecord]]) -> ArtifactRef:
        incident, bundle = request.record.incident, Bundle()
        bundle.files["incident.json"] = written(request.record)
        for log, found in records.items():
            lines = [record.model_dump_json() for record in found]
            name = "audit_log.jsonl" if log.startswith("run/") else f"{log}/audit_log.jsonl"
            place = f"runs/{log.removeprefix('run/')}/{name}" if log.startswith("run/") else name
            bundle.take(place, lambda lines=lines: "\n".join([*lines, ""]).encode() if lines else None)  # type: ignore[misc]
        known = {run.run_id: run for run in request.runs}
        for run_id in run_ids(request):
            for name in self.bench.store.names(run_id):
                bundle.take(f"runs/{run_id}/{name}", lambda run_id=run_id, name=name: self._body(run_id, name))  # type: ignore[misc]
            # Of an older version: not packed.
            if not {f"runs/{run_id}/{name}" for name in (HISTORY, "history.json")} & bundle.files.keys():
                place = f"runs/{run_id}/history.json"
                bundle.take(place, lambda run_id=run_id: self._history(known.get(run_id)))  # type: ignore[misc]
        manifest = EvidenceManifest(
            incident=incident,
            target=request.target,
            runs=run_ids(request),
            entries=tuple(_entry(name, body) for name, body in sorted(bundle.files.items())),
            missing=tuple(sorted(bundle.missing)),
        )
        shown = written(manifest)
        self.bench.store.put(incident, MANIFEST, shown)
        return self.bench.store.put(
            incident, BUNDLE, _tar({"manifest.json": shown, **bundle.files}), "application/x-tar"
        )

    def _body(self, run_id: str, name: str) -> bytes | None:
        ref = self.bench.store.find(run_id, name)
        return None if ref is None else self.bench.store.get(ref)

    def _history(self, run: RunRecord | None) -> bytes | None:
        """Of a run that was lost or still hangs: the server's own."""
        return None if run is None else self.bench.control.history(run.workflow_id, run.workflow_run_id)

    def _kept(self, incident: str) -> PostIncidentReport | None:
        ref = self.bench.store.find(incident, REPORT)
        if ref is None:
            return None
        try:
            return PostIncidentReport.model_validate_json(self.bench.store.get(ref))
        except ValidationError as damage:
            activity.logger.warning("%s of %s is not taken over: %s", REPORT, incident, damage)
            return None


def run_ids(request: IncidentStart) -> tuple[str, ...]:
    """Every run the incident is about, its own last."""
    return tuple(dict.fromkeys((*request.record.runs, request.record.run_id)))


def records_of(audit: AuditLog, request: IncidentStart) -> dict[str, list[AuditRecord]]:
    """The logs of the runs and of their rollbacks, and the target's from the first of these runs on."""
    own = run_ids(request)
    found = {f"run/{run_id}": list(audit.records(f"run/{run_id}")) for run_id in own}
    backed = {f"run/RB-{run_id}": list(audit.records(f"run/RB-{run_id}")) for run_id in own}
    found |= {log: records for log, records in backed.items() if records}
    since = min([request.record.opened_at, *(run.admitted_at for run in request.runs)])
    log = f"target/{request.target}"
    found[log] = [record for record in audit.records(log) if record.at >= _second(since)]
    return found


def facts_of(request: IncidentStart, records: dict[str, list[AuditRecord]]) -> tuple[CitedFact, ...]:
    """The timeline: of the target's log only what is about this incident."""
    own, incident = run_ids(request), request.record.incident
    return timeline(
        record
        for log, found in records.items()
        for record in found
        if log.startswith("run/") or concerns(record, incident, own)
    )


def facts_now(audit: AuditLog, store: ArtifactStore, report: PostIncidentReport) -> tuple[CitedFact, ...]:
    """The timeline for whoever reads the report now; as it is kept, before the evidence is collected and after its end.

    Raises:
        StoreError: the logs or the manifest cannot be read.
    """
    ref = store.find(report.incident, MANIFEST)
    if report.evidence is None or report.prevention_done_by or ref is None:
        return report.timeline
    runs = EvidenceManifest.model_validate_json(store.get(ref)).runs
    record = IncidentRecord(
        incident=report.incident,
        run_id=report.run_id,
        trigger=report.trigger,
        reason=report.trigger_reason,
        opened_at=min((report.opened_at, *(fact.at for fact in report.timeline[:1]))),
        runs=runs,
    )
    request = IncidentStart(target=report.target, record=record)
    log = f"run/{report.incident}"
    return facts_of(request, records_of(audit, request) | {log: list(audit.records(log))})


def _second(at: datetime) -> datetime:
    return at.replace(microsecond=0)


def _entry(name: str, body: bytes) -> EvidenceEntry:
    return EvidenceEntry(name=name, sha256=hashlib.sha256(body).hexdigest(), size=len(body))


def _tar(files: dict[str, bytes]) -> bytes:
    """The same files always make the same bytes: no times, no owners, one order (the manifest first)."""
    kept = io.BytesIO()
    with tarfile.open(fileobj=kept, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in sorted(files, key=lambda name: (name != "manifest.json", name)):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(files[name]), 0o444
            tar.addfile(entry, io.BytesIO(files[name]))
    return kept.getvalue()


# Which policy an incident is kept under, and its log's head in the mirror.


def incident_policy(bench: StepPorts, target: str, run_id: str) -> EffectivePolicy:
    """The one its run started under; the current one when the run has none.

    Raises:
        PolicyError: there is none pinned, and the files cannot be used.
    """
    pinned = bench.store.find(run_id, "policy.json")
    if pinned is None:
        return bench.policies.effective(target)
    return EffectivePolicy.model_validate_json(bench.store.get(pinned))


def anchor_log(bench: StepPorts, target: str, incident: str, head: str) -> None:
    """Keep the head of ``run/<incident>`` in the mirror (P10)."""
    try:
        bench.repositories(bench.policies.effective(target).target).anchor(f"run/{incident}", head)
    except (PolicyError, RepositoryError) as problem:
        # The head is in the Temporal history, too; the next record anchors again.
        activity.logger.warning("head of run/%s not anchored in the mirror: %s", incident, problem)
