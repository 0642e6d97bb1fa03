"""What has been earned, for every admission: what was read once is not read again, and is the same (issue 12 §4)."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activities.governance.earning import Earning, verdicts_of
from activities.governance.gathering import Gathering
from activities.step_session import written
from adapters.store.chained_log import ChainedLog
from adapters.store.local_store import LocalStore
from contracts.audit import AuditEvent
from contracts.modes import Mode, Role
from policies.governance.earned import BEGINNING
from policies.texts.run_report import build_report
from tests.reporting.sample_run import CONTRACT, INPUT, RUN

NOW = datetime(2026, 11, 23, 5, tzinfo=UTC)
LOG = "target/demo"


class Past:
    """Runs that ended, one a day, each with a pull request."""

    def __init__(self, root: Path) -> None:
        self.store, self.log, self.ended = LocalStore(root), ChainedLog(root), 0
        self.file = root / "targets" / "demo" / "audit_log.jsonl"
        self.read: list[str] = []
        find, records = self.store.find, self.log.records

        def found(run_id, name):
            self.read.append(run_id)
            return find(run_id, name)

        def heard(log, since=None):
            for record in records(log, since):
                self.read.append(log)
                yield record

        self.store.find, self.log.records = found, heard

    def end(self, count: int, mode: Mode = Mode.PR_ONLY) -> None:
        """So many more."""
        for number in range(self.ended, self.ended + count):
            run = RUN.model_copy(update={"run_id": f"demo-{number}", "mode": mode})
            given = INPUT.model_copy(update={"run": run})
            self.store.put(run.run_id, "run_report.json", written(build_report(given, None, CONTRACT, None, None, "h")))
            self.store.put(run.run_id, "task_contract.json", written(CONTRACT))
            self.tell("run closed", number, runId=run.run_id)
            self.tell("write settled", number, key=f"{run.run_id}/open_pull_request", outcome="done")
        self.ended += count

    def tell(self, event: str, number: int, **facts: str) -> None:
        """A record of Control's."""
        said = AuditEvent(key=f"{event}/{number}", role=Role.ORCHESTRATOR, event=event, facts=facts)
        self.log.append(LOG, (said,), NOW - timedelta(days=100 - number))

    def reads(self, earning: Earning) -> list[str]:
        """What is read to say what is missing, which is what a fresh look finds."""
        fresh = verdicts_of(Gathering(self.store, self.log).facts(BEGINNING, NOW, "demo"), "demo")
        self.read.clear()
        found = earning.lacks("demo", NOW)
        assert {kind: "" if each.allowed else each.reason for kind, each in fresh.items()} == found
        return list(self.read)


@pytest.fixture(name="past")
def _past(tmp_path: Path) -> Past:
    return Past(tmp_path)


def test_what_was_read_is_not_read_again(past: Past) -> None:
    """Neither records nor artifacts: only what came since, and the last run's policy."""
    earning = Earning(past.store, past.log)
    past.end(14, Mode.DRY_RUN)
    assert 28 == past.reads(earning).count(LOG)
    assert past.reads(earning) == ["demo-13"]
    past.end(2)
    assert {"demo-14", "demo-15", LOG} == set(past.reads(earning))
    (lacks,) = earning.lacks("demo", NOW).values()
    assert "runs ended in PR_ONLY on 2 days, of 14" == lacks


@pytest.mark.parametrize("count", [3, 14, 15])
def test_another_log_is_read_from_its_beginning(past: Past, count: int) -> None:
    """Of a target that was begun again, shorter, as long or longer: nothing of the old one counts."""
    earning = Earning(past.store, past.log)
    past.end(14, Mode.DRY_RUN)
    past.reads(earning)
    past.file.unlink()
    past.end(count)
    past.reads(earning)
    (lacks,) = earning.lacks("demo", NOW).values()
    assert "runs ended in DRY_RUN on 0 days, of 14" == lacks


def test_a_log_that_was_tampered_with_has_earned_nothing(past: Past) -> None:
    """The chain is followed: a record that was taken out makes the whole of it worth nothing."""
    past.end(14, Mode.DRY_RUN)
    lines = past.file.read_bytes().splitlines(keepends=True)
    past.file.write_bytes(b"".join(lines[:5] + lines[6:]))
    assert {} == Earning(past.store, past.log).lacks("demo", NOW)
