"""``control``: the global status of runbook §7 and the list of targets. One per installation."""

import asyncio
from collections.abc import Sequence

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import FailureError

with workflow.unsafe.imports_passed_through():
    from activities.api import KNOWN_TARGETS, KnownTargets
    from contracts.artifact import Book
    from contracts.control import (
        Answer,
        InstallationFacts,
        InstallationNotice,
        InstallationView,
        PauseRecord,
        RegisterRequest,
        ResumeRequest,
        TargetView,
    )
    from contracts.home import HomeMark
    from contracts.modes import PauseStyle, TargetStatus
    from contracts.verdict import Decision, Fact, Verdict
    from policies.verdicts import allow, hold
    from workflows import api
    from workflows.epochs import epoch_at, when_reset
    from workflows.messages import signals


# Everything the Installation knows.


class InstallationState(Book):
    """Handed on at continue-as-new."""

    ready: bool = False
    """Whether it knows which targets existed before it."""
    status: TargetStatus = TargetStatus.ACTIVE
    epoch: int = 0
    """Starts at the millisecond of its birth: newer than any Installation that was terminated."""
    pause: PauseRecord | None = None
    targets: dict[str, TargetView] = {}
    notice: InstallationNotice | None = None
    """The latest news."""
    home: HomeMark | None = None
    """Whose files it works on: a worker with another home refuses to start."""
    ended: str = ""
    """How the one before it ended, if by force: then it wakes up PAUSED, whatever is known of targets."""
    to_tell: list[str] = []
    """Targets that have not been told the latest news."""


@workflow.defn(name=api.INSTALLATION)
class Installation:
    """Pausing here pauses every target; resuming here lets each climb its own ladder."""

    @workflow.init
    def __init__(self, state: InstallationState) -> None:
        self._state = state
        self._state.epoch = self._state.epoch or epoch_at(workflow.now())
        self._leaving = False
        self._shown: tuple[str, str, int] | None = None
        # One that began before this published with every message, as its history says.
        self._publishes_once = workflow.patched("publish-once")
        self._resets = 0
        if state.ended:
            self._pause(_by_itself(f"the Installation before this one was ended by force ({state.ended})"))
            state.ended = ""
        when_reset(self._recover)

    @workflow.run
    async def run(self, state: InstallationState) -> None:  # noqa: ARG002  # as `__init__`
        """Tell every Control what changed, until the history is long."""
        loops = [
            asyncio.create_task(loop()) for loop in (self._keep_published, self._find_targets, self._tell_controls)
        ]
        self._publish()
        while not workflow.info().is_continue_as_new_suggested():
            try:
                await workflow.wait_condition(lambda: workflow.info().is_continue_as_new_suggested())
            except asyncio.CancelledError:
                # Without an Installation nobody could pause everything: it pauses instead of ending.
                self._pause(_by_itself("cancelled by hand"))
        self._leaving = True
        await asyncio.gather(*loops)
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(self._state)

    @workflow.signal(dynamic=True)
    def any_signal(self, name: str, args: Sequence[RawValue]) -> None:
        """``pause`` with any payload pauses every target."""
        if signals.is_pause(name):
            self._pause(signals.read_pause(args, "installation", workflow.now()))

    @workflow.update(name=api.RESUME, description="a person names cause and evidence; every target climbs its ladder")
    def resume(self, request: ResumeRequest) -> Answer:
        """Lift the global pause; targets paused separately stay paused."""
        state = self._state
        if request.expected_epoch != state.epoch:
            reason = f"a newer pause raised the epoch to {state.epoch}; look again before you resume"
            return self._answer(Decision.DENY, reason)
        if state.status is not TargetStatus.PAUSED:
            return self._answer(Decision.DENY, "the installation is not paused")
        state.epoch += 1
        state.status = TargetStatus.ACTIVE
        state.pause = None
        state.notice = InstallationNotice(
            epoch=state.epoch,
            status=state.status,
            cause=request.cause,
            evidence=request.evidence,
            actor=request.actor,
        )
        state.to_tell = sorted(state.targets)
        self._publish()
        return self._answer(Decision.ALLOW, "resumed: each target opens after its own green smoke")

    @workflow.update(name=api.REGISTER_TARGET)
    def register(self, request: RegisterRequest) -> InstallationFacts:
        """Take a Control into the list and tell it the status. Only the first chain of a target is fresh."""
        known = self._state.targets.get(request.target)
        if self._state.ready and known is None:
            known = TargetView(name=request.target, chain=request.chain, registered_at=workflow.now())
            self._state.targets[request.target] = known
        self._publish()
        return InstallationFacts(
            epoch=self._state.epoch,
            status=self._state.status,
            ready=self._state.ready,
            fresh=known is not None and known.chain == request.chain,
            reason=self._state.pause.reason if self._state.pause else "",
        )

    @workflow.update(name=api.CLAIM_HOME)
    def claim_home(self, request: HomeMark) -> Answer:
        """The first home that claims it keeps it; the memo shows it to workers that have not begun to work."""
        kept = self._state.home or request
        if kept.id != request.id:
            reason = f"the installation's files lie in another AUTONOMY_HOME: {kept.path} (id {kept.id})"
            return self._answer(Decision.DENY, reason, "this home may work here")
        if self._state.home is None:
            self._state.home = request
            workflow.upsert_memo({"home": request.model_dump()})
        return self._answer(Decision.ALLOW, "it is this home's", "this home may work here")

    @workflow.query(name=api.STATUS, description="global status, epoch and the list of targets")
    def status(self) -> InstallationView:
        """The global status."""
        state = self._state
        return InstallationView(
            status=state.status,
            epoch=state.epoch,
            targets=tuple(state.targets.values()),
            pause=state.pause,
            why=self._why(),
            ready=state.ready,
        )

    def _pause(self, record: PauseRecord) -> None:
        state = self._state
        # At least the clock's: one that was reset by hand has forgotten which epochs the Controls know.
        state.epoch = max(state.epoch + 1, epoch_at(record.at))
        state.status = TargetStatus.PAUSED
        state.pause = record.model_copy(update={"epoch": state.epoch})
        state.notice = InstallationNotice(
            epoch=state.epoch, status=state.status, style=record.style, reason=record.reason, actor=record.actor
        )
        state.to_tell = sorted(state.targets)
        self._publish()

    async def _find_targets(self) -> None:
        """Targets older than this Installation mean that one was terminated: wake up with the brake on."""
        while True:
            await workflow.wait_condition(lambda: self._leaving or not self._state.ready)
            if self._leaving:
                return
            resets = self._resets
            known = await KNOWN_TARGETS(KnownTargets(), "find targets that existed before")
            for name in known.names:
                # No chain of theirs is ever fresh.
                old = TargetView(name=name, chain="", registered_at=workflow.now())
                self._state.targets.setdefault(name, old)
            # An answer from before a reset knows nothing of later targets.
            self._state.ready = resets == self._resets
            if self._state.targets:
                self._pause(self._state.pause or _by_itself("this Installation is new, its targets are not"))

    def _recover(self) -> None:
        """A reset rewinds the list of targets: whoever is missing from it would not hear a pause."""
        self._resets += 1
        self._state.ready = False
        self._pause(_by_itself("reset by hand"))

    async def _tell_controls(self) -> None:
        while True:
            await workflow.wait_condition(lambda: self._leaving or bool(self._state.to_tell))
            if self._leaving:
                return
            notice, targets = self._state.notice, list(self._state.to_tell)
            await asyncio.gather(*(self._tell(target, notice) for target in targets))
            if notice is self._state.notice:
                self._state.to_tell = [target for target in self._state.to_tell if target not in targets]

    async def _tell(self, target: str, notice: InstallationNotice | None) -> None:
        if notice is None:
            return
        try:
            handle = workflow.get_external_workflow_handle(api.control_id(target))
            await handle.signal(api.INSTALLATION_NOTICE, notice)
        except FailureError as gone:
            # A Control that is gone starts PAUSED, or learns the status when it registers.
            workflow.logger.info("control of %s could not be told: %s", target, gone)

    def _why(self) -> Verdict:
        pause = self._state.pause
        if pause is None:
            return allow("the installation may work", "not paused")
        reason = f"paused by {pause.actor}: {pause.reason or 'no reason given'}"
        facts: dict[str, Fact] = {"at": pause.at.isoformat(), "epoch": pause.epoch, "reviewOn": pause.review_on}
        return hold("the installation may work", reason, **facts)

    def _answer(self, decision: Decision, reason: str, rule: str = "the installation may resume") -> Answer:
        verdict = Verdict(rule=rule, decision=decision, reason=reason)
        return Answer.of(verdict, self._state.epoch)

    async def _keep_published(self) -> None:
        """Publish what a message or a loop changed, once for all that one workflow task brought."""
        while self._publishes_once and not self._leaving:
            await workflow.wait_condition(lambda: self._leaving or self._shown != self._to_show())
            self._show()

    def _publish(self) -> None:
        if not self._publishes_once:
            self._show()

    def _show(self) -> None:
        self._shown = self._to_show()
        details, status, epoch = self._shown
        workflow.set_current_details(details)
        workflow.upsert_search_attributes(
            [api.STATUS_ATTRIBUTE.value_set(status), api.EPOCH_ATTRIBUTE.value_set(epoch)]
        )

    def _to_show(self) -> tuple[str, str, int]:
        state = self._state
        lines = [f"**{state.status}** · epoch {state.epoch}", "", self._why().reason]
        lines += [f"- `{name}`" for name in sorted(state.targets)]
        return "\n".join(lines), state.status.value, state.epoch


def _by_itself(reason: str) -> PauseRecord:
    return PauseRecord(
        scope="installation",
        style=PauseStyle.CHECKPOINT,
        reason=reason,
        actor="installation",
        at=workflow.now(),
        epoch=0,
    )
