"""A target's log that somebody cut, replaced or deleted says so itself from then on (P10)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from activities import api
from activities.control.admitting import Admitting
from adapters.store.chained_log import ChainedLog
from commands.audit import Places
from contracts.audit import GENESIS, AuditEvent
from contracts.modes import Role
from ports.repository import RepositoryError

LOG = "target/demo"


class Mirror:
    """Keeps heads; or cannot be asked."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}
        self.broken = False

    def anchor(self, name: str, value: str) -> None:
        """Keep a head."""
        self.kept[name] = value

    def anchored(self, name: str) -> str | None:
        """What is kept."""
        if self.broken:
            raise RepositoryError("the mirror is gone")
        return self.kept.get(name)


def place(root: Path) -> Path:
    """Of the log's file."""
    return root / "targets/demo/audit_log.jsonl"


def cut(root: Path) -> None:
    """Its last record."""
    lines = place(root).read_bytes().splitlines(keepends=True)
    place(root).write_bytes(b"".join(lines[:-1]))


def replaced(root: Path) -> None:
    """By a chain of its own."""
    place(root).unlink()
    event = AuditEvent(key="forged", role=Role.AUDIT, event="forged")
    ChainedLog(root).append(LOG, (event,), datetime(2026, 11, 27, tzinfo=UTC))


@pytest.mark.parametrize(
    ("harm", "lost"),
    [
        (cut, True),
        (lambda root: place(root).unlink(), True),
        (lambda root: place(root).write_bytes(b""), True),
        (replaced, True),
        (lambda _root: None, False),
    ],
    ids=["its end cut", "deleted", "emptied", "replaced", "whole"],
)
def test_what_is_appended_to_a_log_that_lost_records_hides_nothing(
    tmp_path: Path, harm: Callable[[Path], None], lost: bool
) -> None:
    """The mirror's head was in it; the next record says that it is not, and `audit verify` goes on finding it."""
    audit, mirror = ChainedLog(tmp_path), Mirror()
    bench = SimpleNamespace(
        audit=audit,
        repositories=lambda _target: mirror,
        policies=SimpleNamespace(effective=lambda _name: SimpleNamespace(target=None), names=lambda: ()),
        index=SimpleNamespace(latest=lambda _count: ()),
    )
    control = Admitting(bench, None, None, None)  # type: ignore[arg-type]  # so much of each is used

    def tell(key: str) -> str:
        events = (AuditEvent(key=key, role=Role.AUDIT, event="run closed"),)
        return control.log_target(
            api.TargetLogInput(target="demo", events=events, now=datetime(2026, 11, 27, tzinfo=UTC))
        ).head

    tell("one")
    head = tell("two")
    harm(tmp_path)
    last = tell("three")
    said = [record.facts["audit_head"] for record in audit.records(LOG) if record.event == "records lost"]
    assert [head] * lost == said
    assert last == mirror.kept[LOG]
    past = Places(bench).past[LOG]  # type: ignore[arg-type]  # its logs, policies and index
    problem = audit.verify(LOG, {"mirror ref": last}, past).problem
    assert lost is (problem is not None and "its own record of a loss" in problem.problem)
    tell("four")
    assert len(said) == sum(record.event == "records lost" for record in audit.records(LOG))


@pytest.mark.parametrize("kept", ["", GENESIS, None], ids=["nothing", "an empty log's", "cannot be asked"])
def test_nothing_to_compare_with_is_no_loss(tmp_path: Path, kept: str | None) -> None:
    """A first record, and a mirror that cannot be asked: the record is written all the same."""
    mirror = Mirror()
    mirror.broken = kept is None
    mirror.kept[LOG] = kept or ""
    bench = SimpleNamespace(
        audit=ChainedLog(tmp_path),
        repositories=lambda _target: mirror,
        policies=SimpleNamespace(effective=lambda _name: SimpleNamespace(target=None)),
    )
    control = Admitting(bench, None, None, None)  # type: ignore[arg-type]  # so much of each is used
    event = AuditEvent(key="one", role=Role.AUDIT, event="run closed")
    control.log_target(api.TargetLogInput(target="demo", events=(event,), now=datetime(2026, 11, 27, tzinfo=UTC)))
    assert ["run closed"] == [record.event for record in bench.audit.records(LOG)]
