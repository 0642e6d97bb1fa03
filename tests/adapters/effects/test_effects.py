"""Effects: once, and only under a clearance that covers them exactly."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from adapters.effects.local_records import read_records
from adapters.effects.runner import EffectRunner
from adapters.forges.local import forge_folder, open_local_forge
from contracts.effect import EffectResult
from contracts.modes import WriteAction
from ports.clock import since_boot
from ports.forge import ForgeError

if TYPE_CHECKING:
    from conftest import Place

BRANCH = "autonomy/demo/1"


def test_a_push_lands_once_and_a_second_attempt_adopts_it(place: Place) -> None:
    """P7: two attempts of one push make one branch; the second finds it done."""
    first, second = place.perform(place.effect()), place.perform(place.effect())
    assert (True, False, place.head) == (first.done, first.adopted, first.result)
    assert (True, True, place.head) == (second.done, second.adopted, second.result)
    assert place.head == place.remote_head()


def test_a_push_onto_a_moved_branch_is_refused(place: Place) -> None:
    """The remote moved: a value with the reason, and nothing overwritten."""
    place.person_moves(BRANCH, place.base)
    result = place.perform(place.effect())
    assert (False, place.base) == (result.done, result.result)
    assert "someone moved it" in result.refused
    assert place.base == place.remote_head()


def test_a_push_moves_the_branch_from_where_it_is_expected(place: Place) -> None:
    """With the expected old value the branch moves, even where that is no fast-forward."""
    place.person_moves(BRANCH, place.base)
    assert place.perform(place.effect(expected_old=place.base)).done
    assert place.head == place.remote_head()


def test_the_remotes_own_refusal_is_a_reason(place: Place) -> None:
    """A remote hook that says no: refused, with its words."""
    hook = place.remote / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho 'not on a Friday' >&2\nexit 1\n")
    hook.chmod(0o755)
    result = place.perform(place.effect())
    assert not result.done
    assert "refused the push" in result.refused
    assert not place.remote_head()


@pytest.mark.parametrize(
    ("field", "value"),
    [("branch", "autonomy/other"), ("head_sha", "f" * 40), ("base_sha", "e" * 40), ("key", "demo-2/release")],
)
def test_a_clearance_for_something_else_is_refused(place: Place, field: str, value: str) -> None:
    """The permission is bound to key, branch, head and base."""
    result = place.perform(place.effect(), **{field: value})
    assert "the clearance is for something else" in result.refused
    assert not place.remote_head()


def test_a_clearance_for_another_action_is_refused(place: Place) -> None:
    """A permission to open a ticket pushes nothing."""
    result = place.perform(place.effect(), action=WriteAction.OPEN_TICKET)
    assert "open_ticket" in result.refused
    assert not place.remote_head()


def test_a_clearance_whose_time_is_over_is_refused(place: Place) -> None:
    """Nothing begins after the deadline."""
    assert "time was over" in place.perform(place.effect(), seconds=-1).refused
    assert not place.remote_head()


@pytest.mark.parametrize("branch", ["main", "release/1", "autonomy-main"])
def test_only_branches_of_ours_are_pushed(place: Place, branch: str) -> None:
    """No clearance makes another branch than autonomy/… ours."""
    before = place.remote_head("main")
    assert "not ours to push" in place.perform(place.effect(branch=branch, expected_old=before)).refused
    assert before == place.remote_head("main")


@pytest.mark.parametrize("branch", ["autonomy/-x/../y", "autonomy/a b", "autonomy/x:main", "autonomy/x.lock"])
def test_a_malformed_branch_is_an_error(place: Place, branch: str) -> None:
    """A name that could be read as something else reaches no remote."""
    with pytest.raises(ForgeError, match="branch name"):
        place.perform(place.effect(branch=branch))


def test_a_pull_request_is_opened_once(place: Place, tmp_path: Path) -> None:
    """The record shows what was asked; the second attempt adopts it, and so does another key for the same head."""
    place.perform(place.effect())
    request = place.effect(WriteAction.OPEN_PULL_REQUEST)
    results = [
        place.perform(request),
        place.perform(request),
        place.perform(request.model_copy(update={"run_key": "k"})),
    ]
    assert [False, True, True] == [result.adopted for result in results]
    assert ["1", "1", "1"] == [result.result for result in results]
    shown = open_local_forge(place.home, place.mirrors)(place.target).pull_requests()
    assert [(1, BRANCH, place.head, "open", request.run_key)] == [
        (pull.number, pull.branch, pull.head_sha, pull.state, pull.run_key) for pull in shown
    ]


def test_a_pull_request_for_an_unpushed_head_is_refused(place: Place) -> None:
    """A pull request shows what the remote has."""
    result = place.perform(place.effect(WriteAction.OPEN_PULL_REQUEST))
    assert "is at nothing" in result.refused
    assert () == read_records(forge_folder(place.home, "demo") / "pulls")


def test_tickets_are_numbered_and_adopted_by_key(place: Place) -> None:
    """One ticket per key; another key gets the next number; neither moves a ref."""
    tickets = [place.effect(WriteAction.OPEN_TICKET, branch="", run_key=key) for key in ("r/1", "r/1", "r/2")]
    assert ["1", "1", "2"] == [place.perform(ticket).result for ticket in tickets]
    forge = open_local_forge(place.home, place.mirrors)(place.target)
    assert ["r/2", "r/1"] == [ticket.run_key for ticket in forge.tickets()]
    assert () == forge.pull_requests()


@pytest.mark.parametrize("action", [WriteAction.PUSH_BRANCH, WriteAction.OPEN_PULL_REQUEST, WriteAction.OPEN_TICKET])
def test_looking_writes_nothing(place: Place, action: WriteAction) -> None:
    """Without permission the child holds no credential and finds the effect undone."""
    asked: list[str] = []
    if action is WriteAction.OPEN_PULL_REQUEST:
        place.person_moves(BRANCH, place.base)
    effect = place.effect(action, head_sha=place.base if action is WriteAction.OPEN_PULL_REQUEST else place.head)
    runner = EffectRunner(place.mirrors, place.home, lambda target: {"X": asked.append(target.name) or "x"})
    before = snapshot(place)
    result = runner.perform(place.target, effect, place.clearance(effect), since_boot() + 60, look_only=True)
    assert EffectResult(done=False) == result
    assert before == snapshot(place)
    assert [] == asked


def test_looking_adopts_what_is_done(place: Place) -> None:
    """A paused retry still finds the effect of the attempt before."""
    place.perform(place.effect())
    result = place.perform(place.effect(), look_only=True)
    assert (True, True) == (result.done, result.adopted)


def snapshot(place: Place) -> dict[str, bytes]:
    folders = (place.remote, forge_folder(place.home, "demo"))
    return {str(file): file.read_bytes() for folder in folders for file in folder.rglob("*") if file.is_file()}


def test_a_missing_change_is_an_error(place: Place) -> None:
    """A head that this machine's mirror never got is not a refusal of the remote."""
    with pytest.raises(ForgeError, match="failed"):
        place.perform(place.effect(head_sha="a" * 40))


def test_an_unreachable_remote_is_an_error(place: Place) -> None:
    """Could not find out is never an answer."""
    place.remote.rename(place.remote.with_name("elsewhere.git"))
    with pytest.raises(ForgeError, match="cannot be reached"):
        place.perform(place.effect())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_root_can_push_to_a_remote_of_another_user(place: Place) -> None:
    """Git's ownership rule does not stop a worker that runs as root."""
    for entry in (place.remote, *place.remote.rglob("*")):
        os.chown(entry, 12345, 12345)
    assert place.perform(place.effect()).done
