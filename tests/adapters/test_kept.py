"""What is kept of environments: what a build left there decides neither what goes nor what is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adapters.environments.kept import evict, held
from ports.environments import EnvironmentUnavailable


def kept(folder: Path, name: str, used_at: int) -> Path:
    place = folder / (name if len(name) > 1 else name * 32)
    place.mkdir(parents=True)
    (place / "body").write_bytes(b"x" * 100_000)
    os.utime(place, (used_at, used_at))
    return place


def quiet() -> None:
    """Never cancelled."""


def test_the_longest_unused_go_until_the_rest_fits(tmp_path: Path):
    """Over both folders; one in use stays, though it is the oldest, and so does what is no environment."""
    one, two = tmp_path / "one", tmp_path / "two"
    oldest, older, newest = kept(one, "a", 1), kept(two, "b", 2), kept(one, "c", 9)
    under_way = kept(one, "building", 0)
    lock = held(oldest, quiet, quiet)
    os.utime(oldest, (1, 1))
    evict((one, two, tmp_path / "none"), 0.000250)
    assert [True, False, True, True] == [place.exists() for place in (oldest, older, newest, under_way)]
    lock.close()
    evict((one, two), 0.000150)
    assert [False, True] == [place.exists() for place in (oldest, newest)]


def test_a_build_cannot_lead_the_count_away(tmp_path: Path):
    """A file or link of its own with any name is content; the note of its size is beside it."""
    outside = tmp_path / "outside"
    outside.write_text("1")
    place = kept(tmp_path / "kept", "a", 1)
    (place / "size").symlink_to(outside)
    os.utime(place, (1, 1))
    newest = kept(tmp_path / "kept", "b", 2)
    evict((tmp_path / "kept",), 1)
    assert "1" == outside.read_text()
    evict((tmp_path / "kept",), 0.000150)
    assert [False, True] == [each.exists() for each in (place, newest)]
    assert ["b" * 32 + ".size"] == [each.name for each in (tmp_path / "kept").glob("*.size")]


def test_using_is_what_counts_as_last_use(tmp_path: Path):
    """Whoever takes one notes it."""
    old, other = kept(tmp_path, "a", 1), kept(tmp_path, "b", 2)
    held(old, quiet, quiet).close()
    evict((tmp_path,), 0.000150)
    assert [True, False] == [place.exists() for place in (old, other)]


def test_making_that_fails_keeps_nobody_out(tmp_path: Path):
    """Not even while somebody still holds the exception, whose traceback holds the frames: the next one makes it."""
    place = tmp_path / ("a" * 32)

    def fails() -> None:
        raise EnvironmentUnavailable("a wheel is missing")

    def waits() -> None:
        raise AssertionError("the second one waits for the first one's lock")

    with pytest.raises(EnvironmentUnavailable) as first:
        held(place, fails, quiet)
    held(place, place.mkdir, waits).close()
    assert first.value.__traceback__
    assert place.is_dir()
