"""From bytes to records, and how good they are (runbook §5; sister documents, "trial metrics")."""

import json
import re
import tomllib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from contracts.source import Grade, Record, SourceState
from policies.settings.sources import SourcePolicy, Sources
from policies.source.quality import grade, quality
from policies.source.records import Normalised, NotReadable, records_of
from settings import ROOT

NOW = datetime(2026, 3, 30, 6, tzinfo=UTC)


def source(**more):
    """A source of advisories."""
    return SourcePolicy.model_validate(
        {"name": "advisories", "repository": {"path": "a.json"}, "file": {"path": "b.json"}} | more
    )


def read(body: object, form="json", **more) -> Normalised:
    """Records of an answer."""
    return records_of(body if isinstance(body, bytes) else json.dumps(body).encode(), form, source(**more))


def keys(found: Normalised) -> list[str]:
    """Of its records."""
    return [record.key for record in found.records]


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ("json", b'[{"id": "b", "n": "2"}, {"id": "a", "n": "1"}]'),
        ("jsonl", b'{"id": "b", "n": "2"}\n\n{"id": "a", "n": "1"}\n'),
        ("csv", b"\xef\xbb\xbfid,n\r\nb,2\r\na,1\r\n"),
    ],
)
def test_formats_say_the_same(form, body):
    """Sorted by key, whatever the order."""
    assert (
        b'{"at": null, "key": "a", "payload": {"id": "a", "n": "1"}}\n'
        == read(body, form).written().splitlines(True)[0]
    )
    assert ["a", "b"] == keys(read(body, form))


def test_a_feed():
    """Atom and RSS; times as the entries have them."""
    atom = b"""<feed xmlns="http://www.w3.org/2005/Atom"><entry><id>x</id><title>T &amp; U</title>
        <updated>2026-03-29T06:00:00Z</updated></entry></feed>"""
    (record,) = read(atom, "feed", mapping={"at": "at"}).records
    assert ("x", "T & U", NOW - timedelta(days=1)) == (record.key, record.payload["title"], record.at)
    (never,) = read(atom.replace(b"2026-03-29T06:00:00Z", b"0001-01-01T00:00:00+01:00"), "feed").records
    assert "at" not in never.payload
    bomb = b'<!DOCTYPE l [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><feed>&b;</feed>'
    with pytest.raises(NotReadable):
        read(bomb, "feed")


@pytest.mark.parametrize(
    ("body", "form", "told"),
    [
        (b"{", "json", "not JSON"),
        (b"[" * 5000, "json", "not JSON"),
        (b"\xff", "json", "not JSON"),
        ({"items": []}, "json", "an object, not to a list"),
        (b'{"id": 1}\nnope\n', "jsonl", "not JSON"),
        (b"id,n\na\n", "csv", "another number of fields"),
        (b'id\n"a', "csv", "not CSV"),
        (b"<html>moved</html>", "feed", "no RSS or Atom"),
        (b"", "feed", "no RSS or Atom"),
        ([{"id": number} for number in range(20_001)], "json", "at most 20000"),
    ],
)
def test_what_cannot_be_read_says_nothing(body, form, told):
    """Nothing is concluded from half an answer."""
    with pytest.raises(NotReadable, match=told):
        read(body, form)


def test_5_a_record_that_is_none_is_named():
    """Each with its place and its reason; of a key the first one counts."""
    raw = [{"id": "a"}, {"id": "a"}, {"id": None}, {"id": True}, {"id": ["x"]}, "x", {"id": "b", "n": 1}, {"id": 7}]
    schema = {"properties": {"n": {"type": "string"}}, "$defs": {}}
    found = read(raw, record_schema=schema)
    assert ["7", "a"] == keys(found)
    assert {
        1: "a second record of the key a",
        2: "its key is nothing",
        3: "its key is true or false",
        4: "its key is a list",
    }.items() <= {each.place: each.reason for each in found.refused}.items()
    assert "n: 1 is not of type 'string'" in {each.reason for each in found.refused}
    assert 6 == len(found.refused)


@pytest.mark.parametrize("at", ["tomorrow", "2026-13-01", None, True, 1e300])
def test_a_time_that_is_none(at):
    """A record that should say when it was written, and does not."""
    assert 1 == len(read([{"id": "a", "t": at}], mapping={"at": "t"}).refused)


@pytest.mark.parametrize("at", ["2026-03-30", "2026-03-30T00:00:00+00:00", "2026-03-30T02:00:00+02:00", 1774828800])
def test_times(at):
    """RFC 3339, a date, seconds since 1970."""
    (record,) = read([{"id": "a", "t": at}], mapping={"at": "t"}).records
    assert datetime(2026, 3, 30, tzinfo=UTC) == record.at


def test_a_schema_fetches_nothing():
    """What a reference names elsewhere is refused, not asked for."""
    with pytest.raises(Exception, match=r"(?i)unresolvable|nowhere"):
        read([{"id": "a"}], record_schema={"$ref": "http://127.0.0.1:1/nowhere.json"})


def test_a_wrong_expression_is_told():
    """By the name of the setting."""
    with pytest.raises(NotReadable, match=r"mapping\.records"):
        read([], mapping={"records": "[["})


@given(st.permutations([{"id": key, "v": key} for key in "abcdef"]))
def test_order_does_not_matter(raw):
    """The same records, the same bytes."""
    assert read(raw).written() == read(sorted(raw, key=lambda each: each["id"])).written()


def test_quality():
    """Against a baseline, and by itself; of nothing there is no share."""
    ours = read(
        [{"id": "a", "v": 1, "t": "2026-03-30"}, {"id": "b", "v": 2, "t": "2026-03-29"}, {"id": "a"}],
        mapping={"at": "t"},
    )
    other = read([{"id": "a", "v": 1}, {"id": "b", "v": 3}, {"id": "c", "v": 1}, {"id": "d"}])
    measured = quality(source(compared=["v"]), ours, NOW, other.records)
    assert (2, 6, 0.5, 0.5) == (measured.records, measured.freshness_hours, measured.coverage, measured.conflict_rate)
    assert 2 / 3 == measured.schema_validity
    alone = quality(source(wanted_records=8), ours, NOW, None)
    assert (0.25, None) == (alone.coverage, alone.conflict_rate)
    nothing = quality(source(), read([]), NOW, None)
    assert (None, None, None) == (nothing.coverage, nothing.freshness_hours, nothing.schema_validity)
    assert not quality(source(), None, NOW, None).available


@pytest.mark.parametrize(
    ("age", "grade_"), [(0, Grade.GOOD), (24, Grade.GOOD), (25, Grade.WARN), (72, Grade.WARN), (73, Grade.BREACH)]
)
def test_thresholds(age, grade_):
    """Both bounds are still within."""
    limits = {"thresholds": {"freshness_hours": {"warn": 24, "breach": 72}}, "mapping": {"at": "t"}}
    found = read([{"id": "a", "t": (NOW - timedelta(hours=age)).isoformat()}], **limits)
    graded, reasons = grade(source(**limits), quality(source(**limits), found, NOW, None))
    assert grade_ is graded
    older = f"{age} hours" if age < 48 else "3 days"
    bound = {Grade.GOOD: "", Grade.WARN: "24 hours is good", Grade.BREACH: "3 days"}[grade_]
    assert ([f"its newest record is {older} old; at most {bound}"] if bound else []) == list(reasons)


@pytest.mark.parametrize(("ahead", "age"), [(0, 0), (23, 0), (25, None), (24 * 365 * 70, None)])
def test_5_a_record_from_the_future_is_not_fresh(ahead, age):
    """It would look new for ever; beside one that can be, that one's age counts."""
    later, old = (Record(key=str(each), at=NOW + timedelta(hours=each), payload={}) for each in (ahead, -50))
    assert age == quality(source(), Normalised((later,), ()), NOW, None).freshness_hours
    assert (50 if age is None else 0) == quality(source(), Normalised((later, old), ()), NOW, None).freshness_hours


def test_what_cannot_be_told_is_not_good():
    """A threshold without a value warns; no answer is a breach."""
    judged = source(thresholds={"conflict_rate": {"warn": 0, "breach": 0.1}})
    assert (Grade.WARN, ("conflict rate: nothing to tell it by",)) == grade(
        judged, quality(judged, read([{"id": "a"}]), NOW, None)
    )
    assert Grade.BREACH is grade(judged, quality(judged, None, NOW, None))[0]


APPROVED = {"compliance": "approved", "compliance_reference": "legal #7", "licence": "CC0-1.0"}


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"http": {"url": "https://a.example/x"}}, "one connector"),
        ({"repository": None}, "one connector"),
        ({"file": None}, "for one thing"),
        ({"candidates": {"path": "p", "message": "m"}}, "for one thing"),
        ({"state": "PRODUCTION"}, "who approved it"),
        ({"state": "PRODUCTION"} | APPROVED | {"licence": "unknown"}, "needs a licence"),
        ({"state": "PRODUCTION"} | APPROVED | {"compliance_reference": ""}, "who approved it"),
        ({"thresholds": {"coverage": {"warn": 0.5, "breach": 0.9}}}, "must be above"),
        ({"thresholds": {"conflict_rate": {"warn": 0.5, "breach": 0.1}}}, "must be below"),
        ({"repository": None, "http": {"url": "ftp://a.example/x"}}, "pattern"),
        ({"repository": None, "http": {"url": "https://a.example/x", "header": "Authorization"}}, "belong together"),
        ({"file": {"path": "/etc/passwd"}}, "pattern"),
        ({"unknown": 1}, "Extra inputs"),
    ],
)
def test_a_source_that_is_none_is_refused(more, told):
    """Before it is ever asked."""
    with pytest.raises(ValidationError, match=told):
        source(**more)


def test_names_lead_to_other_sources():
    """A fallback or baseline is another source of the file."""
    assert SourceState.PRODUCTION is source(state="PRODUCTION", **APPROVED).state
    for more in ({"fallback": "nobody"}, {"fallback": "advisories"}, {"baseline": "nobody"}):
        with pytest.raises(ValidationError, match="is no other source"):
            Sources(sources=(source(**more),))
    with pytest.raises(ValidationError, match="two sources"):
        Sources(sources=(source(), source()))


def test_the_pages_example_is_a_file_of_sources():
    """What docs/sources.md shows can be copied as it stands."""
    text = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```toml\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    assert blocks
    files = [Sources.model_validate(tomllib.loads(block)) for block in blocks]
    assert all(file.of("demo") for file in files if file.sources)
