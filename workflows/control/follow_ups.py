"""Follow-ups in Control's books: what a run leaves open on the forge, or on the base, is followed until it has ended.

However the run ended (runbook §6.3): the writes that Control settled say what there is, not the run's own last word.
"""

from collections.abc import Collection

from contracts.alert import AlertKind
from contracts.clearance import TAKES_A_PLACE, WriteOutcome
from contracts.control import Answer
from contracts.forge_facts import ABOUT_MERGE, ABOUT_ROLLBACK, comment_name
from contracts.modes import WriteAction, WriteClass
from contracts.rollback import FollowUpEnd, FollowUpInput, MergeRecord, RollbackStage, Unsaid
from contracts.verdict import Decision
from policies.counted import counted, shortened
from workflows.api import rollback_run_id
from workflows.control.state import ControlState, clock

MOST_STARTS = 3
"""A follow-up that is lost again and again is a person's."""
_DONE = WriteOutcome.DONE
_OF_ROLLBACK = rollback_run_id("")
_SAID_SO = "COMPLETED"
"""It tells its end before it ends: these books heard of the end before they heard of the start."""


def follow_anyway(state: ControlState, run_id: str) -> None:
    """What an ended run left behind is followed; nothing, if it left nothing, or is followed already."""
    if run_id in state.to_follow or run_id in state.followed:
        return
    left = _left_behind(state, run_id)
    if left is not None:
        state.to_follow[run_id] = left


def settled(state: ControlState, run_id: str) -> None:
    """A write ended: of a run that is over, nobody but us says what it left."""
    run = state.runs.get(run_id)
    if run is None or run.closed_at is not None:
        follow_anyway(state, run_id)


def start_of(state: ControlState, run_id: str) -> FollowUpInput:
    """The input of its workflow: with what landed by now, and with what is still to be said of that."""
    request, known = state.to_follow[run_id], state.merges.get(run_id)
    if known is None:
        return request
    ours = not known.merged.by and known.stage is RollbackStage.NONE
    unsaid = Unsaid(record=known) if ours and not _is_said(state, run_id, known, ABOUT_MERGE) else request.unsaid
    return request.model_copy(update={"merged": known.merged, "unsaid": unsaid})


def begun(state: ControlState, request: FollowUpInput) -> None:
    """Its workflow runs; from now on it is looked after."""
    state.followed[request.run.run_id] = request
    state.follow_starts[request.run.run_id] = state.follow_starts.get(request.run.run_id, 0) + 1


def take_over(state: ControlState, follows: tuple[FollowUpInput, ...]) -> None:
    """What an earlier Control had followed, or was about to: the check-up finds out which of them still runs."""
    for request in follows:
        run = state.runs.get(request.run.run_id)
        if request.run.run_id not in state.to_follow and (run is None or run.closed_at is not None):
            state.followed.setdefault(request.run.run_id, request)
            state.follow_starts.setdefault(request.run.run_id, 1)


def lost(state: ControlState, run_id: str, status: str) -> None:
    """Its workflow is closed and never said how it ended: it is started again, a few times."""
    request = state.followed.pop(run_id, None)
    if request is None or status == _SAID_SO:
        return
    starts = state.follow_starts.get(run_id, 1)
    if starts < MOST_STARTS:
        state.log("follow-up lost", runId=run_id, status=status, again=True)
        state.to_follow[run_id] = request
        return
    state.follow_starts.pop(run_id, None)
    state.log("follow-up lost", runId=run_id, status=status, again=False)
    what = f"pull request {request.pull_request}" if request.pull_request else "its merge"
    summary = (
        f"nobody follows {what} of {run_id} any more: its follow-up was {status} {counted(starts, 'time')}. "
        "Look at the pull request, and at the base if it is merged"
    )
    state.alert(AlertKind.RUN_FAILED, f"follow-up-lost/{run_id}", summary, run_id=run_id, status=status)


def taken_places(state: ControlState, own: str, seen: Collection[int]) -> int:
    """Pull requests that wait for a person, and those that other runs are about to open; not the ``own`` run's.

    ``seen`` were open on the forge a while ago: of these, what the books know is told by the books.
    """
    left = state.followed | state.to_follow
    waiting = {run_id for run_id, each in left.items() if each.pull_request and not (each.merged or each.rolls_back)}
    begun, merged, known = set[str](), set[str](), {each.pull_request for each in left.values()}
    for write in state.writes.values():
        action, run_id, done = write.clearance.action, write.run_id, write.outcome is _DONE
        if action is WriteAction.MERGE and done:
            merged.add(run_id)
        if action is WriteAction.OPEN_PULL_REQUEST and done and write.result.isdecimal():
            known.add(int(write.result))
        if action in TAKES_A_PLACE and write.clearance.write_class is WriteClass.ADVANCE:
            run = state.runs.get(run_id)
            if write.settled_at is None or (done and run is not None and run.closed_at is None):
                begun.add(run_id)
    return len((waiting | begun) - merged - {own}) + len(set(seen) - known)


def followed_up(state: ControlState, report: FollowUpEnd) -> Answer:
    """How a merge or a pull request fared."""
    state.followed.pop(report.run_id, None)
    state.follow_starts.pop(report.run_id, None)
    state.forget_outcomes(report.run_id)
    state.note_became(report.run_id, report.became)
    at = clock(report.at) if report.at else ""
    state.log(
        "follow-up ended",
        runId=report.run_id,
        outcome=report.outcome,
        reason=shortened(report.reason, 500),
        who=report.who,
        at=at,
    )
    return state.answer("a follow-up may always say how it ended", Decision.ALLOW, "recorded", runId=report.run_id)


def _left_behind(state: ControlState, run_id: str) -> FollowUpInput | None:
    writes = [write for write in state.writes.values() if write.run_id == run_id]
    if any(write.settled_at is None for write in writes):
        # Nobody knows what it left until that one is settled, by looking at the latest.
        return None
    known = state.merges.get(run_id)
    if known is not None:
        merged = known.merged
        return FollowUpInput(run=merged.run, task_id=merged.task_id, pull_request=merged.pull_request, merged=merged)
    done = {write.clearance.action: write for write in writes if write.outcome is _DONE}
    landed = done.get(WriteAction.REVERT) or done.get(WriteAction.MERGE)
    if landed is not None and run_id.startswith(_OF_ROLLBACK):
        return _undone(state, run_id, landed.result)
    pull = done.get(WriteAction.OPEN_PULL_REQUEST)
    # Under its own key: a run also closes what earlier ones left that is moot.
    closed = any(
        write.key == f"{run_id}/{WriteAction.CLOSE_PULL_REQUEST}" for write in writes if write.outcome is _DONE
    )
    if pull is None or pull.follows is None or closed or not pull.result.isdecimal():
        return None
    if (undone := pull.follows.rolls_back) and not _is_a_persons(state, undone):
        return None
    return pull.follows.model_copy(update={"pull_request": int(pull.result)})


def _undone(state: ControlState, own: str, revert_sha: str) -> FollowUpInput | None:
    """A rollback that landed and was given up: nothing of it is left to watch, only to be said."""
    undone = own.removeprefix(_OF_ROLLBACK)
    if not _is_a_persons(state, undone) or _is_said(state, own, state.merges[undone], ABOUT_ROLLBACK):
        return None
    known = state.merges[undone]
    return FollowUpInput(
        run=known.merged.run.model_copy(update={"run_id": own}),
        task_id=f"rollback-{known.merged.task_id}",
        pull_request=0,
        rolls_back=undone,
        unsaid=Unsaid(record=known, revert_sha=revert_sha),
    )


def _is_said(state: ControlState, writer: str, known: MergeRecord, about: str) -> bool:
    """Whether its comment is in the books, or there is no place for one; what they forgot is looked for anew (P7)."""
    number = known.merged.pull_request
    write = state.writes.get(f"{writer}/{comment_name(number, about)}")
    return not number or (write is not None and write.outcome is _DONE)


def _is_a_persons(state: ControlState, run_id: str) -> bool:
    """Its rollback was escalated: what that left open is nobody else's."""
    known = state.merges.get(run_id)
    return known is not None and known.stage is RollbackStage.ESCALATED
