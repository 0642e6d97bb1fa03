"""One look at a target's sources (runbook §5): each is asked once, however many are compared with it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

from activities.source.reading import SourceReader
from adapters.store.local_store import LocalStore
from policies.settings.sources import SourcePolicy, Sources
from ports.sources import Answered, Asked
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

    def fetch(self, source: SourcePolicy, asked: Asked) -> Answered:  # the port's shape
        """One record."""
        self.asked.append(source.name)
        return Answered(source.name, json.dumps([{"id": "a", "n": len(self.asked)}]).encode())


def test_what_is_also_a_fallback_is_asked_once_a_look(tmp_path: Path) -> None:
    """As a baseline and for itself; what it said is the same. A later look asks anew."""
    connector, store = Counting(), LocalStore(tmp_path)
    reader = SourceReader({"repository": connector}, store)

    def keep(name: str, body: bytes, media_type: str):
        return store.put("run", f"{len(connector.asked)}/{name}", body, media_type)

    for look in (1, 2):
        asked = Asked(policy(), None, "b" * 40)
        readings = [reader.read(each, SOURCES, asked, NOW, keep) for each in SOURCES.sources]
        assert ["one", "spare"] * look == connector.asked
        assert [1, 1] == [each.quality.records for each in readings]
