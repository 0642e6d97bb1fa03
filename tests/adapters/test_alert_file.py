"""Alerts are on the disk before ``send`` returns, or it raises."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from adapters.alerts.built_in import AlertFile
from adapters.sandbox.bwrap_program import find_bwrap
from contracts.alert import Alert
from ports.alerts import ChannelFailed

ALERT = Alert(kind="run_failed", target="demo", run_id="demo-1", summary="a\nb \udc80", fingerprint="f1")


def test_each_alert_is_one_line_with_its_time(tmp_path: Path) -> None:
    """The same alert sent twice is two lines with one fingerprint: at least once."""
    sink = AlertFile(tmp_path / "alerts/alerts.jsonl")
    sink.send(ALERT)
    sink.send(ALERT)
    lines = [json.loads(line) for line in (tmp_path / "alerts/alerts.jsonl").read_text().splitlines()]

    assert ["f1", "f1"] == [line["fingerprint"] for line in lines]
    assert "a\nb \\udc80" == lines[0]["summary"]
    assert datetime.fromisoformat(lines[0]["at"]) <= datetime.fromisoformat(lines[1]["at"])


def test_a_torn_line_does_not_spoil_the_next_alert(tmp_path: Path) -> None:
    """What a killed writer left is set aside."""
    path = tmp_path / "alerts.jsonl"
    path.write_bytes(b'{"at": "20')
    AlertFile(path).send(ALERT)

    assert 1 == len([json.loads(line) for line in path.read_text().splitlines()])


def test_a_full_disk_raises(tmp_path: Path) -> None:
    """An alert that is not on the disk was not delivered, and the alerts before it are whole."""
    script = (
        "import sys\nfrom tests.adapters.test_alert_file import *\n"
        "sink = AlertFile(Path(sys.argv[1]) / 'alerts.jsonl')\n"
        "for _ in range(9999): sink.send(ALERT.model_copy(update={'summary': 'x' * 1000}))\n"
    )
    bwrap = [find_bwrap(), "--dev-bind", "/", "/", "--size", "100000", "--tmpfs", tmp_path]
    reread = "import sys\nfor line in open(sys.argv[1] + '/alerts.jsonl'): __import__('json').loads(line); print(1)"
    done = subprocess.run(
        [*bwrap, "--", "sh", "-c", '"$0" -c "$1" "$3"; "$0" -c "$2" "$3"', sys.executable, script, reread, tmp_path],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )

    assert "No space left on device" in done.stderr
    assert done.stdout.count("1") > 10


def test_a_folder_in_the_way_raises(tmp_path: Path) -> None:
    """What cannot be opened is a refusal that names the path."""
    with pytest.raises(ChannelFailed, match=str(tmp_path)):
        AlertFile(tmp_path).send(ALERT)
