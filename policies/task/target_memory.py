"""What a rollback leaves for later runs (runbook §8): the idea stays away for a while, the hardening task is seen."""

from datetime import datetime

from contracts.rollback import HardeningTask, Quarantined
from contracts.task import Candidate, CandidateTasks, SuppressedCandidate, TaskType
from policies.counted import shortened

HARDENING_TOOL = "hardening"


def without_quarantined(
    proposed: CandidateTasks, quarantined: tuple[Quarantined, ...], now: datetime
) -> CandidateTasks:
    """Take quarantined ideas out, with reason and expiry.

    An idea is quarantined under its task id, and under its tool and rule wherever it touches one of the same files: a
    new finding in another file gives the same idea another id.
    """
    kept: list[Candidate] = []
    suppressed = list(proposed.suppressed)
    for candidate in proposed.candidates:
        ban = next((one for one in quarantined if one.until > now and _same(one, candidate)), None)
        if ban is None:
            kept.append(candidate)
        else:
            reason = shortened(f"quarantined until {ban.until.date()}: {ban.reason}", 400)
            suppressed.append(SuppressedCandidate(task_id=candidate.task_id, title=candidate.title, reason=reason))
    return proposed.model_copy(update={"candidates": tuple(kept), "suppressed": tuple(suppressed)})


def with_hardening(proposed: CandidateTasks, hardening: tuple[HardeningTask, ...]) -> CandidateTasks:
    """List hardening tasks, last, for a person to take."""
    ours = tuple(_candidate(task) for task in sorted(hardening, key=lambda task: (task.at, task.incident)))
    return proposed.model_copy(update={"candidates": (*proposed.candidates, *ours)})


def _same(one: Quarantined, candidate: Candidate) -> bool:
    idea = one.idea
    if candidate.task_id == idea.task_id:
        return True
    return (candidate.tool, candidate.rule) == (idea.tool, idea.rule) and bool(set(candidate.paths) & set(idea.paths))


def _candidate(task: HardeningTask) -> Candidate:
    return Candidate(
        task_id=f"harden-{task.run_id}",
        type=TaskType.TEST_HARDENING,
        title=task.title,
        tool=HARDENING_TOOL,
        rule="regression",
        paths=task.idea.paths,
        metric="regressions that no check caught before the merge",
        before=1,
        expected_after=0,
        confidence=1.0,
        score=0.0,
        estimated_files=1,
        estimated_lines=20,
        evidence=(f"{task.incident}: {task.idea.title}", f"rolled back at {task.at.isoformat(timespec='seconds')}"),
        remediates=task.incident,
        needs_person=True,
    )
