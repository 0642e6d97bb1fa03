"""Random operators, runs, attempts, faults and time against Control's books; the promises hold after every step."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from contracts.admission import Admission, OrderState
from contracts.clearance import WriteAnswerKind, WriteOutcome
from contracts.modes import Mode, PauseStyle, RunKind, RunStatus, TargetStatus, WriteAction, WriteClass
from tests.workflows.books import BIRTH, POLICY, Books
from workflows.control.state import ControlState

LARGEST = 512 * 1024
PUBLISHING = (WriteAction.PUSH_BRANCH, WriteAction.OPEN_PULL_REQUEST)
ENDS = (RunStatus.PR_OPENED, RunStatus.REJECTED, RunStatus.CANCELLED, RunStatus.LOST, RunStatus.DRY_RUN_COMPLETE)
any_number = st.integers(0, 1000)
attempts = st.sampled_from(["a1", "a1", "a2", "a3"])
stories = st.lists(
    st.one_of(
        st.tuples(st.just("begin"), attempts),
        st.tuples(st.just("begin"), attempts),
        st.tuples(st.just("settle"), st.one_of(attempts, st.just("check-up"))),
        st.tuples(st.just("fail"), st.one_of(attempts, st.just("check-up"))),
        st.tuples(st.just("wait"), st.sampled_from(["1", "30", "59", "60"])),
        st.tuples(st.just("pause"), st.sampled_from(list(PauseStyle))),
    ),
    min_size=2,
    max_size=8,
)


@dataclass
class Window:
    """The time in which an attempt that was told ``go`` may touch the remote."""

    attempt: str
    begin: datetime
    end: datetime


class ControlMachine(RuleBasedStateMachine):
    """What a person believes about Control, kept beside it and compared."""

    def __init__(self) -> None:
        super().__init__()
        self.books = Books(max_active=2, queue_limit=4, runs_per_day=1000)
        self.open = False
        """Fresh, or the ladder was climbed since the last pause."""
        self.asked: list[tuple[str, str]] = []
        self.started = 0
        self.installation = 1
        self.windows: dict[str, list[Window]] = {}
        self.done: set[str] = set()
        self.epoch = self.revision = 0
        self.queue: list[str] = []
        self.apart = False
        """Paused by itself, not only with everybody."""

    @property
    def state(self) -> ControlState:
        """The books."""
        return self.books.state

    @initialize(
        fresh=st.booleans(), status=st.sampled_from([TargetStatus.ACTIVE, TargetStatus.PAUSED]), early=st.booleans()
    )
    def register(self, status: TargetStatus, *, fresh: bool, early: bool) -> None:
        """Born blank; perhaps asked for admission before it knows anything."""
        if early:
            self.admit(None, again=True)
        self.books.register(status, fresh=fresh)
        self.open = fresh and status is TargetStatus.ACTIVE
        self.apart = not fresh

    # Runs

    @rule(mode=st.sampled_from([None, Mode.DRY_RUN, Mode.PR_ONLY, Mode.SELECTIVE_AUTO]), again=st.booleans())
    def admit(self, mode: Mode | None, *, again: bool) -> None:
        """Somebody starts a run."""
        self.started += 1
        queue_was = list(self.state.queue)
        said = self.books.admit(f"w{self.started}", mode=mode, again=again, date=self.books.now.date().isoformat())
        self.asked.append((f"w{self.started}", said.run_id))
        if said.answer is Admission.ADMITTED:
            assert self.open
            assert not queue_was, "it overtook the queue"

    @rule(runs=st.integers(2, 6), ends=st.integers(0, 3))
    def rush_hour(self, runs: int, ends: int) -> None:
        """Many start at once; some of them end."""
        self.recover()
        for _ in range(runs):
            self.admit(Mode.PR_ONLY, again=True)
            self.slots()
        for run in self.state.occupying()[:ends]:
            self.books.finish(run.run_id)
            self.slots()

    @rule()
    def forge_a_smoke(self) -> None:
        """Somebody starts a smoke run by hand."""
        self.started += 1
        said = self.books.admit(f"w{self.started}", kind=RunKind.SMOKE)
        assert said.answer in {Admission.REFUSED, Admission.ALREADY_RAN}

    @precondition(lambda self: self.asked)
    @rule(number=any_number)
    def ask_again(self, number: int) -> None:
        """The answer was lost: the same workflow run asks once more."""
        execution, run_id = self.asked[number % len(self.asked)]
        known = self.state.runs.get(run_id)
        if known is not None and known.workflow_run_id == execution:
            said = self.books.admit(execution, again=True)
            assert (run_id, known.order) == (said.run_id, self.state.runs[run_id].order)

    @precondition(lambda self: self.state.runs)
    @rule(number=any_number, status=st.sampled_from(ENDS))
    def finish(self, number: int, status: RunStatus) -> None:
        """A run ends, or is found dead, perhaps with a write in flight."""
        run_id = sorted(self.state.runs)[number % len(self.state.runs)]
        if self.state.runs[run_id].kind is RunKind.DAILY:
            self.books.finish(run_id, status)

    # Writes

    @rule(number=any_number, mode=st.sampled_from([Mode.PR_ONLY, Mode.PR_ONLY, Mode.DRY_RUN]), story=stories)
    def write(self, number: int, mode: Mode, story: list[tuple[str, str]]) -> None:
        """Attempts of one run race for one key, while time passes and operators brake."""
        alive = [run.run_id for run in self.state.occupying() if run.order.state is OrderState.PROCEED]
        if not alive:
            for run in self.state.occupying():
                self.books.finish(run.run_id, RunStatus.CANCELLED)
            self.recover()
            self.admit(mode, again=True)
            alive = [run.run_id for run in self.state.occupying()]
        run = self.state.runs[alive[number % len(alive)]]
        action = PUBLISHING[number % len(PUBLISHING)]
        for what, detail in story:
            if what == "begin":
                self._begin(run.run_id, detail, action)
            elif what == "settle":
                self._settle(run.run_id, detail, WriteOutcome.DONE, action)
            elif what == "fail":
                self._settle(run.run_id, detail, WriteOutcome.NOT_DONE, action)
            elif what == "wait":
                self.books.wait(float(detail))
            else:
                self.pause(PauseStyle(detail), "target")
            self.brake()

    @precondition(lambda self: self.state.runs)
    @rule(
        number=any_number,
        attempt=st.integers(1, 4),
        action=st.sampled_from(list(WriteAction)),
        write_class=st.sampled_from(list(WriteClass)),
        policy=st.sampled_from([None, None, "another policy"]),
    )
    def begin(
        self, number: int, attempt: int, action: WriteAction, write_class: WriteClass, policy: str | None
    ) -> None:
        """Some attempt of some run, open or closed, wants something strange."""
        run_id = sorted(self.state.runs)[number % len(self.state.runs)]
        self._begin(run_id, f"a{attempt}", action, write_class, policy)

    def _begin(
        self,
        run_id: str,
        attempt: str,
        action: WriteAction,
        write_class: WriteClass = WriteClass.ADVANCE,
        policy: str | None = None,
    ) -> None:
        said = self.books.begin(run_id, attempt, action, write_class, policy)
        if said.answer is WriteAnswerKind.GO:
            assert policy is None
            if write_class is not WriteClass.RECORD:
                self._advanced(action, self.state.runs[run_id].mode)
            self._went(f"{run_id}/{action}", attempt)

    def _advanced(self, action: WriteAction, mode: Mode) -> None:
        assert self.open, "a go after a pause, without the ladder"
        assert mode is not Mode.DRY_RUN
        assert action not in {WriteAction.MERGE, WriteAction.REVERT}, "PR_ONLY lands nothing"

    def _went(self, key: str, attempt: str) -> None:
        now = self.books.now
        assert key not in self.done, "a go for what is done"
        for window in self.windows.get(key, []):
            assert window.attempt == attempt or window.end <= now, "two attempts at once"
        clearance = self.state.writes[key].clearance
        assert clearance.deadline > now
        self.windows.setdefault(key, []).append(Window(attempt, now, clearance.deadline))

    def _settle(self, run_id: str, attempt: str, outcome: WriteOutcome, action: WriteAction) -> None:
        said = self.books.settle(run_id, attempt, outcome, action, looked=attempt == "check-up")
        if not said.accepted:
            return
        key = f"{run_id}/{action}"
        for window in self.windows.get(key, []):
            # Only the beginner's own word ends its time; whoever looked had to wait for the deadline.
            if window.attempt == attempt:
                window.end = min(window.end, self.books.now)
        if outcome is WriteOutcome.DONE:
            self.done.add(key)

    # Operators

    @rule(style=st.sampled_from(list(PauseStyle)), scope=st.sampled_from(["target", "start"]))
    def pause(self, style: PauseStyle, scope: str) -> None:
        """The brake."""
        self.books.pause(style, scope)
        self.open, self.apart = False, True

    @rule(back=st.sampled_from([0, 0, 0, 1, 2]))
    def resume(self, back: int) -> None:
        """A person resumes, perhaps having seen an older epoch."""
        paused = self.state.status is TargetStatus.PAUSED and not self.state.installation_paused
        in_time = paused and not self.state.open_writes() and not back
        assert in_time is self.books.resume(self.state.epoch - back).accepted

    @rule(status=st.sampled_from([TargetStatus.ACTIVE, TargetStatus.PAUSED]), step=st.sampled_from([1, 1, 1, 0, -1]))
    def notice(self, status: TargetStatus, step: int) -> None:
        """News from the Installation, sometimes late or twice."""
        climbing = self.state.ladder is not None
        epoch = self.installation + step
        news = epoch > self.state.installation_epoch
        self.installation = max(self.installation, epoch)
        self.books.notice(epoch, status)
        if news and status is TargetStatus.PAUSED:
            self.open = False
        if self.apart and not climbing:
            assert self.state.status is TargetStatus.PAUSED

    @precondition(lambda self: self.state.ladder is not None)
    @rule(
        end=st.sampled_from([RunStatus.DRY_RUN_COMPLETE, RunStatus.NOTHING_TO_DO, RunStatus.REFUSED, RunStatus.LOST]),
        edited=st.booleans(),
        interrupted=st.sampled_from([False, False, True]),
    )
    def climb(self, end: RunStatus, *, edited: bool, interrupted: bool) -> None:
        """The ladder's smoke runs to some end; a policy edit or a pause may come between."""
        self.started += 1
        said = self.books.smoke(f"w{self.started}")
        assert Admission.ADMITTED is said.answer
        if interrupted:
            self.books.pause()
        self.books.finish(said.run_id, end, "edited" if edited else None)
        green = end in {RunStatus.DRY_RUN_COMPLETE, RunStatus.NOTHING_TO_DO}
        self.open = green and not edited and not interrupted
        self.apart = not self.open
        assert self.open is (self.state.status is TargetStatus.ACTIVE)

    @rule()
    def recover(self) -> None:
        """Whatever was wrong is mended, and the ladder climbed."""
        self.books.policy = POLICY
        if self.state.installation_paused:
            self.notice(TargetStatus.ACTIVE, 1)
        for write in self.state.open_writes():
            self.books.wait(61)
            run_id, action = write.key.split("/")
            self._settle(run_id, "check-up", WriteOutcome.NOT_DONE, WriteAction(action))
        if self.state.status is TargetStatus.PAUSED:
            assert self.books.resume().accepted
        if self.state.ladder is not None:
            self.climb(RunStatus.DRY_RUN_COMPLETE, edited=False, interrupted=False)
        self.set_mode(Mode.PR_ONLY, 0)

    @rule(mode=st.sampled_from([Mode.DRY_RUN, Mode.PR_ONLY, Mode.PR_ONLY, Mode.SELECTIVE_AUTO]), back=st.integers(0, 1))
    def set_mode(self, mode: Mode, back: int) -> None:
        """A person sets the mode."""
        self.books.set_mode(mode, self.state.epoch - back)
        assert self.state.mode is not Mode.SELECTIVE_AUTO

    # Time and Control's own loops

    @rule(seconds=st.sampled_from([0.5, 20, 59, 60, 61, 90_000]))
    def wait(self, seconds: float) -> None:
        """Time passes."""
        self.books.wait(seconds)

    @rule(most=st.integers(1, 100))
    def loops(self, most: int) -> None:
        """Orders are delivered, events logged."""
        self.state.told(list(self.state.runs.values()))
        self.state.to_log = self.state.to_log[most:]

    # What must hold, always

    @invariant()
    def continues_as_new(self) -> None:
        """The books go through JSON whole, and stay small."""
        handed_on = self.state.model_dump_json()
        read = ControlState.model_validate_json(handed_on)
        assert read == self.state
        assert len(handed_on) < LARGEST
        self.books.state = read

    @invariant()
    def never_back(self) -> None:
        """Epoch and revision never fall."""
        assert self.epoch <= self.state.epoch
        assert self.revision <= self.state.revision
        self.epoch, self.revision = self.state.epoch, self.state.revision

    @invariant()
    def brake(self) -> None:
        """Active exactly when the ladder was climbed; while not, nobody is told to proceed and nobody queues."""
        active = self.state.status is TargetStatus.ACTIVE
        assert active is self.open
        if self.state.registered and not active:
            orders = {run.order.state for run in self.state.occupying()}
            assert OrderState.PROCEED not in orders
            assert [] == self.state.queue
        if self.state.view().quiescent:
            assert not any(window.end > self.books.now for each in self.windows.values() for window in each)

    @invariant()
    def slots(self) -> None:
        """No more than the slots; whoever leaves the queue for a slot was its head."""
        assert len(self.state.occupying()) <= self.books.max_active
        left = [run_id for run_id in self.queue if run_id not in self.state.queue]
        called = [run_id for run_id in left if self.state.runs[run_id].order.state is OrderState.PROCEED]
        assert called == self.queue[: len(called)], "somebody was called out of turn"
        self.queue = list(self.state.queue)


TestControlMachine = ControlMachine.TestCase
TestControlMachine.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)


def test_books_of_two_thousand_days_stay_small() -> None:
    """A target that runs, pauses and resumes for years hands on less than 512 KB, whatever the day it is asked."""
    books = Books(max_active=1).opened()
    largest = 0
    for day in range(2000):
        run_id = books.admit(f"w{day}", date=(BIRTH + timedelta(days=day)).date().isoformat()).run_id
        for action in PUBLISHING:
            books.begin(run_id, action=action)
            books.settle(run_id, action=action)
        if day % 7 == 0:
            books.pause()
            books.resume()
            books.finish(books.smoke(f"s{day}").run_id, RunStatus.NOTHING_TO_DO)
        books.finish(run_id)
        books.wait(86_400)
        books.state.told(list(books.state.runs.values()))
        books.state.to_log.clear()
        if day % 10 == 9:
            # Ten and seven have nothing in common: each day of the week comes by.
            handed_on = books.state.model_dump_json()
            largest = max(largest, len(handed_on))
            books.state = ControlState.model_validate_json(handed_on)

    assert largest < LARGEST
    assert TargetStatus.ACTIVE is books.state.status
