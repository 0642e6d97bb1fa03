"""Recorded answers read again in a sandbox: the same bytes, the same records, whatever this process knows."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from activities.source.trying import Trying
from adapters.sandbox.bubblewrap import BubblewrapSandbox
from adapters.sources.replaying import SandboxReplay
from contracts.artifact import ArtifactRef
from contracts.source import Fetched, Quality, Reading
from contracts.source import Grade as Grades
from contracts.trial import TrialFetch
from policies.settings.sources import SourcePolicy, Sources
from policies.source.records import records_of
from ports.sources import Recording, ReplayFailed
from tests.policies.sample_policy import policy

SOURCE = SourcePolicy.model_validate(
    {"name": "a", "http": {"url": "http://a.example/"}, "file": {"path": "a"}, "record_schema": {"required": ["id"]}}
)
FEED = b'<rss version="2.0"><channel><item><guid>x</guid><title>t</title></item></channel></rss>'


def test_5_the_same_bytes_give_the_same_records() -> None:
    """Of JSON and of a feed; what says nothing here says nothing there."""
    bodies = ((b'[{"id": "b"}, {"id": "a"}]', "json"), (FEED, "feed"), (b"[", "json"))
    recorded = [Recording(SOURCE, form, body) for body, form in bodies]
    found = SandboxReplay(BubblewrapSandbox()).digests(recorded, policy(), lambda: None)
    here = [hashlib.sha256(records_of(body, form, SOURCE).written()).hexdigest() for body, form in bodies[:2]]
    assert [*here, ""] == list(found)


def test_5_what_reads_otherwise_is_named_and_no_answer_is_no_yes() -> None:
    """A connector that differs between replays does not pass; nor does one of which nothing could be found out."""
    assert ("fetch 2 of a",) == _replayed(("0" * 64, "1" * 64)).different
    assert () == _replayed(("0" * 64, "0" * 64)).different
    assert "no sandbox" == _replayed(ReplayFailed("no sandbox")).problem


@dataclass
class Says:
    """A replay with an answer of its own."""

    answer: Any

    def digests(self, *_given: object) -> tuple[str, ...]:
        """As told."""
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def _replayed(answer: Any) -> Any:
    ref = ArtifactRef(name="x", sha256="0" * 64, size=1, media_type="", location="x")
    at = datetime(2026, 11, 27, tzinfo=UTC)
    fetched = Fetched(source="a", connector="http", at=at, asked="x", body=ref)
    reading = Reading(fetched=fetched, records=ref, quality=Quality(available=True), grade=Grades.GOOD)
    fetches = tuple(TrialFetch(trial_id="t", number=n, run_id="r", base_sha="b", reading=reading) for n in (1, 2))
    bench: Any = SimpleNamespace(store=SimpleNamespace(get=lambda _ref: b"[]"))
    session: Any = SimpleNamespace(policy=policy(), alive=lambda: None)
    return Trying(bench, Says(answer), lambda _report: "")._replayed(session, fetches, Sources(sources=(SOURCE,)))
