"""Control's books without a server: a clock that goes only when told, and short forms of every question."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.admission import AdmitAnswer, AdmitRequest, FinishRequest, RunRequest
from contracts.budget import BudgetTerms
from contracts.clearance import SettleRequest, WriteAnswer, WriteOutcome, WriteRecord, WriteRequest
from contracts.control import Answer, InstallationFacts, InstallationNotice, ModeRequest, PauseRecord, ResumeRequest
from contracts.modes import Mode, PauseStyle, RunKind, RunStatus, TargetStatus, WriteAction, WriteClass
from contracts.rollback import FollowUpInput, Merged
from contracts.terms import ControlTerms
from workflows.control import admission, clearances, pausing
from workflows.control.state import ControlState
from workflows.epochs import epoch_at

TARGET = "demo"
DAY = "2026-03-02"
FIRST = f"demo-{DAY}-pr-1"
POLICY = "policy-1"
BIRTH = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@dataclass
class Books:
    """A ControlState and the world it believes in."""

    state: ControlState = field(default_factory=lambda: ControlState(target=TARGET, epoch=epoch_at(BIRTH)))
    now: datetime = BIRTH
    policy: str = POLICY
    max_active: int = 1
    queue_limit: int = 3
    runs_per_day: int = 50
    maximum_mode: Mode = Mode.PR_ONLY
    earned: dict[str, str] | None = None
    terms: BudgetTerms | None = None

    def opened(self) -> Books:
        """Registered as a target nobody knew."""
        self.register()
        return self

    def policy_says(self, **terms: Any) -> None:
        """A policy that was edited."""
        self.state.terms = self.state.terms.model_copy(update=terms)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.now += timedelta(seconds=seconds)

    def register(
        self,
        status: TargetStatus = TargetStatus.ACTIVE,
        *,
        fresh: bool = True,
        in_flight: tuple[WriteRecord, ...] = (),
    ) -> None:
        """The Installation's answer, with what the audit logs show in flight."""
        facts = InstallationFacts(
            epoch=1, status=status, ready=True, fresh=fresh, reason="everybody rests", in_flight=in_flight
        )
        pausing.register(self.state, facts, self.now)
        admission.promote(self.state)

    def admit(
        self, execution: str = "w1", workflow_id: str = "", taken: tuple[str, ...] = (), **spec: Any
    ) -> AdmitAnswer:
        """A workflow run asks for admission."""
        asked = AdmitRequest(
            request=RunRequest(target=TARGET, **spec),
            workflow_id=workflow_id or f"run-{execution}",
            workflow_run_id=execution,
            date=spec.get("date", DAY),
            policy_digest=self.policy,
            terms=ControlTerms(
                max_active=self.max_active,
                queue_limit=self.queue_limit,
                runs_per_day=self.runs_per_day,
                maximum_mode=self.maximum_mode,
                earned=self.earned,
                budget=self.terms,
            ),
            taken=taken,
        )
        return admission.admit(self.state, asked, self.now)

    def smoke(self, execution: str = "s1") -> AdmitAnswer:
        """The ladder's own smoke asks for admission."""
        assert self.state.ladder is not None
        self.state.smoke_due = False
        return self.admit(execution, self.state.ladder.smoke_workflow_id, kind=RunKind.SMOKE, mode=Mode.DRY_RUN)

    def finish(
        self, run_id: str, status: RunStatus = RunStatus.PR_OPENED, policy: str | None = None, *, kept_out: bool = False
    ) -> None:
        """A run says how it ended, as Control's handler takes it."""
        digest = self.policy if policy is None else policy
        said = FinishRequest(run_id=run_id, status=status, policy_digest=digest, kept_out=kept_out)
        if admission.finish(self.state, said, self.now):
            pausing.smoke_ended(self.state, said, self.now)
            admission.promote(self.state)

    def pause(self, style: PauseStyle = PauseStyle.CHECKPOINT, scope: Any = "target") -> None:
        """The brake of this target."""
        record = PauseRecord(scope=scope, style=style, reason="smoke in the room", actor="ann", at=self.now, epoch=0)
        pausing.pause(self.state, record)

    def notice(self, epoch: int, status: TargetStatus) -> None:
        """News from the Installation."""
        pausing.notice(
            self.state,
            InstallationNotice(epoch=epoch, status=status, reason="all stop", actor="ann", cause="c", evidence="e"),
            self.now,
        )

    def resume(self, epoch: int | None = None) -> Answer:
        """A person resumes under the epoch they saw."""
        seen = self.state.epoch if epoch is None else epoch
        asked = ResumeRequest(expected_epoch=seen, cause="it was the cat", evidence="photo", actor="bob")
        return pausing.resume(self.state, asked, self.now)

    def set_mode(self, mode: Mode, epoch: int | None = None, **ceiling: Any) -> Answer:
        """A person sets the mode; ``ceiling``: what the policy folder says, ``maximum`` and ``probes``."""
        seen = self.state.epoch if epoch is None else epoch
        asked = ModeRequest(expected_epoch=seen, mode=mode, reason="as agreed", actor="bob", **ceiling)
        return pausing.set_mode(self.state, asked, self.now)

    def begin(
        self,
        run_id: str,
        attempt: str = "a1",
        action: WriteAction = WriteAction.PUSH_BRANCH,
        write_class: WriteClass = WriteClass.ADVANCE,
        policy: str | None = None,
        merges: Merged | None = None,
        follows: FollowUpInput | None = None,
        key: str = "",
        incident: str = "",
        task_type: str = "",
        open_pulls: tuple[int, ...] = (),
    ) -> WriteAnswer:
        """An attempt asks whether it may write."""
        asked = WriteRequest(
            run_id=run_id,
            key=key or f"{run_id}/{action}",
            attempt=attempt,
            incident=incident,
            task_type=task_type,
            action=action,
            write_class=write_class,
            branch="autonomy/x",
            head_sha="h" * 40,
            base_sha="b" * 40,
            policy_digest=self.policy if policy is None else policy,
            seconds=60,
            merges=merges,
            follows=follows,
            open_pulls=open_pulls,
        )
        return clearances.begin(self.state, asked, self.now)

    def settle(
        self,
        run_id: str,
        attempt: str = "a1",
        outcome: WriteOutcome = WriteOutcome.DONE,
        action: WriteAction = WriteAction.PUSH_BRANCH,
        *,
        looked: bool = False,
        key: str = "",
    ) -> Answer:
        """A write ended."""
        key = key or f"{run_id}/{action}"
        said = SettleRequest(key=key, attempt=attempt, outcome=outcome, result="7", looked=looked)
        return clearances.settle(self.state, said, self.now)

    def looked_up(self, outcome: WriteOutcome) -> SettleRequest:
        """What the check-up finds on the remote, of a push of ``FIRST``."""
        return SettleRequest(key=f"{FIRST}/push_branch", attempt="check-up", outcome=outcome, looked=True)


def running(**more: Any) -> Books:
    """An open target with one admitted run, ``FIRST``."""
    books = Books(**more).opened()
    books.admit()
    return books


def on_the_ladder() -> Books:
    """Paused and resumed: waiting for the smoke."""
    books = Books().opened()
    books.pause()
    assert books.resume().accepted
    return books
