"""What changed is measured from objects: both sides of everything, whole sizes (P5, P6)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from adapters.git.mirror import Mirror

if TYPE_CHECKING:
    from conftest import Clone

    from contracts.change import ChangedPath

Edit = Callable[[Path], object]
LINES = "".join(f"line {number}\n" for number in range(500))


def changes_after(mirror: Mirror, base: str, tree: Path, edit: Edit) -> tuple[ChangedPath, ...]:
    mirror.checkout(base, tree)
    edit(tree)
    return mirror.changed_paths(base, mirror.commit_tree(base, tree, "edit"))


def become_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/passwd")


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (lambda tree: (tree / "a.txt").rename(tree / "z.txt"), [("a.txt", "D", "000000"), ("z.txt", "A", "100644")]),
        (
            lambda tree: (tree / "folder").rename(tree / "g"),
            [("folder/b.txt", "D", "000000"), ("g/b.txt", "A", "100644")],
        ),
        (lambda tree: (tree / "a.txt").unlink(), [("a.txt", "D", "000000")]),
        (lambda tree: (tree / "a.txt").chmod(0o755), [("a.txt", "M", "100755")]),
        (lambda tree: become_link(tree / "a.txt"), [("a.txt", "T", "120000")]),
        (lambda tree: (tree / "A.TXT").write_text("x"), [("A.TXT", "A", "100644")]),
        (lambda tree: (tree / "n\n\t\udcff").write_text("x"), [("n\n\t\udcff", "A", "100644")]),
        (lambda tree: None, []),
    ],
    ids=["rename", "folder", "delete", "mode", "link", "case", "name", "nothing"],
)
def test_every_change_shows_both_sides(
    mirror: Mirror, tmp_path: Path, edit: Edit, expected: list[tuple[str, str, str]]
) -> None:
    """A rename is a delete and an add; links, modes and odd names are visible."""
    changes = changes_after(mirror, mirror.fetch_base(), tmp_path / "t", edit)
    assert expected == [(change.path, change.status, change.new_mode) for change in changes]


def test_lines_and_bytes_are_counted(mirror: Mirror, tmp_path: Path) -> None:
    """Added and removed lines, the new size, the ids of both sides."""
    changes = changes_after(mirror, mirror.fetch_base(), tmp_path / "t", lambda t: (t / "a.txt").write_text("one\n2\n"))
    assert [(1, 2, 6)] == [(change.added, change.removed, change.new_bytes) for change in changes]
    assert changes[0].old_sha != changes[0].new_sha


@pytest.mark.parametrize("attributes", ["* binary\n", "* -diff\n", "* -text\n", "* diff=evil\n", "*.txt -diff -text\n"])
def test_attributes_cannot_blind_sizes(clone: Clone, mirror: Mirror, tmp_path: Path, attributes: str) -> None:
    """The same 500 lines count as 500, and stay readable, whether the attribute is in the base or in the change."""
    clone.commit({".gitattributes": attributes})
    base = mirror.fetch_base()

    def edit(tree: Path) -> None:
        (tree / ".gitattributes").write_text(attributes + "# too\n")
        (tree / "a.txt").write_text(LINES)

    changes = {change.path: change for change in changes_after(mirror, base, tmp_path / "t", edit)}
    assert (500, 3) == (changes["a.txt"].added, changes["a.txt"].removed)
    head = mirror.commit_tree(base, tmp_path / "t", "edit")
    assert b"+line 499\n" in mirror.diff(base, head)


def test_a_nul_byte_cannot_make_a_text_small(mirror: Mirror, tmp_path: Path) -> None:
    """Git takes the file for binary; it still counts as all its lines."""
    changes = changes_after(
        mirror, mirror.fetch_base(), tmp_path / "t", lambda tree: (tree / "a.txt").write_text("\0" + "x\n" * 500)
    )
    assert [(500, 3)] == [(change.added, change.removed) for change in changes]


def test_a_binary_counts_by_its_bytes(mirror: Mirror, tmp_path: Path) -> None:
    """One line for every 80 bytes begun."""
    changes = changes_after(
        mirror, mirror.fetch_base(), tmp_path / "t", lambda tree: (tree / "b.bin").write_bytes(b"\0" * 801)
    )
    assert [(11, 0, 801)] == [(change.added, change.removed, change.new_bytes) for change in changes]
