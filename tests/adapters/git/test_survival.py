"""What of a change stands later: by lines, under whatever name, however the history came about."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from ports.repository import Survival

if TYPE_CHECKING:
    from conftest import Clone

    from adapters.git.mirror import Mirror

BODY = "".join(f"{number}\n" for number in range(1, 41))
OURS = BODY.replace("7\n", "seven\n", 1).replace("\n9\n", "\nnine\nand a half\n")
"""Three lines are added."""


@pytest.mark.parametrize(
    ("then", "standing"),
    [
        ({"other.txt": "x\n"}, 3),
        ({"a.txt": f"before\n{OURS}after\n"}, 3),
        ({"a.txt": OURS.replace("seven", "Seven")}, 2),
        ({"a.txt": BODY}, 0),
        ({"a.txt": None}, 0),
        ({"a.txt": None, "moved/b.txt": OURS}, 3),
        ({"a.txt": None, "moved/b.txt": OURS.replace("nine", "9")}, 2),
    ],
    ids=["untouched", "around it", "one rewritten", "taken out", "removed", "renamed", "renamed and rewritten"],
)
def test_lines_that_stand(clone: Clone, mirror: Mirror, then: dict[str, str | None], standing: int) -> None:
    """Of three added lines; a file that was renamed since is followed."""
    before = clone.commit({"a.txt": BODY})
    merged = clone.commit({"a.txt": OURS})
    for name in (name for name, body in then.items() if body is None):
        clone.git("rm", "--quiet", name)
    at = clone.commit({name: body for name, body in then.items() if body is not None})
    mirror.fetch_base()
    assert Survival(3, standing) == mirror.survival(before, merged, at)


def test_files_that_were_added_and_removed(clone: Clone, mirror: Mirror) -> None:
    """Every line of a new file is added, also the last without its end; a removal adds none."""
    before = clone.commit({"a.txt": BODY})
    clone.git("rm", "--quiet", "folder/b.txt")
    merged = clone.commit({"new.bin": b"\0one\ntwo", "empty": ""})
    at = clone.commit({"new.bin": b"\0one\nthree\n"})
    mirror.fetch_base()
    assert (Survival(2, 2), Survival(2, 1)) == (
        mirror.survival(before, merged, merged), mirror.survival(before, merged, at)
    )  # fmt: skip


def test_a_replaced_history_is_not_asked(clone: Clone, mirror: Mirror) -> None:
    """Force-pushed: the same lines by another commit stand all the same."""
    before = clone.commit({"a.txt": BODY})
    merged = clone.commit({"a.txt": OURS})
    mirror.fetch_base()
    clone.git("reset", "--quiet", "--hard", before)
    clone.write({"a.txt": OURS, "more.txt": "1\n"})
    clone.git("add", "--all")
    clone.git("commit", "--quiet", "-m", "again, in one")
    clone.git("push", "--quiet", "--force", "origin", "HEAD:main")
    head = mirror.fetch_base()
    assert not mirror.contains(head, merged)
    assert Survival(3, 3) == mirror.survival(before, merged, head)


def test_the_base_at_a_moment(clone: Clone, mirror: Mirror) -> None:
    """On the line of first parents alone, by committers' clocks; before the first commit there was none."""

    def commit(day: int, *more: str) -> str:
        when = f"2026-03-{day:02}T12:00:00+0000"
        clone.git("commit", "--quiet", "--allow-empty", "-m", str(day), *more, GIT_COMMITTER_DATE=when)
        return clone.git("rev-parse", "HEAD")

    clone.git("checkout", "--quiet", "--orphan", "own")
    first, second = commit(1), commit(2)
    clone.git("checkout", "--quiet", "-b", "side", first)
    commit(5)
    clone.git("checkout", "--quiet", "own")
    clone.git("merge", "--quiet", "--no-ff", "-m", "m", "side", GIT_COMMITTER_DATE="2026-03-08T12:00:00+0000")
    merge = clone.git("rev-parse", "HEAD")
    clone.git("push", "--quiet", "--force", "origin", "HEAD:main")
    head = mirror.fetch_base()
    at = {day: mirror.commit_at(head, datetime(2026, 3, day, 12, tzinfo=UTC)) for day in (1, 6, 9)}
    assert {1: first, 6: second, 9: merge} == at
    assert "" == mirror.commit_at(head, datetime(2026, 2, 1, tzinfo=UTC))
