"""What a model's answer may change of our own: rank and leave out, narrow, block. Never find, widen or unblock (P6)."""

from collections.abc import Collection

from contracts.asked import Unclear
from contracts.evidence import ReviewProposal, ReviewRemark, Severity
from contracts.task import CandidateTasks, SuppressedCandidate, TaskContract
from policies.counted import counted, shortened
from policies.paths.rules import readable

_REASON, _REMARKS = 300, 100
_UNSEEN = "the change is too long to be shown whole: smaller, or the role's tokens raised, it could be reviewed"


class Unfit(Exception):
    """The answer has the right shape and says what it may not; the words say what is wrong, for another try."""


def ranked(ours: CandidateTasks, proposal: CandidateTasks, who: str) -> CandidateTasks:
    """Our ideas in the model's order, less those that it leaves out, each with what we measured of it.

    Raises:
        Unfit: it names an idea that nobody measured.
    """
    known = {each.task_id: each for each in ours.candidates}
    order = list(dict.fromkeys(each.task_id for each in proposal.candidates))
    if invented := [task_id for task_id in order if task_id not in known]:
        raise Unfit(f"{invented[0]!r} is no listed candidate; name only candidates of candidates.json, by their taskId")
    sure = {each.task_id: each.confidence for each in proposal.candidates}
    why = {each.task_id: each.reason for each in proposal.suppressed}
    # Whoever ranks again goes by scores: the same ones, dealt out anew.
    scores = sorted((known[task_id].score for task_id in order), reverse=True)
    kept = [
        known[task_id].model_copy(update={"score": score, "confidence": min(known[task_id].confidence, sure[task_id])})
        for task_id, score in zip(order, scores, strict=True)
    ]
    left = [each for each in ours.candidates if each.task_id not in sure]
    suppressed = [
        SuppressedCandidate(task_id=each.task_id, title=each.title, reason=_left_out(who, why.get(each.task_id, "")))
        for each in left
    ]
    return ours.model_copy(update={"candidates": tuple(kept), "suppressed": (*ours.suppressed, *suppressed)})


def _left_out(who: str, reason: str) -> str:
    return f"left out today by {who}" + (f": {shortened(reason, _REASON)}" if reason else "")


def narrowed(ours: Collection[TaskContract], proposal: TaskContract) -> TaskContract:
    """Our contract for the idea that the model picked, within the limits that it set.

    Raises:
        Unfit: it picks what is not offered, or reaches beyond it, or leaves nothing.
    """
    mine = next((each for each in ours if each.task_id == proposal.task_id), None)
    if mine is None:
        raise Unfit(f"{proposal.task_id!r} is not offered; pick one of contracts.json, by its taskId")
    scope, wanted = mine.scope, proposal.scope
    if wider := sorted(set(wanted.allowed_paths) - set(scope.allowed_paths)):
        raise Unfit(f"{readable(wider[0])} is not in the scope that is offered; a scope can only be narrowed")
    paths = tuple(path for path in scope.allowed_paths if path in wanted.allowed_paths)
    if not paths or min(wanted.max_files, wanted.max_lines) < 1:
        raise Unfit(
            "nothing may be changed by this contract; leave a path, a file and a line, or answer that nothing fits"
        )
    limits = {
        name: max(0, min(getattr(scope, name), getattr(wanted, name)))
        for name in ("max_files", "max_lines", "max_new_files", "max_deletions")
    }
    blocked = tuple(dict.fromkeys((*scope.blocked_paths, *wanted.blocked_paths)))
    update: dict[str, object] = {
        "scope": scope.model_copy(update=limits | {"allowed_paths": paths, "blocked_paths": blocked})
    }
    if paths != scope.allowed_paths:
        less = -1 if mine.expected_metric_delta < 0 else 1
        update["objective"] = f"Improve {mine.metric} in {counted(len(paths), 'file')} of {len(scope.allowed_paths)}."
        update["expected_metric_delta"] = less
    return mine.model_copy(update=update)


def asked_back(proposal: Unclear, issues: Collection[str]) -> Unclear:
    """A question in place of a contract, about an issue that was offered.

    Raises:
        Unfit: it is about something else, or asks nothing.
    """
    if proposal.task_id not in issues:
        raise Unfit(f"{proposal.task_id!r} is no offered task from an issue; only about those there is somebody to ask")
    if not proposal.question.strip():
        raise Unfit("the question is empty; ask what would have to be known, or answer with a contract")
    return proposal


def both(
    ours: ReviewProposal, proposal: ReviewProposal, who: str, changed: Collection[str], *, whole: bool
) -> ReviewProposal:
    """Approved only by both; the remarks of both. A remark on a path that was not changed is one on the whole.

    ``whole``: the model saw all of the change; else it has not looked, whatever it says (P18).
    """
    if not whole:
        unseen = ReviewRemark(severity=Severity.MAJOR, path=None, message=_UNSEEN)
        proposal = proposal.model_copy(update={"approve": False, "remarks": (unseen, *proposal.remarks)})
    blocks = any(each.severity is Severity.BLOCKING for each in (*ours.remarks, *proposal.remarks))
    theirs = [
        ReviewRemark(
            severity=each.severity,
            path=each.path if each.path in changed else None,
            line=each.line if each.path in changed else None,
            message=shortened(f"{who}: {each.message}", _REASON * 3),
        )
        for each in proposal.remarks
    ]
    return ReviewProposal(
        approve=ours.approve and proposal.approve and not blocks,
        confidence=min(ours.confidence, proposal.confidence),
        summary=shortened(f"{ours.summary} {who}: {proposal.summary}", _REASON * 3),
        remarks=(*ours.remarks, *theirs)[:_REMARKS],
    )
