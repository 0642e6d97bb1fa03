"""A merge that landed and whose run never said so: the books know it all the same (P7, 6.3)."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from aftermath import hasten
from world import World

from adapters.forges.local import forge_folder, read_comments
from contracts.clearance import Clearance, SettleRequest, WriteAnswerKind, WriteOutcome
from contracts.control import Answer
from contracts.effect import Effect, EffectResult
from contracts.modes import RunStatus, WriteAction
from contracts.rollback import FollowUpEnd, RollbackRequest, RollbackResult
from policies.settings.schema import Target
from ports.forge import ForgeError
from tests.workflows import auto
from tests.workflows.books import FIRST, running
from tests.workflows.test_rolling_back import merge_of, ordered
from workflows import api
from workflows.control import clearances


@dataclass
class Landed:
    """The real effects; the first merge stands still after it landed, and then nobody learns that it did."""

    real: Any
    reached: threading.Event = field(default_factory=threading.Event)
    go_on: threading.Event = field(default_factory=threading.Event)

    def perform(
        self, target: Target, effect: Effect, clearance: Clearance, kill_at: float, look_only: bool
    ) -> EffectResult:
        """Land, wait, and be cut off."""
        result: EffectResult = self.real.perform(target, effect, clearance, kill_at, look_only)
        if effect.action is WriteAction.MERGE and not self.reached.is_set():
            self.reached.set()
            self.go_on.wait(60)
            raise ForgeError("cut off after the push")
        return result


@pytest.mark.parametrize("late", [False, True], ids=["settled first", "lost first"])
def test_a_merge_of_a_run_that_never_said_so_is_followed(late: bool) -> None:
    """P7: a settled merge is in the books; whether its run is given up before or after, it is watched, once."""
    books = running()
    assert WriteAnswerKind.GO is books.begin(FIRST, merges=merge_of()).answer
    steps: list[Callable[[], object]] = [lambda: books.settle(FIRST), lambda: books.finish(FIRST, RunStatus.LOST)]
    for step in reversed(steps) if late else steps:
        assert {} == books.state.to_follow
        step()
    followed = books.state.to_follow[FIRST]
    assert (merge_of(), "t-1", 1) == (followed.merged, followed.task_id, followed.pull_request)
    assert ordered(books).accepted


@pytest.mark.parametrize("outcome", [None, WriteOutcome.NOT_DONE])
def test_a_merge_that_did_not_land_is_in_no_book(outcome: WriteOutcome | None) -> None:
    """Begun is not done."""
    books = running()
    books.begin(FIRST, merges=merge_of())
    if outcome is not None:
        books.settle(FIRST, outcome=outcome)
    books.finish(FIRST, RunStatus.LOST)
    assert ({}, {}) == (books.state.to_follow, books.state.merges)


async def test_a_merge_whose_run_was_terminated_is_followed_and_can_be_rolled_back(world: World) -> None:
    """Break-glass right after the push: the run is LOST; its merge is in the books, watched, and undone on order."""
    auto.permit(world)
    hasten(world, write_seconds=10)
    auto.add_target(world)
    before = auto.tree(world, "main")
    landed = Landed(world.bench().effects)
    async with world.worker(auto.quick(world, effects=landed)):
        await auto.opened(world)
        handle = await world.start("auto")

        async def reached() -> bool:
            return landed.reached.is_set()

        await world.until(reached)
        await handle.terminate("break-glass")
        landed.go_on.set()

        async def lost() -> Any:
            return next((run for run in (await world.status("auto")).recent if run.status is RunStatus.LOST), None)

        run = await world.until(lost)
        follow_up = world.client.get_workflow_handle(api.follow_up_id(run.run_id), result_type=FollowUpEnd)
        await world.until(follow_up.describe)

        async def said() -> Any:
            return [one.run_key for one in read_comments(forge_folder(world.settings.home, "auto") / "pulls", 1)]

        # It was ended between its merge and its comment: its follow-up says it, once.
        assert [f"{run.run_id}/comment-1-merged"] == await world.until(said)
        asked = RollbackRequest(run_id=run.run_id, reason="nobody watched it", actor="ann")
        answer = await world.control("auto").execute_update(api.ROLL_BACK, asked, result_type=Answer)
        assert answer.accepted, answer.verdict.reason
        rollback = world.client.get_workflow_handle(api.rollback_id(run.run_id), result_type=RollbackResult)
        await world.until(rollback.describe)
        result = await rollback.result()
        assert (before, "restored") == (auto.tree(world, "main"), result.outcome), result
        assert [f"{run.run_id}/comment-1-merged", f"RB-{run.run_id}/comment-1-rolled-back"] == await said()


def test_the_books_hold_what_git_found_and_not_what_was_planned() -> None:
    """A person squashed in the last moment: whoever settles says what landed, and who asks again hears the same."""
    books = running()
    books.begin(FIRST, merges=merge_of())
    found = merge_of().model_copy(update={"merge_sha": "5" * 40, "parent_sha": "6" * 40})
    said = SettleRequest(
        key=f"{FIRST}/{WriteAction.PUSH_BRANCH}", attempt="a1", outcome=WriteOutcome.DONE, result="5" * 40, merged=found
    )
    assert clearances.settle(books.state, said, books.now).accepted
    assert found == books.state.merges[FIRST].merged
    assert found == books.begin(FIRST, merges=merge_of()).merged
