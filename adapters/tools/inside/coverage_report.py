"""Inside the sandbox: which lines a coverage report says were never run (Cobertura's XML, LCOV, a Go profile).

Arguments: the report, then the paths that are asked about. Prints JSON, ``{missed: {path: [line]}, ran: {…}}`` or
``{unread}``, the reason. A report names files in its own way: a name counts if it is the end of one path alone.
"""

from __future__ import annotations

import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

GO = re.compile(r"(?P<path>.+):(?P<start>\d+)\.\d+,(?P<end>\d+)\.\d+ \d+ (?P<count>\d+)")
ROW = tuple[str, int, bool]
"""A path, a line of it, and whether it was run."""


def missed(report: bytes, wanted: list[str]) -> dict[str, object]:
    """Lines that the report knows and nothing ran; a line that it does not know is not missed."""
    ran: defaultdict[str, set[int]] = defaultdict(set)
    known: defaultdict[str, set[int]] = defaultdict(set)
    paths: dict[str, str] = {}
    for name, line, was_run in _rows(report):
        if name not in paths:
            paths[name] = _path(name, wanted)
        if path := paths[name]:
            (ran if was_run else known)[path].add(line)
    return {
        "missed": {path: sorted(known[path] - ran[path]) for path in sorted(known.keys() | ran.keys())},
        "ran": {path: sorted(lines) for path, lines in sorted(ran.items())},
    }


def _rows(report: bytes) -> Iterator[ROW]:
    head = report[:2000].lstrip()
    if head.startswith(b"mode:"):
        return _go(report.decode())
    if head.startswith(b"<"):
        return _cobertura(report)
    if re.search(rb"^SF:", report, re.MULTILINE):
        return _lcov(report.decode())
    raise ValueError("it is none of Cobertura's XML, LCOV and Go's profile")


def _cobertura(report: bytes) -> Iterator[ROW]:
    if b"<!ENTITY" in report:
        raise ValueError("it declares entities")
    for file in ET.fromstring(report).iter("class"):  # noqa: S314 — in the sandbox, without entities
        for line in file.iter("line"):
            yield file.get("filename", ""), int(line.get("number", "0")), int(line.get("hits", "0")) > 0


def _lcov(report: str) -> Iterator[ROW]:
    name = ""
    for line in report.splitlines():
        key, _, value = line.partition(":")
        if key == "SF":
            name = value
        elif key == "DA":
            number, hits = value.split(",")[:2]
            yield name, int(number), int(hits) > 0


def _go(report: str) -> Iterator[ROW]:
    for line in report.splitlines()[1:]:
        if found := GO.fullmatch(line):
            for number in range(int(found["start"]), min(int(found["end"]), int(found["start"]) + 10_000) + 1):
                yield found["path"], number, int(found["count"]) > 0


def _path(name: str, wanted: list[str]) -> str:
    """The one path that a name means; empty: none, or it cannot be told."""
    name = name.replace("\\", "/").removeprefix("./")
    if name in wanted:
        return name
    found = [path for path in wanted if name.endswith(f"/{path}") or path.endswith(f"/{name}")]
    return found[0] if len(found) == 1 else ""


if __name__ == "__main__":
    try:
        answer = missed(Path(sys.argv[1]).read_bytes(), sys.argv[2:])
    except (ValueError, ET.ParseError) as error:
        answer = {"unread": f"{type(error).__name__}: {error}"[:200]}
    json.dump(answer, sys.stdout)
