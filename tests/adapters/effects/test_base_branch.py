"""Merge and revert: the base moves on by exactly the checked commit, once, and never by force (P4, P7, P11)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from world import git

from adapters.forges.local import open_local_forge
from adapters.git.environment import ClosedGit
from adapters.git.remotes import advance_base
from contracts.effect import Effect, EffectResult
from contracts.modes import WriteAction
from ports.forge import ForgeError

if TYPE_CHECKING:
    from conftest import Place

BOTH = pytest.mark.parametrize("action", [WriteAction.MERGE, WriteAction.REVERT])


@dataclass(frozen=True)
class Landing:
    """A merge result that was checked, and the ways the base may move before it lands."""

    place: Place
    commit: str
    tree: str

    def effect(self, action: WriteAction, **fields: str) -> Effect:
        place = self.place
        given = {"branch": "main", "head_sha": self.commit, "expected_old": place.base, "tree_sha": self.tree}
        return place.effect(action, **(given | fields))

    def perform(self, action: WriteAction = WriteAction.MERGE, look_only: bool = False, **fields: str) -> EffectResult:
        return self.place.perform(self.effect(action, **fields), look_only=look_only)

    @property
    def base(self) -> str:
        return self.place.remote_head("main")

    def person_commits(self, tmp: Path, name: str, start: str = "main") -> str:
        """A person pushes a commit of their own to the base; the mirror does not know it."""
        clone = tmp / name
        git("clone", "--quiet", str(self.place.remote), str(clone), cwd=tmp)
        git("checkout", "--quiet", "-B", "main", start, cwd=clone)
        (clone / name).write_text(name)
        git("add", "--all", cwd=clone)
        git("commit", "--quiet", "-m", name, cwd=clone)
        git("push", "--quiet", "--force", "origin", "main", cwd=clone)
        return self.base


@pytest.fixture
def landing(place: Place) -> Landing:
    merged = place.mirror.merge(place.base, place.head)
    return Landing(place, merged.commit, merged.tree)


@BOTH
def test_the_base_moves_on_to_the_checked_tree_once(landing: Landing, action: WriteAction) -> None:
    """P4, P7: done with the tree read back; the second attempt adopts."""
    first, second = landing.perform(action), landing.perform(action)
    assert (True, False, landing.commit, landing.tree) == (first.done, first.adopted, first.result, first.tree_sha)
    assert (True, True, landing.commit, landing.tree) == (second.done, second.adopted, second.result, second.tree_sha)
    assert landing.commit == landing.base


@BOTH
def test_a_base_that_moved_is_left_alone(landing: Landing, action: WriteAction, tmp_path: Path) -> None:
    """A person was faster: refused with the reason, and their commit stays."""
    theirs = landing.person_commits(tmp_path, "theirs")
    result = landing.perform(action)
    assert (False, theirs) == (result.done, result.result)
    assert "someone moved it" in result.refused
    assert theirs == landing.base


def test_a_late_retry_adopts_what_people_built_upon(landing: Landing, tmp_path: Path) -> None:
    """P7: the base contains our commit under a person's; the retry finds it done, also when it may only look."""
    landing.perform()
    theirs = landing.person_commits(tmp_path, "theirs")
    for look_only in (True, False):
        result = landing.perform(look_only=look_only)
        assert (True, True, landing.tree) == (result.done, result.adopted, result.tree_sha)
    assert theirs == landing.base


def test_a_merge_that_was_forced_away_is_not_done_again(landing: Landing, tmp_path: Path) -> None:
    """A person threw our commit out by force: the base is elsewhere, and that is their last word."""
    landing.perform()
    theirs = landing.person_commits(tmp_path, "theirs", start=landing.place.base)
    assert "someone moved it" in landing.perform().refused
    assert theirs == landing.base


def test_between_look_and_push_the_remote_itself_compares(landing: Landing, tmp_path: Path) -> None:
    """The lease: the base moves while the push is under way, and the push is refused."""
    theirs = landing.person_commits(tmp_path, "theirs")
    landing.place.person_moves("main", landing.place.base)
    hook = landing.place.remote / "hooks" / "pre-receive"
    hook.write_text(f"#!/bin/sh\nunset GIT_QUARANTINE_PATH\nexec git update-ref refs/heads/main {theirs}\n")
    hook.chmod(0o755)
    result = landing.perform()
    assert not result.done
    assert result.refused
    assert theirs == landing.base


def test_the_push_itself_compares_before_it_swaps(landing: Landing, tmp_path: Path) -> None:
    """The base moved after the look and before the push began: without the lease theirs would be overwritten."""
    place = landing.place
    theirs = landing.person_commits(tmp_path, "theirs")
    pushed = advance_base(ClosedGit(place.mirror.path), str(place.remote), "main", landing.commit, place.base, 60)
    assert (False, theirs) == (pushed.accepted, landing.base), pushed.reason


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"tree_sha": "f" * 40}, "the checked one"),
        ({"tree_sha": ""}, "not named"),
        ({"branch": "release"}, "is not the base branch"),
        ({"branch": "autonomy/x"}, "is not the base branch"),
        ({"expected_old": ""}, "the base was checked at"),
    ],
)
def test_what_was_not_checked_never_lands(landing: Landing, fields: dict[str, str], reason: str) -> None:
    """P4: another tree, another branch, another parent than the checked ones."""
    assert reason in landing.perform(**fields).refused
    assert landing.place.base == landing.base


def test_no_commit_of_another_parent_lands(landing: Landing, tmp_path: Path) -> None:
    """Never a force: the base goes only to its own child, whatever the lease says."""
    theirs = landing.person_commits(tmp_path, "theirs")
    assert "is a child of" in landing.perform(expected_old=theirs, base_sha=theirs).refused
    assert theirs == landing.base


def test_looking_alone_moves_nothing(landing: Landing) -> None:
    """After a pause an earlier attempt is only looked for."""
    result = landing.perform(look_only=True)
    assert (False, "") == (result.done, result.refused)
    assert landing.place.base == landing.base


def test_the_remotes_own_refusal_is_a_reason(landing: Landing) -> None:
    """A protected branch says no: refused, with its words."""
    hook = landing.place.remote / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'protected' >&2\nexit 1\n")
    hook.chmod(0o755)
    assert "refused the push" in landing.perform().refused
    assert landing.place.base == landing.base


def test_a_remote_that_is_gone_is_an_error(landing: Landing) -> None:
    """Could not find out: never a no, never a yes (P13)."""
    landing.place.remote.rename(landing.place.remote.with_name("elsewhere.git"))
    with pytest.raises(ForgeError, match="cannot be reached"):
        landing.perform()


def test_a_base_branch_that_is_gone_is_not_made_anew(landing: Landing) -> None:
    """Renamed by a person: there is nothing to move on."""
    git("branch", "-m", "main", "trunk", cwd=landing.place.remote)
    assert "is at nothing" in landing.perform().refused
    assert not landing.base


def test_the_forge_says_whether_the_base_holds_a_commit(landing: Landing, tmp_path: Path) -> None:
    """What the check-up asks of a merge nobody settled."""
    place = landing.place
    forge = open_local_forge(place.home, place.mirrors)(place.target)
    assert not forge.base_holds(landing.commit)
    landing.perform()
    landing.person_commits(tmp_path, "theirs")
    assert forge.base_holds(landing.commit)
