"""The audit log shows every change made to it (P10)."""

from __future__ import annotations

import multiprocessing
import resource
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.store import chained_log, durable_files
from adapters.store.audit_chain import line_of, seal
from adapters.store.chained_log import ChainedLog
from contracts.audit import GENESIS, AuditEvent
from contracts.modes import Role
from ports.store import StoreError

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LOG = "run/demo-1"
FORK = multiprocessing.get_context("fork")


def event(key: str, /, **facts: str | float | bool | None) -> AuditEvent:
    return AuditEvent(key=key, role=Role.AUDIT, event="step ended", facts=facts)


def path_of(root: Path) -> Path:
    return root / "runs/demo-1/audit_log.jsonl"


def lines_of(root: Path) -> list[bytes]:
    return path_of(root).read_bytes().splitlines(keepends=True)


def filled(root: Path, count: int = 6) -> ChainedLog:
    log = ChainedLog(root)
    for number in range(1, count + 1):
        log.append(LOG, (event(f"k{number}", number=number, text="Straße \u202e \udc80", share=0.5, no=None),), NOW)
    return log


def test_an_untouched_log_verifies(tmp_path: Path) -> None:
    """Records come back as sealed, in order, and their chain holds against its anchor."""
    log = filled(tmp_path)
    head = log.head(LOG)
    answer = log.verify(LOG, {"mirror ref": head})

    assert answer.problem is None
    assert (6, head) == (answer.records, answer.head)
    assert [f"k{number}" for number in range(1, 7)] == [record.key for record in log.records(LOG)]
    records = list(log.records(LOG))
    assert [GENESIS, *(record.hash for record in records[:-1])] == [record.previous for record in records]


def test_a_known_key_is_recorded_once(tmp_path: Path) -> None:
    """A retried step adds nothing and gets the same head; its new events are added."""
    log = filled(tmp_path, 2)
    head = log.head(LOG)

    assert head == log.append(LOG, (event("k1"), event("k2")), NOW)
    assert head != log.append(LOG, (event("k2"), event("k3"), event("k3")), NOW)
    assert ["k1", "k2", "k3"] == [record.key for record in log.records(LOG)]
    assert log.verify(LOG, {}).problem is None


def test_a_key_quoted_among_facts_is_not_a_known_key(tmp_path: Path) -> None:
    """Facts that look like another record's key cannot make that record vanish."""
    log = ChainedLog(tmp_path)
    log.append(LOG, (event("k1", key="k2", log=LOG), event("k9", text='"key":"k3"')), NOW)
    log.append(LOG, (event("k2"), event("k3")), NOW)

    assert ["k1", "k9", "k2", "k3"] == [record.key for record in log.records(LOG)]


def test_the_log_is_private_and_found_by_name(tmp_path: Path) -> None:
    """Only its owner reads it; runs and targets are listed; other names are refused."""
    log = filled(tmp_path, 1)
    log.append("target/demo", (event("k"),), NOW)

    assert 0o600 == stat.S_IMODE(path_of(tmp_path).stat().st_mode)
    assert ("run/demo-1", "target/demo") == log.logs()
    assert (("run/demo-1",), (), ("target/demo",)) == tuple(
        log.logs(begins=name) for name in ("run/de", "x", "target/")
    )
    for name in ("demo", "run/../x", "run/a/b", "other/x", "run/"):
        with pytest.raises(StoreError, match="is no audit log"):
            log.append(name, (event("k"),), NOW)


def test_no_log_has_no_head_and_does_not_verify(tmp_path: Path) -> None:
    """A log that vanished is a problem, not an empty success."""
    log = ChainedLog(tmp_path)

    assert log.head(LOG) is None
    assert [] == list(log.records(LOG))
    assert "there is no such log" == log.verify(LOG, {}).problem.problem


TAMPERINGS = {
    "drop": lambda lines, at: lines[:at] + lines[at + 1 :],
    "duplicate": lambda lines, at: [*lines[: at + 1], *lines[at:]],
    "swap": lambda lines, at: [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]],
    "edit": lambda lines, at: [*lines[:at], lines[at].replace(b"step ended", b"step begun"), *lines[at + 1 :]],
    "reword": lambda lines, at: [*lines[:at], lines[at].replace(b'"seq":', b'"seq": '), *lines[at + 1 :]],
    "garbage": lambda lines, at: [*lines[:at], b"\xff\n", *lines[at:]],
    "nesting": lambda lines, at: [*lines[:at], b"[" * 100_000 + b"\n", *lines[at:]],
    "blank line": lambda lines, at: [*lines[:at], b"\n", *lines[at:]],
}


@pytest.mark.parametrize("at", [0, 2, 4])
@pytest.mark.parametrize("tampering", TAMPERINGS)
def test_tampering_is_found_at_its_record(tmp_path: Path, tampering: str, at: int) -> None:
    """Without any anchor: what was dropped, repeated, moved, edited or put in is named by its place."""
    log = filled(tmp_path)
    path_of(tmp_path).write_bytes(b"".join(TAMPERINGS[tampering](lines_of(tmp_path), at)))
    problem = log.verify(LOG, {}).problem

    assert at + 1 + (tampering == "duplicate") == problem.seq


def test_a_record_sealed_anew_breaks_the_next_link(tmp_path: Path) -> None:
    """An edit with a recomputed hash is found one record later; at the end of the log, by the anchor."""
    log = filled(tmp_path)
    head, records, lines = log.head(LOG), list(log.records(LOG)), lines_of(tmp_path)
    for at, bad in ((2, 4), (5, 7)):
        record = records[at]
        forged = line_of(seal(event(record.key, number=99), LOG, record.seq, record.at, record.previous))
        path_of(tmp_path).write_bytes(b"".join([*lines[:at], forged, *lines[at + 1 :]]))

        assert bad == log.verify(LOG, {"temporal": head}).problem.seq


def test_a_wrong_number_is_found_even_when_sealed_anew(tmp_path: Path) -> None:
    """The last record, renumbered and its hash recomputed, links correctly and is wrong all the same."""
    log = filled(tmp_path)
    last = list(log.records(LOG))[-1]
    forged = line_of(seal(event(last.key), LOG, 9, last.at, last.previous))
    path_of(tmp_path).write_bytes(b"".join([*lines_of(tmp_path)[:-1], forged]))

    assert 6 == log.verify(LOG, {}).problem.seq


@pytest.mark.parametrize("left", [0, 1, 3, 5])
def test_a_cut_tail_is_found_by_its_anchor(tmp_path: Path, left: int) -> None:
    """What is left is a valid chain; only the head kept elsewhere shows that the end is missing."""
    log = filled(tmp_path)
    head = log.head(LOG)
    path_of(tmp_path).write_bytes(b"".join(lines_of(tmp_path)[:left]))

    assert log.verify(LOG, {}).problem is None
    problem = log.verify(LOG, {"mirror ref": head}).problem
    assert left + 1 == problem.seq
    assert "tail cut or file replaced" in problem.problem
    assert "mirror ref" in problem.problem


def test_records_behind_an_anchors_back_are_found(tmp_path: Path) -> None:
    """An anchor that is in the chain but not its head names the first record it does not know."""
    log = filled(tmp_path, 4)
    head = log.head(LOG)
    log.append(LOG, (event("forged"),), NOW)
    problem = log.verify(LOG, {"temporal": log.head(LOG), "mirror ref": head}).problem

    assert (5, True) == (problem.seq, "mirror ref" in problem.problem)


def test_a_replaced_file_is_found(tmp_path: Path) -> None:
    """Another log's file is found by its name, an old copy and a forged chain by the anchor, a deleted one always."""
    log = filled(tmp_path, 3)
    old_copy, head = path_of(tmp_path).read_bytes(), filled(tmp_path, 5).head(LOG)
    log.append("run/other", (event("k1"),), NOW)
    (tmp_path / "forged").mkdir()
    filled(tmp_path / "forged", 2).append(LOG, (event("x"), event("y"), event("z")), NOW)
    files = ((tmp_path / "runs/other/audit_log.jsonl").read_bytes(), path_of(tmp_path / "forged").read_bytes())

    for bytes_, seq in ((files[0], 1), (files[1], 6), (old_copy, 4)):
        path_of(tmp_path).write_bytes(bytes_)
        assert seq == log.verify(LOG, {"temporal": head}).problem.seq
    path_of(tmp_path).unlink()
    assert 1 == log.verify(LOG, {"temporal": head}).problem.seq


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_byte_is_found(tmp_path: Path, data: st.DataObject) -> None:
    """Whichever byte becomes whatever other byte: the record it belongs to is named."""
    path_of(tmp_path).unlink(missing_ok=True)
    log = filled(tmp_path, 4)
    body = bytearray(path_of(tmp_path).read_bytes())
    at = data.draw(st.integers(0, len(body) - 1))
    flip = data.draw(st.integers(1, 255))
    record = body[:at].count(b"\n") + 1
    body[at] ^= flip
    path_of(tmp_path).write_bytes(body)

    assert record == log.verify(LOG, {}).problem.seq


@pytest.mark.parametrize("at", [0, 3])
def test_nothing_is_appended_after_a_damaged_end(tmp_path: Path, at: int) -> None:
    """A damaged last record stops every writer: the chain must not go on over it."""
    log = filled(tmp_path, at + 1)
    body = path_of(tmp_path).read_bytes().replace(b"k%d" % (at + 1), b"kX")
    path_of(tmp_path).write_bytes(body)

    with pytest.raises(StoreError, match="run `audit verify`"):
        log.append(LOG, (event("next"),), NOW)
    assert body == path_of(tmp_path).read_bytes()


@pytest.mark.parametrize("kept", [0, 1, 40, -1])
def test_an_interrupted_append_is_set_aside(tmp_path: Path, kept: int) -> None:
    """A torn last line was never acknowledged: it is kept beside the log, and the chain goes on before it."""
    log = filled(tmp_path, 3)
    *whole, last = lines_of(tmp_path)
    torn = last[:kept]
    path_of(tmp_path).write_bytes(b"".join(whole) + torn)

    assert ["k1", "k2"] == [record.key for record in log.records(LOG)]
    log.append(LOG, (event("k3"),), NOW)
    assert ["k1", "k2", "k3"] == [record.key for record in log.records(LOG)]
    assert log.verify(LOG, {}).problem is None
    aside = tmp_path / "runs/demo-1/audit_log.jsonl.torn"
    assert torn + b"\n" * bool(torn) == (aside.read_bytes() if torn else b"")


def append_beyond_the_limit(root: Path) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (path_of(root).stat().st_size + 100,) * 2)
    try:
        ChainedLog(root).append(LOG, (event("k4"), event("k5")), NOW)
    except StoreError as error:
        root.joinpath("said").write_text(str(error))


def test_an_append_that_fails_leaves_the_log_as_it_was(tmp_path: Path) -> None:
    """A full disk is an error with the file's name, and not one byte of the new records stays."""
    log = filled(tmp_path, 3)
    before = path_of(tmp_path).read_bytes()
    writer = FORK.Process(target=append_beyond_the_limit, args=(tmp_path,))
    writer.start()
    writer.join(30)

    assert f"cannot append to the audit log {path_of(tmp_path)}" in tmp_path.joinpath("said").read_text()
    assert before == path_of(tmp_path).read_bytes()
    assert log.verify(LOG, {"temporal": log.append(LOG, (event("k4"),), NOW)}).problem is None


def append_many(root: Path, writer: int) -> None:
    log = ChainedLog(root)
    for number in range(40):
        log.append(LOG, (event(f"shared-{number}"), event(f"own-{writer}-{number}")), NOW)


def test_four_writers_make_one_chain(tmp_path: Path) -> None:
    """Processes that append at the same time: every key once, no link broken."""
    writers = [FORK.Process(target=append_many, args=(tmp_path, number)) for number in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    log = ChainedLog(tmp_path)
    keys = [record.key for record in log.records(LOG)]

    assert [0, 0, 0, 0] == [writer.exitcode for writer in writers]
    assert 5 * 40 == len(keys) == len(set(keys))
    assert log.verify(LOG, {"temporal": log.head(LOG)}).problem is None


def test_a_planted_link_is_not_followed(tmp_path: Path) -> None:
    """The log never goes to where a link points."""
    path_of(tmp_path).parent.mkdir(parents=True)
    path_of(tmp_path).symlink_to(tmp_path / "elsewhere")

    with pytest.raises(StoreError, match="cannot append"):
        ChainedLog(tmp_path).append(LOG, (event("k"),), NOW)
    assert not (tmp_path / "elsewhere").exists()


def read_by(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object]) -> int:
    """Bytes of log lines that were read for it."""
    read: list[int] = []
    real = durable_files.read_lines

    def counted(path: Path, size: int, begin: int = 0) -> Iterator[bytes]:
        for line in real(path, size, begin):
            read.append(len(line))
            yield line

    with monkeypatch.context() as patched:
        patched.setattr(durable_files, "read_lines", counted)
        patched.setattr(chained_log, "read_lines", counted)
        work()
    return sum(read)


def test_an_append_reads_what_was_added_since_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A target's log grows by each run for years; what others append meanwhile, a new file and a known key are met."""
    log = filled(tmp_path, 200)
    whole = path_of(tmp_path).stat().st_size
    assert 0.02 * whole > read_by(monkeypatch, lambda: log.append(LOG, (event("new"),), NOW))
    # Another process, which knows nothing of ours.
    other = FORK.Process(target=filled, args=(tmp_path, 202))
    other.start()
    other.join(60)
    assert whole <= read_by(monkeypatch, lambda: log.append(LOG, (event("k202"), event("newer")), NOW))
    assert 203 + 1 == len(list(log.records(LOG)))
    assert log.verify(LOG, {}).problem is None
    assert 0 == read_by(monkeypatch, lambda: log.head(LOG))
    assert log.head(LOG) == list(log.records(LOG))[-1].hash

    # Put back from a copy: what was read of the other file counts for nothing.
    lines = lines_of(tmp_path)
    path_of(tmp_path).unlink()
    path_of(tmp_path).write_bytes(b"".join(lines[:100]))
    log.append(LOG, (event("k150"), event("k50")), NOW)
    assert [101, "k150"] == [len(lines_of(tmp_path)), list(log.records(LOG))[-1].key]


def test_records_since_a_moment_are_found_without_what_is_older(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By looking at some lines; what a look meets damaged is read, and said."""
    log = ChainedLog(tmp_path)
    for day in range(1, 21):
        at = datetime(2026, 10, day, tzinfo=UTC)
        log.append(LOG, tuple(event(f"{day}/{number}", text="x" * 300) for number in range(100)), at)
    whole, since = path_of(tmp_path).stat().st_size, datetime(2026, 10, 20, tzinfo=UTC)
    assert 0.2 * whole > read_by(monkeypatch, lambda: list(log.records(LOG, since)))
    found = [record.key for record in log.records(LOG, since)]
    assert [f"20/{number}" for number in range(100)] == found[-100:]
    assert 2000 == len(list(log.records(LOG, datetime(2026, 1, 1, tzinfo=UTC))))

    lines = lines_of(tmp_path)
    lines[800:1200] = [b"x" * (len(line) - 1) + b"\n" for line in lines[800:1200]]
    path_of(tmp_path).write_bytes(b"".join(lines))
    with pytest.raises(StoreError, match="damaged"):
        list(log.records(LOG, since))


def test_the_head_is_that_of_the_last_whole_record(tmp_path: Path) -> None:
    """However long it is, and whatever a crash left behind it."""
    log = ChainedLog(tmp_path)
    assert log.head(LOG) is None
    log.append(LOG, (event("small"), event("large", text="x" * 300_000)), NOW)
    with path_of(tmp_path).open("ab") as file:
        file.write(b'{"artifacts":[]')
    assert list(log.records(LOG))[-1].hash == log.head(LOG)
    path_of(tmp_path).write_bytes(b"no record\n")
    with pytest.raises(StoreError, match="damaged"):
        log.head(LOG)
    path_of(tmp_path).write_bytes(b"torn")
    assert log.head(LOG) is None


def test_logs_looked_for_by_name_need_no_list_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that are there; what is no name of a log, or of somebody else's making, is none and no error."""
    log = filled(tmp_path, 1)
    (there,) = log.logs()
    monkeypatch.setattr("os.listdir", None)
    assert (there,) == log.logs(among={there, "run/other", "run/../x", "run/a/b", "", "target/none"})
    assert () == log.logs(among=())
