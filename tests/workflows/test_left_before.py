"""A Control that lost its books knows again what was merged, rolled back and followed: by the audit logs (A9)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from aftermath import BROKEN, CHECK, after_a_run, hasten
from world import World

from activities.control.lost_books import cleared_facts, left_before
from adapters.store.chained_log import ChainedLog
from contracts.audit import AuditEvent
from contracts.control import InstallationFacts
from contracts.modes import Mode, Role, RunStatus, TargetStatus, WriteAction
from contracts.rollback import FollowUpEnd, RollbackOutcome, RollbackStage
from tests.workflows.books import FIRST, Books, running
from tests.workflows.conversation import pause
from tests.workflows.quick import quick
from tests.workflows.test_following import opened
from tests.workflows.test_rolling_back import INCIDENT, ended, merge_of, ordered, regressed
from workflows.control import follow_ups, pausing, rollback_records

CLOSE = WriteAction.CLOSE_PULL_REQUEST


def reborn(books: Books, folder: Path, *, over: Books | None = None) -> Books:
    """Books that know nothing (or ``over``, rewound ones), registered with what the logs of the first ones show."""
    log = ChainedLog(folder)
    log.append("target/demo", tuple(books.state.to_log), books.now)
    for write in books.state.writes.values():
        event = AuditEvent(key=write.key, role=Role.RELEASE, event="write cleared", facts=cleared_facts("demo", write))
        log.append(f"run/{write.run_id}", (event,), books.now)
    facts = InstallationFacts(
        epoch=1, status=TargetStatus.ACTIVE, ready=True, fresh=False, left=left_before(log, "demo")
    )
    fresh = over or Books()
    pausing.register(fresh.state, facts, fresh.now, again=over is not None)
    return fresh


def waits(books: Books) -> Books:
    """Its pull request waits for a person."""
    books.finish(FIRST)
    return books


def merged(books: Books, by: str = "") -> Books:
    """The run's change is on the base."""
    rollback_records.merged(books.state, merge_of().model_copy(update={"by": by, "pull_request": 7}))
    return waits(books)


def told(books: Books) -> Books:
    """Its follow-up has ended."""
    follow_ups.followed_up(books.state, FollowUpEnd(run_id=FIRST, outcome="healthy", reason="green"))
    return books


def closed(books: Books) -> Books:
    """The run closed its own pull request."""
    books.begin(FIRST, action=CLOSE)
    books.settle(FIRST, action=CLOSE)
    return waits(books)


def broke(books: Books) -> Books:
    """Our merge broke the base."""
    regressed(merged(books))
    return books


def restored(books: Books) -> Books:
    """And was rolled back."""
    ended(broke(books))
    return books


@pytest.mark.parametrize(
    ("story", "stages", "followed"),
    [
        (waits, [], [(7, "")]),
        (closed, [], []),
        (merged, [RollbackStage.NONE], [(7, "")]),
        (lambda books: merged(books, "ann"), [RollbackStage.NONE], [(7, "ann")]),
        (lambda books: told(merged(books)), [RollbackStage.NONE], []),
        (broke, [RollbackStage.DUE], [(7, "")]),
        (restored, [RollbackStage.RESTORED], [(7, "")]),
    ],
    ids=["open", "closed", "merged", "merged by a person", "followed to its end", "being rolled back", "restored"],
)
def test_what_was_left_is_known_again(
    tmp_path: Path, story: Callable[[Books], Books], stages: list[RollbackStage], followed: list[tuple[int, str]]
) -> None:
    """Row by row: the merge's one rollback, and what nobody is known to have followed to its end."""
    state = reborn(story(opened(running())), tmp_path).state
    assert stages == [known.stage for known in state.merges.values()]
    shown = [(one.pull_request, one.merged.by if one.merged else "") for one in state.followed.values()]
    assert followed == shown


def test_a_person_may_roll_back_what_a_lost_control_merged_and_no_more_than_that(tmp_path: Path) -> None:
    """Once, as before; a review that was due stays due, and so does DRY_RUN."""
    healthy = reborn(merged(opened(running())), tmp_path / "1")
    assert ordered(healthy).accepted
    twice = reborn(restored(opened(running())), tmp_path / "2")
    assert "it was rolled back already" == ordered(twice).verdict.reason
    assert (Mode.DRY_RUN, INCIDENT) == (twice.state.mode, twice.state.review_due)


def test_a_rollback_that_had_not_ended_goes_on_by_a_persons_command(tmp_path: Path) -> None:
    """Its incident is in the books again, so it may be cleared; the pause of the new Control holds it until then."""
    books = reborn(broke(opened(running())), tmp_path)
    due = rollback_records.to_start(books.state)
    assert (Mode.DRY_RUN, INCIDENT) == (books.state.mode, due.incident if due else "")
    assert [INCIDENT] == list(books.state.incidents)
    assert ordered(books).accepted


def test_rewound_books_take_over_what_happened_since(tmp_path: Path) -> None:
    """Reset to before the merge, the rollback or its end; what they know already stays."""
    happened = restored(opened(running()))
    for number, rewound in enumerate((opened(running()), merged(opened(running())), broke(opened(running())))):
        state = reborn(happened, tmp_path / str(number), over=rewound).state
        assert [RollbackStage.RESTORED] == [known.stage for known in state.merges.values()]
    later = reborn(merged(opened(running())), tmp_path / "later", over=restored(opened(running()))).state
    assert [RollbackStage.RESTORED] == [known.stage for known in later.merges.values()]


def test_a_run_that_still_works_is_followed_when_it_has_ended(tmp_path: Path) -> None:
    """Rewound books have it open: its follow-up is due with its end, and not lost before it began."""
    books = reborn(opened(running()), tmp_path, over=opened(running()))
    assert {} == books.state.followed
    books.finish(FIRST, RunStatus.CANCELLED)
    assert [FIRST] == list(books.state.to_follow)


async def test_a_merge_of_a_terminated_control_is_rolled_back_by_a_person(world: World) -> None:
    """Live: the next Control is PAUSED, knows the merge, and the base is what it was before."""
    hasten(world)
    world.write_target("demo", "\n[environment]\nbuild = false\n" + CHECK, rollback_strategy="revert_commit")
    log = ChainedLog(world.settings.artifacts)
    async with world.worker(quick(world)):
        after = await after_a_run(world)
        before = after.tree()
        await after.merge(BROKEN)

        async def written() -> bool:
            return any(record.event == "merged" for record in log.records("target/demo"))

        await world.until(written)
        await world.control().terminate("lab")
        await pause(world, "demo")

        async def registered() -> bool:
            return (await world.status()).registered

        await world.until(registered)
        answer = await after.order()
        assert answer.accepted, answer.verdict.reason
        result = await after.rolled_back()
    assert (RollbackOutcome.RESTORED, before) == (result.outcome, after.tree()), result.reason
