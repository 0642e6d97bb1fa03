"""What every step receives and returns."""

from __future__ import annotations

from pydantic import AwareDatetime

from contracts.artifact import ArtifactRef, Contract
from contracts.asked import PersonsTask
from contracts.ci import CiState, CiTerms
from contracts.grant import Grant
from contracts.merging import CanaryReport, MergeCandidate
from contracts.modes import Mode, Outcome, Role, RunKind, WriteAction
from contracts.verdict import Verdict

COULD_NOT_LOOK = "could not look: "
"""How a day's reason begins that found nothing without having looked everywhere: no good day."""
NOTHING_WORTH_DOING = "nothing worth doing"
"""How it begins where there was nothing that could not be looked at."""


class PinnedPolicy(Contract):
    """The effective policy a run started under (P6): judged by these bytes until it ends."""

    digest: str
    """SHA-256 of the effective policy's canonical JSON."""
    artifact: ArtifactRef


class RunRef(Contract):
    """Which run this is; issued by Control's ``admit``, the same in every step."""

    run_id: str
    target: str
    kind: RunKind
    mode: Mode
    date: str
    """ISO date in the target's time zone."""
    attempt: int
    workflow_id: str
    started_at: AwareDatetime
    started_by: str
    policy: PinnedPolicy
    grant: Grant | None = None
    """The run takes a change out of quarantine instead of asking an agent."""
    asked: PersonsTask | None = None
    """What a person tries an agent with; the run takes nothing else."""


class Handover(Contract):
    """The charter's hand-over fields."""

    run_id: str
    task_id: str | None = None
    role: Role
    input_artifacts: tuple[ArtifactRef, ...] = ()
    output_artifacts: tuple[ArtifactRef, ...] = ()
    confidence: float
    """0.0 to 1.0; 1.0 for measured facts."""
    blocking_issues: tuple[str, ...] = ()
    next_role: Role | None = None


class Pins(Contract):
    """What the workflow pinned when a step ended, kept in its history: later drift is found against these."""

    contract_digest: str = ""
    """Digest of the contract's terms, pinned by plan."""
    head_sha: str = ""
    """The change's commit, pinned by code."""


class StepInput(Contract):
    """What a step is given: the run, the base commit once known, artifacts so far."""

    run: RunRef
    base_sha: str = ""
    """Empty only before preflight."""
    artifacts: tuple[ArtifactRef, ...] = ()
    decision: HumanDecision | None = None
    pins: Pins = Pins()
    round: int = 1
    """How often Coding has its turn in this run, this one included."""
    because: str = ""
    """Why it has another one."""

    @property
    def turn(self) -> str:
        """Each round is a turn of its own in the audit log; empty: the first."""
        return f"round-{self.round}" if self.round > 1 else ""


class HumanDecision(Contract):
    """A person's answer to a run that waits (update ``decide``)."""

    approve: bool
    actor: str
    reason: str
    subject: str
    """What was decided on: the artifact's SHA-256 that ``state`` showed."""


class StepResult(Contract):
    """What a step returns. The verdict tells the workflow whether to go on, and why."""

    handover: Handover
    verdict: Verdict
    audit_head: str = ""
    """Hash of the run's last audit record, so the Temporal history holds the chain's head (P10)."""
    base_sha: str = ""
    task_id: str | None = None
    nothing_to_do: bool = False
    outcome: Outcome | None = None
    pins: Pins = Pins()
    """Empty fields leave what was pinned before."""
    writes: tuple[PlannedWrite, ...] = ()
    """The advance writes this run wants, in order: Release's, and Sense's closings of what is moot. DRY_RUN and PR_ONLY
    list the same."""
    ci: CiTerms | None = None
    """Release only: how to wait for CI once the pull request is open; None: there is none to wait for."""


class PlannedWrite(Contract):
    """One write a run wants. Equal in DRY_RUN and PR_ONLY on the same base (P3): no run id, no time."""

    action: WriteAction
    task_id: str
    branch: str
    base_branch: str
    base_sha: str
    head_sha: str
    tree_sha: str = ""
    """For a merge: the checked tree, which the base must hold afterwards (P4)."""
    expected_old: str = ""
    """For a push that moves a branch of ours on: where it must be; empty: it must not exist."""
    pull_branch: str = ""
    """For a merge on a forge that merges pull requests: the branch whose pull request lands it."""
    commit_message: str = ""
    """Of the merge commit at ``head_sha``, made anew by whoever writes; empty: from before it said anything."""
    title: str = ""
    body_sha256: str = ""
    """Digest of the pull request body without its run footer."""
    of_run: str = ""
    """For a pull request that an earlier run opened: that run. Empty: this run's own."""
    number: int = 0
    """For a comment: the pull request; for a question: the issue."""
    asks: str = ""
    """Of a question on an issue: the state of it that the question is about."""


StepInput.model_rebuild()
StepResult.model_rebuild()


# What one look at a commit's CI is given and returns.


class CiInput(Contract):
    """Which commit, which pull request, and for how long already."""

    step: StepInput
    terms: CiTerms
    commit_sha: str
    pull_request: int
    """Number of the one that was opened; 0: look for this run's mark."""
    began_at: AwareDatetime
    deadline: AwareDatetime
    looks: int
    """Counted from 1."""
    over: bool
    """The deadline has passed: what is not green now is never going to be."""


class CiLook(Contract):
    """A step's result, and how the checks stand.

    Its verdict: ALLOW goes on · HOLD looks again · ASK: a person took the pull request over · DENY: rejected, and the
    result's ``writes`` close the pull request if the change is to blame.
    """

    result: StepResult
    state: CiState
    cause: str = ""
    """While it waits: what most likely keeps the checks, for a person."""
    again_seconds: float | None = None
    """Look again so soon, where the terms' own rhythm would be too late."""


# What the steps before a merge are given and return.


class MergeInput(Contract):
    """The steps before a merge: which merge result, and what its canary said."""

    step: StepInput
    candidate: MergeCandidate | None = None
    """None: the merge result of the run's own check."""
    canary: CanaryReport | None = None

    @property
    def turn(self) -> str:
        """Each merge result is a turn of its own in the audit log; empty: the run's own."""
        return self.candidate.merge_sha if self.candidate else ""


class MergeResult(Contract):
    """A step's result, and the merge result it stands for."""

    result: StepResult
    candidate: MergeCandidate | None = None


class ProbeInput(Contract):
    """One round of probes on a canary."""

    run: RunRef
    candidate: MergeCandidate
    artifacts: tuple[ArtifactRef, ...]
    round: int
