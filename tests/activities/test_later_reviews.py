"""``post_run_review.json`` (runbook §10), on a real mirror: the base as it was after 1, 7 and 30 days."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from activities.after.later_reviews import LaterReviews
from adapters.git.mirror import Mirror
from adapters.store.local_store import LocalStore
from contracts.artifact import ArtifactRef
from contracts.forge_facts import PullComment
from contracts.handover import PinnedPolicy
from contracts.later_review import LATER_REVIEW, Fate, LaterReview, LaterReviewInput, Moment
from ports.forge import ForgeError
from ports.measures import Counted, MeasureError
from ports.policy_source import PolicyError
from ports.repository import RepositoryError
from tests.policies.sample_policy import policy
from tests.policies.test_rollback_text import given
from tests.reporting.sample_run import CONTRACT

BODY, OURS = "one\ntwo\nthree\nfour\nfive\nsix\n", "one\ntwo\nTHREE\nfour\nfive\nsix\nseven\n"
MERGED_AT = datetime(2026, 3, 2, 12, tzinfo=UTC)
LATE = MERGED_AT + timedelta(days=400)


class Base:
    """A person's clone of the base, whose commits are as old as a test says, and our mirror of it."""

    def __init__(self, root: Path) -> None:
        self.folder, self.bare = root / "clone", root / "remote.git"
        self.folder.mkdir()
        self.git("init", "--quiet", "--bare", "-b", "main", str(self.bare))
        self.git("init", "--quiet", "-b", "main")
        self.mirror = Mirror(root / "mirrors" / "demo.git", str(self.bare), "main")

    def git(self, *arguments: str, day: float = 0, who: str = "Ann") -> str:
        when = f"@{int((MERGED_AT + timedelta(days=day)).timestamp())} +0000"
        env = {f"GIT_{one}_DATE": when for one in ("AUTHOR", "COMMITTER")} | {
            "GIT_AUTHOR_NAME": who, "GIT_AUTHOR_EMAIL": "p@x.invalid", "GIT_COMMITTER_NAME": "Forge",
            "GIT_COMMITTER_EMAIL": "f@x.invalid", "GIT_CONFIG_GLOBAL": "/dev/null", "PATH": os.environ["PATH"],
        }  # fmt: skip
        done = subprocess.run(
            ["git", "-c", "protocol.file.allow=always", *arguments],
            cwd=self.folder, env=env, capture_output=True, check=True, text=True,
        )  # fmt: skip
        return done.stdout.strip()

    def commit(self, files: dict[str, str | None], day: float = 0, who: str = "Ann", force: bool = False) -> str:
        for name, body in files.items():
            if body is None:
                (self.folder / name).unlink()
            else:
                (self.folder / name).write_text(body)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "-m", "x", day=day, who=who)
        self.git("push", "--quiet", *(["--force"] if force else []), str(self.bare), "HEAD:refs/heads/main")
        return self.git("rev-parse", "HEAD")


class Gone:
    """A mirror whose remote is away."""

    def fetch_base(self) -> str:
        raise RepositoryError("the remote does not answer")


@pytest.fixture
def base(tmp_path: Path) -> Base:
    return Base(tmp_path)


@pytest.fixture
def looked(base: Base, tmp_path: Path) -> Callable[..., LaterReview]:
    """Merge, whatever comes then, and look at it ``now``."""
    parent = base.commit({"a.txt": BODY, "b.txt": "b\n"}, day=-1)
    merge = base.commit({"a.txt": OURS})
    base.mirror.fetch_base()
    store = LocalStore(tmp_path / "artifacts")
    pinned = store.put("demo-1", "policy.json", policy().model_dump_json().encode())
    run = given().merged.run
    run = run.model_copy(update={"run_id": "demo-1", "policy": PinnedPolicy(digest="d", artifact=pinned)})
    changes = {"run": run, "merge_sha": merge, "parent_sha": parent, "merged_at": MERGED_AT, "pull_request": 3}
    asked = LaterReviewInput(
        run=run, ended="merged by ann; healthy", now=LATE, pull_request=3,
        merged=given().merged.model_copy(update=changes),
    )  # fmt: skip
    store.put("demo-1", "task_contract.json", CONTRACT.model_dump_json().encode())
    none = SimpleNamespace(comments=lambda _number: ())
    reviews = LaterReviews(store, Pruned(), lambda _target: base.mirror, lambda _target: none, scratch=tmp_path / "s")

    def look(keep: bool = False, ports: dict[str, Any] | None = None, **changes: object) -> LaterReview:
        found = replace(reviews, **(ports or {})).look(asked.model_copy(update=changes), {})
        if keep:
            reviews.keep(found)
        return found

    look.reviews = reviews  # type: ignore[attr-defined]
    return look


class Pruned:
    """The policy folder knows the target no more."""

    def effective(self, target: str) -> Any:
        raise PolicyError(f"no {target}")


def fates(found: LaterReview) -> list[str]:
    return [each.fate.value for each in found.moments]


def test_10_kept_rewritten_and_reverted_as_the_base_was_at_each_moment(base: Base, looked: Any) -> None:
    """One look a year later sees all three; who reverted it is its author, not the forge that committed."""
    base.commit({"b.txt": "c\n"}, day=0.5)
    base.commit({"a.txt": OURS.replace("THREE", "Three")}, day=3, who="Bob")
    undone = base.commit({"a.txt": BODY}, day=9, who="Cleo")
    base.commit({"a.txt": None}, day=40)
    one, seven, thirty = looked().moments
    assert (Fate.KEPT, 2, 2) == (one.fate, one.added, one.standing)
    assert (Fate.REWRITTEN, 2, 1) == (seven.fate, seven.added, seven.standing)
    assert (Fate.REVERTED, "Cleo", f"by {undone}") == (thirty.fate, thirty.by, thirty.note)
    assert "us" == looked(rolled_back=True).moments[2].by


def test_10_what_is_not_over_is_not_yet(base: Base, looked: Any) -> None:
    """A moment is over when its 24-hour days are, and nobody fetches before."""
    gone = {"repositories": lambda _target: Gone()}
    assert ["not yet"] * 3 == fates(looked(ports=gone, now=MERGED_AT + timedelta(days=1, seconds=-1)))
    assert ["kept", "not yet", "not yet"] == fates(looked(now=MERGED_AT + timedelta(days=1)))


def test_10_a_moment_that_was_read_stays_as_it_was(base: Base, looked: Any) -> None:
    """Whatever is pushed over the history afterwards; what could not be found out is asked again."""
    first = looked(keep=True, now=MERGED_AT + timedelta(days=2))
    away = looked(keep=True, ports={"repositories": lambda _target: Gone()})
    assert (["kept", "unknown", "unknown"], "does not answer") == (fates(away), away.moments[1].note[-15:])
    base.git("reset", "--quiet", "--hard", "HEAD^")
    base.commit({"a.txt": "else\n"}, force=True, day=1)
    found = looked()
    assert (["kept", "rewritten", "rewritten"], first.moments[0]) == (fates(found), found.moments[0])


def test_10_the_remote_is_asked_only_when_a_day_is_over(base: Base, looked: Any) -> None:
    """What a command shows again needs no network; who must ask says so before."""
    assert looked.reviews.again("demo-1", LATE) is None
    looked(keep=True, now=MERGED_AT + timedelta(days=2))
    asked: list[str] = []
    away = replace(looked.reviews, repositories=lambda _target: Gone())
    early = away.again("demo-1", MERGED_AT + timedelta(days=3), lambda: asked.append("early"))
    assert (["kept", "not yet", "not yet"], []) == (fates(early), asked)
    late = looked.reviews.again("demo-1", MERGED_AT + timedelta(days=8), lambda: asked.append("late"))
    assert (["kept", "kept", "not yet"], ["late"]) == (fates(late), asked)


def test_10_a_base_that_was_replaced_is_looked_through_for_the_lines(base: Base, looked: Any) -> None:
    """Force-pushed without the merge: its lines may stand all the same, and it is said how they were looked for."""
    base.git("reset", "--quiet", "--hard", "HEAD^")
    base.commit({"a.txt": f"zero\n{OURS}"}, force=True, day=2)
    found = looked()
    assert ["reverted", "kept", "kept"] == fates(found)
    assert "history was replaced" in found.moments[1].note
    assert ("", True) == (found.moments[0].by, "history was replaced" in found.moments[0].note)


def test_10_a_merge_commit_is_looked_at_like_a_squash(base: Base, looked: Any) -> None:
    """By what it brought against its first parent; who reverted a part of it did not revert it."""
    squash = looked().merged
    base.git("checkout", "--quiet", "-b", "change", squash.parent_sha)
    (base.folder / "a.txt").write_text(OURS)
    (base.folder / "b.txt").write_text("ours\n")
    base.git("commit", "--quiet", "--all", "-m", "ours")
    base.git("checkout", "--quiet", "-B", "main", squash.parent_sha)
    base.git("merge", "--quiet", "--no-ff", "-m", "m", "change")
    merge = base.git("rev-parse", "HEAD")
    base.commit({"a.txt": BODY}, day=3, who="Bob", force=True)
    undone = base.commit({"b.txt": "b\n"}, day=9, who="Cleo")
    found = looked(merged=squash.model_copy(update={"merge_sha": merge}))
    assert ["kept", "rewritten", "reverted"] == fates(found)
    assert (3, 1, "Cleo", f"by {undone}") == (
        found.moments[1].added, found.moments[1].standing, found.moments[2].by, found.moments[2].note
    )  # fmt: skip


def test_10_a_file_that_was_renamed_after_the_merge_is_followed(base: Base, looked: Any) -> None:
    """And one that was removed is rewritten: nobody put back what was there before."""
    base.commit({"a.txt": None, "moved.txt": OURS}, day=2)
    base.commit({"moved.txt": None}, day=9)
    assert ["kept", "kept", "rewritten"] == fates(looked())


@pytest.mark.parametrize("days", [20, 1.5])
def test_10_committers_whose_clocks_are_wrong(base: Base, looked: Any, days: float) -> None:
    """A base that seems older than its merge is taken as the merge left it."""
    found = looked(merged=looked().merged.model_copy(update={"merged_at": MERGED_AT - timedelta(days=days)}))
    assert ["kept"] * 3 == fates(found)
    assert {found.merged.merge_sha} == {each.commit for each in found.moments}


class Counting:
    """Measures by the contract's own measure, or cannot."""

    def __init__(self, answer: int | Exception) -> None:
        self.answer = answer

    def count(self, contract: object, look: Any) -> Counted:
        assert (OURS, CONTRACT) == ((look.tree / "a.txt").read_text(), contract)
        if isinstance(self.answer, Exception):
            raise self.answer
        return Counted(self.answer)


def test_10_objective_is_measured_again_on_the_base_after_the_merge(base: Base, looked: Any) -> None:
    """On the merge itself, whatever others did since; once counted it is not counted again."""
    base.commit({"a.txt": BODY}, day=0.1)
    blind = looked(keep=True, ports={"measures": Counting(MeasureError("no sandbox"))}).objective
    assert (14, 0, None, "no sandbox") == (blind.before, blind.expected, blind.achieved, blind.note)
    assert blind == looked().objective
    assert 2 == looked(keep=True, ports={"measures": Counting(2)}).objective.achieved
    assert 2 == looked(ports={"measures": Counting(5)}).objective.achieved


def test_10_words_of_people_are_read_with_each_moment(base: Base, looked: Any) -> None:
    """A forge that is away keeps nobody from being reviewed, and takes away nothing that was read."""
    said = {"forges": lambda _target: SimpleNamespace(comments=lambda _n: (PullComment(author="bob", body="hm"),))}

    def away(_number: int) -> Any:
        raise ForgeError("away")

    assert ["hm"] == [each.text for each in looked(keep=True, ports=said, now=MERGED_AT).said]
    gone = {"forges": lambda _target: SimpleNamespace(comments=away)}
    assert ["hm"] == [each.text for each in looked(ports=gone).said]
    closed = looked(ports=said, merged=None, ended="closed by bob")
    assert ("Closed by bob, “hm”.", ()) == (closed.sentence, closed.moments)


def test_10_a_run_whose_policy_was_pruned(base: Base, looked: Any) -> None:
    """The target's present one says where its repository is; without that either, it is not known."""
    lost = ArtifactRef(name="policy.json", sha256="0" * 64, size=1, media_type="text/plain", location="none")
    run = looked().merged.run.model_copy(update={"policy": PinnedPolicy(digest="d", artifact=lost)})
    assert ["unknown"] * 3 == fates(looked(run=run))
    present = {"policies": SimpleNamespace(effective=lambda _target: policy())}
    assert ["kept"] * 3 == fates(looked(run=run, ports=present))


def test_10_a_damaged_review_is_made_again(base: Base, looked: Any, tmp_path: Path) -> None:
    """And no moment of it is believed."""
    looked(keep=True)
    (tmp_path / "artifacts" / "runs" / "demo-1" / LATER_REVIEW).write_text("{}")
    assert ["kept"] * 3 == fates(looked())
    assert isinstance(looked().moments[0], Moment)
