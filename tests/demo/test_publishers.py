"""What the feeds of ``make demo-sources`` say, on a server of its own: the good one, and each way to go wrong."""

from __future__ import annotations

import csv
import json
import tomllib
import urllib.request
from datetime import UTC, datetime, timedelta

from demo.atlas import entry
from demo.loopback import serving
from demo.publishers import DataSet, Publishers
from policies.settings.sources import Sources

ROWS = tuple(
    {"alpha2": f"{one}{two}", "alpha3": f"{one}{two}X", "numeric": f"{number:03}", "name": f"{one}{two}land"}
    for number, (one, two) in enumerate((one, two) for one in "ABCDE" for two in "ABCD")
)
OLD = tuple(row | {"name": f"old {row['name']}"} for row in ROWS)


def of(root: str, path: str) -> tuple[list[dict[str, str]], datetime]:
    """The records of a feed, and when it was issued."""
    with urllib.request.urlopen(f"{root}{path}", timeout=10) as answer:  # noqa: S310  # our own, on loopback
        text = answer.read().decode()
    records = list(csv.DictReader(text.splitlines())) if path.endswith(".csv") else json.loads(text)["countries"]
    return records, datetime.fromisoformat(records[0]["issued"])


def test_each_feed_goes_wrong_in_one_way() -> None:
    """Fresh, old, at odds with the others; the good one decays when it is told to; nobody else answers."""
    sets = {
        name: DataSet("list==1", "MIT", OLD if name == "geonames-2015" else ROWS)
        for name in ("iso-codes", "geonames", "geonames-2015", "converter")
    }
    publishers = Publishers(sets)
    with serving(publishers.answer) as root:
        lately = datetime.now(UTC) - timedelta(hours=1, minutes=1)
        for path in ("/iso-codes.json", "/geonames.json", "/converter.csv"):
            records, issued = of(root, path)
            assert issued > lately
            assert list(ROWS) == [{name: each[name] for name in ROWS[0]} for each in records]
        assert 2015 == of(root, "/geonames-2015.json")[1].year
        altered = of(root, "/gazetteer.json")[0]
        assert 4 == sum(one["numeric"] != other["numeric"] for one, other in zip(altered, ROWS, strict=True))
        assert altered[0].keys() == of(root, "/gazetteer.json")[0][0].keys()
        publishers.decay("/geonames.json")
        records, issued = of(root, "/geonames.json")
        assert (2015, "old AAland") == (issued.year, records[0]["name"])


def test_an_entry_is_what_the_policy_takes() -> None:
    """Of both formats; with a fallback it is judged by its conflicts, too."""
    settings = 'fallback = "other"\ncompared = ["numeric"]\n'
    found = DataSet("list==1", "MIT", ROWS)
    text = entry("other", "http://127.0.0.1:1/a.csv", found, "a.json", "")
    text += entry("one", "http://127.0.0.1:1/a.json", found, "b.json", settings)
    other, one = Sources.model_validate(tomllib.loads(text)).sources
    assert ("csv", "json") == (other.http.format, one.http.format)
    assert (None, 0.05) == (other.thresholds.conflict_rate, one.thresholds.conflict_rate.breach)
