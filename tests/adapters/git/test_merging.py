"""Merge and revert without a work tree: repeatable, exact, a conflict is a value (P4, P11)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from activities.write.cleared_write import merge_found
from adapters.git.mirror import Mirror
from contracts.pull_request import PullRequest
from ports.repository import RepositoryError, Unrelated
from tests.workflows.test_rolling_back import merge_of

if TYPE_CHECKING:
    from conftest import Clone


def change(mirror: Mirror, base: str, tree: Path, files: dict[str, str | None]) -> str:
    """Commit some edits on ``base``; None deletes."""
    mirror.checkout(base, tree)
    for name, content in files.items():
        if content is None:
            (tree / name).unlink()
        else:
            (tree / name).write_text(content)
    return mirror.commit_tree(base, tree, "change")


def test_a_merge_is_repeatable_and_has_both_parents(clone: Clone, mirror: Mirror, tmp_path: Path) -> None:
    """Equal input, equal id, in any mirror; the dates come from the parents, not from a clock."""
    old = mirror.fetch_base()
    head = change(mirror, old, tmp_path / "t", {"folder/b.txt": "better\n"})
    base = clone.commit({"a.txt": "one\nTWO\nthree\n"})
    mirror.fetch_base()
    first, second = mirror.merge(base, head), mirror.merge(base, head)
    assert first == second
    assert first.clean
    assert f"{base} {head}" == clone.git("show", "-s", "--format=%P", first.commit, cwd=mirror.path)
    contents = [mirror.read(first.commit, name) for name in ("a.txt", "folder/b.txt")]
    assert [b"one\nTWO\nthree\n", b"better\n"] == contents


def test_a_merge_conflict_is_a_value(clone: Clone, mirror: Mirror, tmp_path: Path) -> None:
    """It names the files; there is no commit to use by mistake."""
    head = change(mirror, mirror.fetch_base(), tmp_path / "t", {"a.txt": "mine\n"})
    base = clone.commit({"a.txt": "theirs\n"})
    mirror.fetch_base()
    result = mirror.merge(base, head)
    assert (False, "", ("a.txt",)) == (result.clean, result.commit, result.conflicts)


@pytest.mark.parametrize("attributes", ["* merge=ours\n", "* -merge\n", "* merge=union\n", "* binary\n"])
def test_attributes_in_the_tree_do_not_steer_a_merge(
    clone: Clone, mirror: Mirror, tmp_path: Path, attributes: str
) -> None:
    """A conflict stays one and a clean merge stays clean, whatever the repository's own attributes say."""
    old = clone.commit({".gitattributes": attributes, "c.txt": "1\n2\n3\n4\n5\n6\n7\n"})
    mirror.fetch_base()
    conflicting = change(mirror, old, tmp_path / "t1", {"a.txt": "mine\n"})
    clean = change(mirror, old, tmp_path / "t2", {"c.txt": "1\n2\n3\n4\n5\n6\nseven\n"})
    base = clone.commit({"a.txt": "theirs\n", "c.txt": "one\n2\n3\n4\n5\n6\n7\n"})
    mirror.fetch_base()
    assert ("a.txt",) == mirror.merge(base, conflicting).conflicts
    assert b"one\n2\n3\n4\n5\n6\nseven\n" == mirror.read(mirror.merge(base, clean).commit, "c.txt")


def test_unrelated_histories_are_an_error(clone: Clone, mirror: Mirror) -> None:
    """No common ancestor: git cannot say, so neither do we."""
    base = mirror.fetch_base()
    clone.git("checkout", "--quiet", "--orphan", "other")
    clone.git("commit", "--quiet", "-m", "other")
    clone.git("push", "--quiet", "--force", "origin", "HEAD:main")
    with pytest.raises(Unrelated, match="no history in common"):
        mirror.merge(base, mirror.fetch_base())


def test_a_revert_restores_the_baseline_tree(mirror: Mirror, tmp_path: Path) -> None:
    """P11: adds, deletes, edits and mode changes undone: the very tree of before, and the same id each time."""
    base = mirror.fetch_base()
    head = change(mirror, base, tmp_path / "t", {"a.txt": "x\n", "folder/b.txt": None, "new.txt": "n\n"})
    merged = mirror.merge(base, head).commit
    result = mirror.revert(merged, merged)
    assert mirror.tree_of(base) == result.tree == mirror.tree_of(result.commit)
    assert result == mirror.revert(merged, merged)


def test_a_revert_keeps_what_people_did_later(clone: Clone, mirror: Mirror, tmp_path: Path) -> None:
    """P11: the baseline plus the later commits."""
    base = mirror.fetch_base()
    merged = land(clone, mirror, base, change(mirror, base, tmp_path / "t", {"a.txt": "bad\n"}))
    later = clone.commit({"person.txt": "kept\n"})
    mirror.fetch_base()
    result = mirror.revert(merged, later)
    assert [b"one\ntwo\nthree\n", b"kept\n"] == [mirror.read(result.commit, name) for name in ("a.txt", "person.txt")]
    assert later == clone.git("rev-parse", f"{result.commit}^", cwd=mirror.path)


def test_a_revert_across_a_later_edit_is_a_conflict(clone: Clone, mirror: Mirror, tmp_path: Path) -> None:
    """People built on it: a value for a person to decide, never a guess."""
    base = mirror.fetch_base()
    merged = land(clone, mirror, base, change(mirror, base, tmp_path / "t", {"a.txt": "bad\n"}))
    later = clone.commit({"a.txt": "built on bad\n"})
    mirror.fetch_base()
    assert ("a.txt",) == mirror.revert(merged, later).conflicts


def land(clone: Clone, mirror: Mirror, base: str, head: str) -> str:
    """Merge and bring the merge to the remote and the person's clone."""
    merged = mirror.merge(base, head).commit
    clone.git("push", "--quiet", str(clone.bare), f"{merged}:refs/heads/main", cwd=mirror.path)
    clone.git("pull", "--quiet", "origin", "main")
    return merged


def test_what_cannot_be_reverted_is_an_error(clone: Clone, mirror: Mirror) -> None:
    """The first commit, and a commit that is not in the history."""
    base = mirror.fetch_base()
    later = clone.commit({"x": "x"})
    mirror.fetch_base()
    with pytest.raises(RepositoryError, match="first commit"):
        mirror.revert(base, later)
    with pytest.raises(RepositoryError, match="not in its history"):
        mirror.revert(later, base)


@pytest.mark.parametrize("how", ["squashed", "rebased alone", "rebased", "edited", "elsewhere", "aside"])
def test_a_copy_on_the_base_is_known_by_its_whole_change(
    how: str, clone: Clone, mirror: Mirror, tmp_path: Path
) -> None:
    """What a squash or a rebase of one commit brought; not the last of two, an edited one, or one beside the base."""
    fork = mirror.fetch_base()
    first = change(mirror, fork, tmp_path / "1", {"a.txt": "ONE\ntwo\nthree\n"})
    head = first
    if how != "rebased alone":
        head = change(mirror, first, tmp_path / "2", {"folder/b.txt": "better\n"})
    before = clone.commit({"new.txt": "a person's\n"})
    mirror.fetch_base()

    def copied(commit: str, onto: str, name: str, also: dict[str, str | None]) -> str:
        tree = mirror.merge(onto, commit).commit
        mirror.checkout(tree, tmp_path / name)
        for file, text in also.items():
            (tmp_path / name / file).write_text(text or "")
        return mirror.commit_tree(onto, tmp_path / name, name)

    onto = before
    if how == "rebased":
        onto = copied(first, before, "c1", {})
    copy = copied(head, onto, "c2", {"new.txt": "and more\n"} if how == "edited" else {})
    assert mirror.landing(head, copy) is None
    base = copy
    if how == "elsewhere":
        base = before
    elif how == "aside":
        later = clone.commit({"later.txt": "a person's\n"})
        mirror.fetch_base()
        base = mirror.merge(later, copy).commit
    found = mirror.landed_copy(copy, head, base)
    whole = how in {"squashed", "rebased alone"}
    assert (found is not None) is whole
    if found is not None:
        assert (copy, before) == (found.commit, found.parent)
        assert mirror.tree_of(before) == mirror.revert(copy, copy).tree


def test_a_copy_of_what_nobody_here_knows_is_none(clone: Clone, mirror: Mirror) -> None:
    """A branch that a person pushed to and deleted, a commit that was made up."""
    base = mirror.fetch_base()
    assert mirror.landed_copy(base, "1" * 40, base) is None
    assert mirror.landed_copy("1" * 40, base, base) is None


@pytest.mark.parametrize(
    ("now", "gone"),
    [
        ({"a.txt": "one\ntwo\nthree\n", "folder/b.txt": "b\n"}, {"a.txt", "folder/b.txt"}),
        ({"a.txt": "one\ntwo\nthree\n", "folder/b.txt": "better\n"}, {"a.txt"}),
        ({"a.txt": "one\ntwo\nthree\nfour\n", "folder/b.txt": "better\n"}, {"a.txt"}),
        ({"a.txt": "ONE\ntwo\nthree\n", "folder/b.txt": "better\n"}, set()),
        ({"a.txt": "Uno\ntwo\nthree\n", "folder/b.txt": "better\n"}, set()),
        ({"moved.txt": "ONE\ntwo\nthree\n", "folder/b.txt": "better\n"}, set()),
        ({"folder/b.txt": "better\n"}, set()),
    ],
)
def test_what_somebody_took_out_of_the_base_again(
    now: dict[str, str], gone: set[str], clone: Clone, mirror: Mirror, tmp_path: Path
) -> None:
    """Whole or in one file, with other work on top; what was rewritten, moved or deleted since is no undoing."""
    fork = clone.commit({"a.txt": "one\ntwo\nthree\n", "folder/b.txt": "b\n"})
    assert fork == mirror.fetch_base()
    head = change(mirror, fork, tmp_path / "1", {"a.txt": "ONE\ntwo\nthree\n", "folder/b.txt": "better\n"})
    clone.git("rm", "--quiet", "-r", "a.txt", "folder")
    clone.commit(dict(now))
    assert gone == mirror.taken_out(head, fork, mirror.fetch_base())


@pytest.mark.parametrize("how", ["as planned", "squashed", "not at all"])
def test_a_merge_is_what_git_finds_of_it(how: str, clone: Clone, mirror: Mirror, tmp_path: Path) -> None:
    """Control's own look, after a run died: our commit, or the one that a person made of our pull request."""
    base = mirror.fetch_base()
    head = change(mirror, base, tmp_path / "1", {"a.txt": "ONE\ntwo\nthree\n"})
    planned = merge_of().model_copy(update={"merge_sha": mirror.merge(base, head).commit, "parent_sha": base})
    pull = PullRequest(
        number=1, branch="b", base_branch="main", head_sha=head, title="", body="", state="merged", url="",
        run_key=f"{planned.run.run_id}/open_pull_request",
    )  # fmt: skip
    landed = planned.merge_sha
    if how == "as planned":
        clone.git("push", "--quiet", str(clone.bare), f"{landed}:refs/heads/main", cwd=mirror.path)
    elif how == "squashed":
        landed = clone.commit({"a.txt": "ONE\ntwo\nthree\n"}, "squashed")
        pull = pull.model_copy(update={"merge_sha": landed})

    class Forge:
        """Shows the pull request."""

        def find_pull_request(self, run_key: str) -> PullRequest | None:
            """By its key."""
            return pull if run_key == pull.run_key else None

    found = merge_found(mirror, Forge(), planned)  # type: ignore[arg-type]
    expected = None if how == "not at all" else (landed, base, mirror.tree_of(planned.merge_sha))
    assert expected == (found and (found.merge_sha, found.parent_sha, found.tree_sha))
