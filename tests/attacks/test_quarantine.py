"""Quarantined evidence on a disk that others can write to: believed only as the run's own audit log names it (P6)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from activities.run.quarantine import NotInQuarantine, open_quarantine
from adapters.store.chained_log import ChainedLog
from adapters.store.local_store import LocalStore
from contracts.artifact import Contract
from contracts.audit import AuditEvent
from contracts.change import Change
from contracts.modes import Role, RunStatus
from contracts.task import CandidateTasks
from policies.run import known_bad
from policies.run.known_bad import entry
from tests.attacks.stage import candidate
from tests.policies.sample_policy import policy

RUN = "demo-2026-03-02-pr-1"
NOW = datetime(2026, 3, 2, tzinfo=UTC)
IDEA = candidate()
CONTRACT = known_bad.contract(policy()).model_copy(update={"task_id": IDEA.task_id})


class Kept:
    """The artifacts and the log of one run."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.store, self.audit = LocalStore(root), ChainedLog(root)

    def put(self, name: str, body: Contract | bytes) -> str:
        """Keep an artifact; its digest."""
        data = body if isinstance(body, bytes) else body.model_dump_json().encode()
        return self.store.put(RUN, name, data).sha256

    def record(self, key: str, *artifacts: str, **facts: str) -> None:
        """One event."""
        event = AuditEvent(key=key, role=Role.AUDIT, event=key, facts=dict(facts), artifacts=artifacts)
        self.audit.append(f"run/{RUN}", (event,), NOW)

    @property
    def change(self) -> Change:
        """Some change, with a bundle and a diff that are kept."""
        bundle, diff = self.store.put(RUN, "change.bundle", b"bundle"), self.store.put(RUN, "change.diff", b"diff")
        made = known_bad.change(entry(".github/workflows/x.yml", "A"))
        return made.model_copy(update={"bundle": bundle, "diff": diff})

    def escalated(self, status: RunStatus = RunStatus.ESCALATED) -> None:
        """Everything an escalated run leaves."""
        ideas = CandidateTasks(run_id=RUN, base_sha="b" * 40, candidates=(IDEA,))
        self.record("triage/done", self.put("candidate_tasks.json", ideas))
        self.record("plan/done", self.put("task_contract.json", CONTRACT))
        self.record("code/done", self.put("change.json", self.change))
        self.record("audit/ended", status=status)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    """A run that was escalated."""
    made = Kept(tmp_path)
    made.escalated()
    return made


def test_a_quarantined_change_is_read_back_whole(kept: Kept) -> None:
    """Contract, idea, change, bundle and diff, and the record that says how it ended."""
    found = open_quarantine(kept.store, kept.audit, "demo", RUN)

    assert (CONTRACT, IDEA, b"bundle", b"diff") == (found.contract, found.candidate, found.bundle, found.diff)
    assert kept.audit.head(f"run/{RUN}") == found.escalated_record


def _forged_change(kept: Kept) -> None:
    kept.put("change.json", kept.change.model_copy(update={"head_sha": "e" * 40}))


def _forged_contract(kept: Kept) -> None:
    kept.put("task_contract.json", CONTRACT.model_copy(update={"metric": "nothing"}))


def _damaged_bundle(kept: Kept) -> None:
    place = kept.root / kept.change.bundle.location
    place.chmod(0o600)
    place.write_bytes(b"another bundle")


def _edited_log(kept: Kept) -> None:
    log = kept.root / "runs" / RUN / "audit_log.jsonl"
    log.write_text(log.read_text().replace("plan/done", "plan/gone"))


def _no_change(kept: Kept) -> None:
    (kept.root / "runs" / RUN / "change.json").unlink()


def _link_out(kept: Kept) -> None:
    shown = kept.root / "runs" / RUN / "change.json"
    shown.unlink()
    shown.symlink_to("/etc/hostname")


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        (_forged_change, "change.json is not the one its audit log names"),
        (_forged_contract, "task_contract.json is not the one its audit log names"),
        (_damaged_bundle, "its bytes are not what its digest says"),
        (_edited_log, "its audit log is damaged"),
        (_no_change, "it left no change.json"),
        (_link_out, "is damaged"),
    ],
)
def test_replaced_evidence_is_no_evidence(kept: Kept, attack: Callable[[Kept], None], reason: str) -> None:
    """Whatever somebody put in its place, nothing is taken."""
    attack(kept)
    with pytest.raises(NotInQuarantine, match=reason):
        open_quarantine(kept.store, kept.audit, "demo", RUN)


@pytest.mark.parametrize("run_id", ["demo-2026-03-02-pr-2", "other-2026-03-02-pr-1", "demo-../x", "demo-", ""])
def test_names_that_are_no_escalated_run_of_the_target(kept: Kept, run_id: str) -> None:
    """Unknown, another target's, or no run id at all."""
    with pytest.raises(NotInQuarantine):
        open_quarantine(kept.store, kept.audit, "demo", run_id)


@pytest.mark.parametrize("status", [status for status in RunStatus if status is not RunStatus.ESCALATED])
def test_only_an_escalated_end_is_a_quarantine(tmp_path: Path, status: RunStatus) -> None:
    """A run that ended in any other way has nothing to release."""
    made = Kept(tmp_path)
    made.escalated(status)
    with pytest.raises(NotInQuarantine, match=f"the run is {status}"):
        open_quarantine(made.store, made.audit, "demo", RUN)


def test_a_run_that_has_not_ended_is_no_quarantine(tmp_path: Path) -> None:
    """Its evidence may still change."""
    made = Kept(tmp_path)
    made.record("code/done", made.put("change.json", made.change))
    with pytest.raises(NotInQuarantine, match="still open"):
        open_quarantine(made.store, made.audit, "demo", RUN)
