"""The newest runs are known without opening a report."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from adapters.store.run_index import BLOCK, RunIndex
from contracts.modes import RunStatus
from contracts.report import RunReport
from policies.texts.run_report import build_report
from ports.store import StoreError
from tests.reporting.sample_run import INPUT, OPENED, PUSHED


def ended(number: int, target: str = "demo", status: RunStatus = RunStatus.REJECTED) -> RunReport:
    run = INPUT.run.model_copy(update={"run_id": f"{target}-{number}", "target": target})
    ended_at = INPUT.ended_at + timedelta(minutes=number)
    given = INPUT.model_copy(update={"run": run, "status": status, "ended_at": ended_at, "writes": (PUSHED, OPENED)})
    return build_report(given, None, None, None, None, "")


def test_the_newest_come_first(tmp_path: Path) -> None:
    """Newest first, at most as many as asked for, of one target or of all."""
    index = RunIndex(tmp_path)
    for number in range(4):
        index.add(ended(number))
        index.add(ended(number, "other"))

    assert ["other-3", "demo-3", "other-2"] == [run.run_id for run in index.latest(3)]
    assert ["demo-3", "demo-2"] == [run.run_id for run in index.latest(2, "demo")]
    assert () == index.latest(0)
    assert 7 == index.latest(1)[0].pull_request


def test_a_rare_target_is_found_without_reading_the_others_runs(tmp_path: Path) -> None:
    """Ten thousand lines of others are passed over: one that could not even be parsed stops nothing."""
    index = RunIndex(tmp_path)
    index.add(ended(1, "rare"))
    with (tmp_path / "runs" / "index.jsonl").open("ab") as lines:
        lines.write(b'{"target":"other"}\n' * 10_000)

    assert ["rare-1"] == [run.run_id for run in index.latest(5, "rare")]
    with pytest.raises(StoreError):
        index.latest(5)


def test_a_run_noted_twice_is_listed_once(tmp_path: Path) -> None:
    """A retried audit step adds a line; the last one counts."""
    index = RunIndex(tmp_path)
    index.add(ended(1))
    index.add(ended(1, status=RunStatus.PR_OPENED))

    assert [("demo-1", RunStatus.PR_OPENED)] == [(run.run_id, run.status) for run in index.latest(5)]


def test_what_became_of_a_pull_request_reorders_nothing(tmp_path: Path) -> None:
    """A person answers days later: the run says so where it stands, and the latest word counts."""
    index = RunIndex(tmp_path)
    for number in (1, 2):
        index.add(ended(number))
    for word in ("CLOSED by bob", "MERGED by ann"):
        index.became("demo-1", word)

    assert [("demo-2", ""), ("demo-1", "MERGED by ann")] == [(run.run_id, run.became) for run in index.latest(5)]


def test_answers_are_read_for_the_runs_that_are_shown(tmp_path: Path) -> None:
    """Ten thousand others are passed over: one that could not even be parsed stops nothing."""
    index = RunIndex(tmp_path)
    index.add(ended(1))
    index.became("demo-1", "MERGED by ann")
    with (tmp_path / "runs" / "became.jsonl").open("ab") as lines:
        lines.write(b'{"runId":"other-7","nonsense":true}\n' * 10_000)

    assert {"demo-1": "MERGED by ann"} == index.outcomes(["demo-1"])
    assert "MERGED by ann" == index.latest(5)[0].became
    with pytest.raises(StoreError):
        index.outcomes()


def test_lists_longer_than_a_block_are_whole(tmp_path: Path) -> None:
    """Lines that lie across the edges of what is read at once are not lost or torn."""
    index = RunIndex(tmp_path)
    index.add(ended(0))
    line = (tmp_path / "runs/index.jsonl").read_text()
    count = 3 * BLOCK // len(line)
    lines = [line.replace("demo-0", f"demo-{number}") for number in range(count)]
    (tmp_path / "runs/index.jsonl").write_text("".join(lines))

    assert [f"demo-{number}" for number in reversed(range(count))] == [run.run_id for run in index.latest(count + 1)]


def test_no_run_yet_is_an_empty_list(tmp_path: Path) -> None:
    """A new installation has no runs; asking creates nothing."""
    assert () == RunIndex(tmp_path).latest(5)
    assert [] == list(tmp_path.iterdir())


def test_an_interrupted_note_is_passed_over_damage_is_not(tmp_path: Path) -> None:
    """What a killed worker left half written is no run; any other bad line is an error that names the file."""
    index, path = RunIndex(tmp_path), tmp_path / "runs/index.jsonl"
    index.add(ended(1))
    path.write_bytes(path.read_bytes() + b'{"runId": "demo-2')

    assert ["demo-1"] == [run.run_id for run in index.latest(5)]
    index.add(ended(3))
    assert ["demo-3", "demo-1"] == [run.run_id for run in index.latest(5)]
    path.write_bytes(b"nonsense\n")
    with pytest.raises(StoreError, match=r"index\.jsonl has a damaged line"):
        index.latest(5)


def test_a_damaged_line_about_pull_requests_names_its_own_file(tmp_path: Path) -> None:
    """Beside the index there is a second file: whoever mends it must know which."""
    index = RunIndex(tmp_path)
    index.add(ended(1))
    index.became("demo-1", "MERGED by ann")
    (tmp_path / "runs" / "became.jsonl").write_text("{}\n")
    for look in (index.outcomes, lambda: index.latest(1)):
        with pytest.raises(StoreError, match=r"became\.jsonl has a damaged line"):
            look()
