"""The artifact store keeps what it was given, whole, or says that it could not."""

from __future__ import annotations

import fcntl
import hashlib
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adapters.sandbox.bwrap_program import find_bwrap
from adapters.store.local_store import LocalStore
from ports.store import StoreError

PROJECT = Path(__file__).parents[2]
FORK = multiprocessing.get_context("fork")


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_what_was_put_is_found_and_read_back(tmp_path: Path) -> None:
    """The reference of ``put`` and of ``find`` lead to the same bytes."""
    store = LocalStore(tmp_path)
    ref = store.put("demo-1", "checks/tests.json", b"{}")

    assert b"{}" == store.get(ref)
    assert ref == store.find("demo-1", "checks/tests.json")
    assert ("checks/tests.json",) == store.names("demo-1")
    assert f"objects/{ref.sha256[:2]}/{ref.sha256[2:]}" == ref.location
    assert b"{}" == Path(store.address("demo-1"), "checks/tests.json").read_bytes()


def test_a_name_is_a_link_to_its_object(tmp_path: Path) -> None:
    """The bytes are on the disk once, however many runs show them."""
    store = LocalStore(tmp_path)
    ref = store.put("one", "a.json", b"same")
    store.put("two", "b.json", b"same")

    assert (tmp_path / ref.location).samefile(tmp_path / "runs/one/a.json")
    assert (tmp_path / ref.location).samefile(tmp_path / "runs/two/b.json")


def test_other_bytes_replace_the_name_never_the_object(tmp_path: Path) -> None:
    """An old reference stays readable after its name moved on."""
    store = LocalStore(tmp_path)
    old = store.put("run", "a.json", b"old")
    new = store.put("run", "a.json", b"new")

    assert b"old" == store.get(old)
    assert new == store.find("run", "a.json")


def test_the_same_bytes_again_change_nothing(tmp_path: Path) -> None:
    """A retried step leaves one object, one name and no temporary file."""
    store = LocalStore(tmp_path)
    first = store.put("run", "a.json", b"same")
    before = files_in(tmp_path)

    assert first == store.put("run", "a.json", b"same")
    assert before == files_in(tmp_path)
    assert [] == files_in(tmp_path / "tmp")


def test_a_damaged_object_is_named_and_healed_by_its_true_bytes(tmp_path: Path) -> None:
    """Damage is never handed out, neither by digest nor by name."""
    store = LocalStore(tmp_path)
    ref = store.put("run", "a.json", b"true")
    damaged = tmp_path / ref.location
    damaged.chmod(0o600)
    damaged.write_bytes(b"lie!")

    with pytest.raises(StoreError, match=f"{damaged} is damaged"):
        store.get(ref)
    with pytest.raises(StoreError, match=r"a\.json is damaged"):
        store.find("run", "a.json")
    assert b"true" == store.get(store.put("run", "a.json", b"true"))


def test_a_missing_object_is_an_error_a_missing_name_is_none(tmp_path: Path) -> None:
    """A reference promises; a name only asks."""
    store = LocalStore(tmp_path)
    ref = store.put("run", "checks/a.json", b"x")

    assert store.find("run", "b.json") is None
    assert store.find("run", "checks") is None
    assert store.find("run", "checks/a.json/b.json") is None
    assert () == store.names("other")
    (tmp_path / ref.location).unlink()
    with pytest.raises(StoreError, match="cannot read"):
        store.get(ref)


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "../x", "a/../../x", "a//b", "a/", "./a", "a\\b", "a\nb", "a\0b", "a\udc80", "audit_log.jsonl"],
)
def test_a_name_cannot_leave_its_run_or_become_the_log(tmp_path: Path, name: str) -> None:
    """A hostile name is refused before anything is written."""
    with pytest.raises(StoreError, match=r"is no artifact name|is only ever appended to"):
        LocalStore(tmp_path).put("run", name, b"x")
    assert [] == files_in(tmp_path)


@pytest.mark.parametrize("run_id", ["", ".", "..", "a/b", "../x", "-x", "a b", "a\n", "x" * 201])
def test_a_run_id_is_one_plain_folder_name(tmp_path: Path, run_id: str) -> None:
    """A hostile run id is refused before anything is written."""
    with pytest.raises(StoreError, match="is no run id"):
        LocalStore(tmp_path).put(run_id, "a.json", b"x")
    assert [] == files_in(tmp_path)


def test_a_forged_digest_reads_no_other_file(tmp_path: Path) -> None:
    """The path comes from a checked digest, never from a reference's words."""
    store = LocalStore(tmp_path)
    ref = store.put("run", "a.json", b"x")
    with pytest.raises(StoreError, match="no SHA-256 digest"):
        store.get(ref.model_copy(update={"sha256": "../../../etc/passwd"}))
    assert b"x" == store.get(ref.model_copy(update={"location": "/etc/passwd"}))


FILL_THE_DISK = """
import sys
from pathlib import Path
from adapters.store.local_store import LocalStore
from ports.store import StoreError
root = Path(sys.argv[1])
store = LocalStore(root)
ref = store.put("run", "a.json", b"small")
try:
    store.put("run", "a.json", b"x" * 1_000_000)
except StoreError as error:
    print(error)
print(ref == store.find("run", "a.json"), store.get(ref), [p for p in (root / "tmp").iterdir()],
      sum(p.is_file() for p in (root / "objects").rglob("*")))
"""


def test_a_full_disk_is_named_and_nothing_is_half_written(tmp_path: Path) -> None:
    """On a full disk the old artifact stays, and neither object nor temporary file of the new one is left."""
    bwrap = [find_bwrap(), "--dev-bind", "/", "/", "--size", "200000", "--tmpfs", tmp_path]
    done = subprocess.run(
        [*bwrap, "--", sys.executable, "-c", FILL_THE_DISK, tmp_path],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    message, facts = done.stdout.splitlines()

    assert f"cannot store 'a.json' of run run under {tmp_path}: No space left on device" in message
    assert "True b'small' [] 1" == facts


def put_beyond_the_limit(root: Path) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    try:
        LocalStore(root).put("run", "a.json", b"x" * 5000)
    except StoreError as error:
        root.joinpath("said").write_text(str(error))


def test_a_failing_write_leaves_no_trace(tmp_path: Path) -> None:
    """An error in the middle of the bytes removes the temporary file and makes no object."""
    writer = FORK.Process(target=put_beyond_the_limit, args=(tmp_path,))
    writer.start()
    writer.join(30)

    assert "File too large" in tmp_path.joinpath("said").read_text()
    assert ["said"] == files_in(tmp_path)


def put_for_ever(root: Path, number: int) -> None:
    store = LocalStore(root)
    while True:
        number += 1
        store.put("run", "a.bin", number.to_bytes(8) * 60_000)


def test_a_killed_writer_never_leaves_a_torn_file(tmp_path: Path) -> None:
    """Writers are killed at random instants: every reader sees whole bytes, every object is true."""
    shown, seen, torn, round_ = tmp_path / "runs/run/a.bin", b"", 0, 0
    # Thirty at least, and on until some were caught in the middle of a write: else it would prove nothing.
    while round_ < 30 or torn < 3:
        round_ += 1
        assert round_ < 1000, "no writer was killed in the middle of a write: the test proved nothing"
        writer = FORK.Process(target=put_for_ever, args=(tmp_path, round_ * 1_000_000))
        writer.start()
        before, kill_at = seen, 0.0
        while not kill_at or time.monotonic() < kill_at:
            seen = shown.read_bytes() if shown.exists() else b""
            assert seen == seen[:8] * (len(seen) and 60_000)
            if seen != before and not kill_at:
                kill_at = time.monotonic() + random.uniform(0, 0.02)  # noqa: S311  # a moment, no secret
        os.kill(writer.pid, signal.SIGKILL)
        writer.join(30)
        # The next writer clears away what this one left.
        torn += bool(files_in(tmp_path / "tmp"))

    for kept in (tmp_path / "objects").glob("*/*"):
        assert hashlib.sha256(kept.read_bytes()).hexdigest() == kept.parent.name + kept.name
    store = LocalStore(tmp_path)
    assert b"mended" == store.get(store.put("run", "a.bin", b"mended"))


def test_leftovers_of_the_dead_go_when_nobody_writes(tmp_path: Path) -> None:
    """Writers share a lock on the folder, which the kernel takes from the dead."""
    leftover = tmp_path / "tmp" / "dead"
    leftover.parent.mkdir()
    leftover.write_bytes(b"half")

    LocalStore(tmp_path)
    assert not leftover.exists()


def test_leftovers_go_after_a_day_while_somebody_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A young temporary file may belong to the living writer; one older than a day cannot."""
    leftover = tmp_path / "tmp" / "dead"
    leftover.parent.mkdir()
    leftover.write_bytes(b"half")
    writer = os.open(leftover.parent, os.O_RDONLY)
    fcntl.flock(writer, fcntl.LOCK_SH)

    LocalStore(tmp_path)
    assert leftover.exists()
    today = time.time()
    monkeypatch.setattr(time, "time", lambda: today + 90_000)
    LocalStore(tmp_path)
    os.close(writer)
    assert not leftover.exists()


def test_an_object_with_too_many_links_is_shown_as_a_copy(tmp_path: Path) -> None:
    """Where a hard link is impossible the name holds a copy."""
    limit = os.pathconf(tmp_path, "PC_LINK_MAX")
    if limit > 70_000:
        pytest.skip("this file system sets no reachable limit on links")
    store = LocalStore(tmp_path)
    ref = store.put("run", "a.json", b"")
    for number in range(limit - 2):
        os.link(tmp_path / ref.location, tmp_path / str(number))
    store.put("run", "b.json", b"")

    assert not (tmp_path / ref.location).samefile(tmp_path / "runs/run/b.json")
    assert ref.sha256 == store.find("run", "b.json").sha256


def test_what_is_removed_takes_its_bytes_along_unless_another_shows_them(tmp_path: Path) -> None:
    """Twice is once; what is left of its folder goes, too."""
    store = LocalStore(tmp_path)
    alone, shared = store.put("r", "a/b/alone", b"alone"), store.put("r", "a/shared", b"shared")
    store.put("other", "shared", b"shared")
    for name in ("a/b/alone", "a/shared", "a/shared", "a/b/nothing"):
        store.remove("r", name)
    assert () == store.names("r")
    assert not (tmp_path / "runs" / "r").exists()
    assert not (tmp_path / alone.location).exists()
    assert b"shared" == store.get(shared)
    assert store.find("other", "shared")
    with pytest.raises(StoreError, match="is no artifact name"):
        store.remove("r", "../other/shared")
