"""One look at a target's sources (runbook §5): each is asked once, however many are compared with it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from activities.source.reading import SourceReader
from activities.source.recording import record_sources
from adapters.store.local_store import LocalStore
from contracts.source import SourceBook, SourceRecord, SourceState
from policies.settings.sources import SourcePolicy, Sources
from ports.sources import SourceAnswer, SourceRequest
from tests.policies.sample_policy import policy

NOW = datetime(2026, 11, 27, tzinfo=UTC)
SOURCES = Sources.model_validate(
    {
        "sources": [
            {"name": "one", "fallback": "spare", "repository": {"path": "a"}, "file": {"path": "b"}},
            {"name": "spare", "repository": {"path": "c"}, "file": {"path": "d"}},
        ]
    }
)


class Counting:
    """Answers anything, and says by whom it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def fetch(self, source: SourcePolicy, asked: SourceRequest) -> SourceAnswer:  # the port's shape
        """One record."""
        self.asked.append(source.name)
        return SourceAnswer(source.name, json.dumps([{"id": "a", "n": len(self.asked)}]).encode())


def test_what_is_also_a_fallback_is_asked_once_a_look(tmp_path: Path) -> None:
    """As a baseline and for itself; what it said is the same. A later look asks anew."""
    connector, store = Counting(), LocalStore(tmp_path)
    reader = SourceReader({"repository": connector}, store)

    def keep(name: str, body: bytes, media_type: str):
        return store.put("run", f"{len(connector.asked)}/{name}", body, media_type)

    for look in (1, 2):
        asked = SourceRequest(policy(), None, "b" * 40)
        readings = [reader.read(each, SOURCES, asked, NOW, keep) for each in SOURCES.sources]
        assert ["one", "spare"] * look == connector.asked
        assert [1, 1] == [each.quality.records for each in readings]


APPROVED = {"licence": "CC0-1.0", "compliance": "approved", "compliance_reference": "legal #7"}


@pytest.mark.parametrize(
    ("spare", "lowered", "said"),
    [
        ({"state": "PRODUCTION"}, None, ""),
        ({"state": "CANDIDATE"}, None, "its fallback spare may not stand in: CANDIDATE by the policy"),
        ({"state": "PRODUCTION"}, "DISABLED", "its fallback spare may not stand in: DISABLED by ann: a drill"),
        ({"state": "PRODUCTION", "compliance": "refused"}, None, "may not stand in: its use is refused: legal #7"),
    ],
)
def test_bad_input_a_fallback_that_may_not_stand_in(
    spare: dict[str, str], lowered: SourceState | None, said: str, tmp_path: Path
) -> None:
    """Issue 12, bad input: a fallback that is itself degraded, or that nobody promoted: not asked, and said."""
    one = APPROVED | {"name": "one", "state": "DEGRADED", "fallback": "spare", "repository": {"path": "a"}}
    other = APPROVED | {"name": "spare", "targets": ["elsewhere"], "repository": {"path": "c"}} | spare
    sources = Sources.model_validate({"sources": [each | {"file": {"path": "b"}} for each in (one, other)]})
    record = SourceRecord(source="spare", lowered=lowered, by="ann", reason="a drill")
    store, connector = LocalStore(tmp_path), Counting()
    desk = SimpleNamespace(query=lambda *_: SourceBook(sources=(record,)), ask=lambda *_: None)
    session: Any = SimpleNamespace(
        policy=policy().model_copy(update={"sources": sources}),
        run=SimpleNamespace(target="demo", run_id="demo-1"),
        bench=SimpleNamespace(control=desk, store=store),
        input=SimpleNamespace(base_sha="b" * 40),
        repository=None,
        alive=None,
        save=lambda name, body, media_type: store.put("run", name, body, media_type),
        note=lambda *_, **__: None,
    )
    found = record_sources(session, SourceReader({"repository": connector}, store))
    assert ([] if said else ["spare"]) == connector.asked
    assert bool(said) == bool(found.missing)
    assert not said or said in found.missing[0]
