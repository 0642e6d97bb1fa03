"""Clearances: what a step asks before an outside effect, and how the effect ended."""

from enum import StrEnum

from pydantic import AwareDatetime, Field

from contracts.artifact import Contract
from contracts.effect import Clearance
from contracts.modes import WriteAction, WriteClass
from contracts.rollback import FollowUpInput, Merged
from contracts.verdict import Verdict

TAKES_A_PLACE = frozenset({WriteAction.PUSH_BRANCH, WriteAction.OPEN_PULL_REQUEST})
"""Of the pull requests that may wait: taken with the first push, so that two runs never open the last one."""


class WriteRequest(Contract):
    """A step's question before an outside effect: may I?"""

    run_id: str
    key: str
    """``run_id/step``: the business key of the effect."""
    attempt: str
    """Unique to one execution of the activity: workflow run, activity and attempt number."""
    action: WriteAction
    write_class: WriteClass
    branch: str
    head_sha: str
    base_sha: str
    policy_digest: str
    seconds: int = Field(ge=1, le=900)
    """How long the effect may take from the moment this request is sent."""
    incident: str = ""
    """``repair`` only: the open incident that names the merge."""
    task_type: str = ""
    """Of a run's canary or merge: the kind of task, which must have earned it; empty: nobody said."""
    merges: Merged | None = None
    """A run's merge only: what is planned, so that whoever looks for it knows what to look for."""
    follows: FollowUpInput | None = None
    """A run's opening of its pull request only: what is to be followed once this is done, however the run ends."""
    open_pulls: tuple[int, ...] = ()
    """A run's push and opening only: the pull requests that its Sensing saw waiting, also those that no book has."""


class WriteAnswerKind(StrEnum):
    """Control's answer to ``begin_write``."""

    GO = "go"
    LOOK_ONLY = "look_only"
    """Find it done and adopt it, or report it not done; do not do it."""
    BUSY = "busy"
    """Another attempt holds the clearance until its deadline."""
    SETTLED = "settled"
    """Already done under this key: adopt the recorded result."""
    REFUSED = "refused"


class WriteAnswer(Contract):
    """Control's answer to ``begin_write``."""

    answer: WriteAnswerKind
    verdict: Verdict
    clearance: Clearance | None = None
    """With GO and LOOK_ONLY."""
    retry_after_seconds: float = 0
    """With BUSY."""
    result: str = ""
    """With SETTLED: what ``settle_write`` recorded."""
    merged: Merged | None = None
    """With SETTLED, of a run's merge: what git found on the base."""


class WriteOutcome(StrEnum):
    """How an effect ended."""

    DONE = "done"
    NOT_DONE = "not_done"


class SettleRequest(Contract):
    """The end of a write: by the attempt that began, or after its deadline by looking at the remote."""

    key: str
    attempt: str
    outcome: WriteOutcome
    result: str = ""
    """What was found, for example the branch head or the pull request's number."""
    looked: bool = False
    """True when the remote was looked at after the deadline."""
    merged: Merged | None = None
    """Of a run's merge that is done: what git found on the base. None: from before this was said; as planned."""


class WriteRecord(Contract):
    """One write in Control's books, open until settled."""

    key: str
    run_id: str
    clearance: Clearance
    began_at: AwareDatetime
    settled_at: AwareDatetime | None = None
    outcome: WriteOutcome | None = None
    result: str = ""
    merges: Merged | None = None
    """A run's merge: as planned, once settled as git found it."""
    follows: FollowUpInput | None = None
