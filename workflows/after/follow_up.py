"""``follow-up/<run>``: what becomes of a merge of ours, or of a pull request that waits for a person (runbook §6.3).

Nothing is written here but the one comment that a run or a rollback owes that was ended by force. A confirmed
regression of ours is told to Control, which sets DRY_RUN and starts the rollback; a person's merge is told to Control,
too, and a regression of it only raises an alert.
"""

from collections.abc import Sequence
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities import api as steps
    from contracts import rollback as after
    from contracts.alert import Alert, AlertKind
    from contracts.later_review import LaterReviewInput
    from contracts.merging import Health
    from contracts.messages import FOLLOWED_UP, MERGED, REGRESSION
    from contracts.verdict import Verdict
    from policies.counted import shortened
    from workflows import api
    from workflows.after import older_rules
    from workflows.after.observations import Observations
    from workflows.polling import Again, polled, waited

HEALTHY = "healthy"
TOLD_BY_PERSON = "a person's merge is told to Control"
"""Follow-ups that began before it was (P15)."""
REVIEWED_LATER = "what became of it is reviewed"
"""The same."""
JUDGED_OUTSIDE = "a red is attributed in an activity"
"""The same."""


@workflow.defn(name=api.FOLLOW_UP)
class FollowUp:
    """One run's aftermath; ends with an outcome that Control logs."""

    @workflow.init
    def __init__(self, request: after.FollowUpInput) -> None:
        self._input = request
        self._merged = request.merged
        self._state = "starting"
        self._outcome = ""
        self._verdict: Verdict | None = None
        self._looks = Observations(request.run, request.run.run_id, "")
        self._judged: set[tuple[str, tuple[str, ...]]] = set()
        self._found: dict[after.Culprit, str] = {}
        self._unclear = ""
        self._asked = False
        self._pull_looks = 0

    @workflow.run
    async def run(self, request: after.FollowUpInput) -> after.FollowUpEnd:
        """Wait for a person if need be, observe, tell Control."""
        # Not the run's id: whoever looks for the run by it must find the run.
        workflow.upsert_search_attributes([api.TARGET_ATTRIBUTE.value_set(request.run.target)])
        if request.unsaid is not None:
            await self._say(request.unsaid)
        end = await self._followed(request)
        self._show("ended", end.outcome)
        await steps.TELL(request.run.target, FOLLOWED_UP, end, f"tell Control: {end.outcome}")
        if not request.rolls_back and workflow.patched(REVIEWED_LATER):
            await self._review(end)
        return end

    async def _followed(self, request: after.FollowUpInput) -> after.FollowUpEnd:
        if request.merged is None and not request.pull_request:
            return self._end(
                "the revert landed", f"the base is what it was before {request.rolls_back}: a person goes on"
            )
        terms = await steps.TERMS(request, "what policy says about following up")
        if request.merged is not None:
            return await self._observe(request.merged, terms, person="")
        return await self._wait_for_a_person(terms)

    async def _say(self, unsaid: after.Unsaid) -> None:
        """What cannot be said in its time keeps nobody from looking."""
        try:
            await steps.SAY_UNSAID(unsaid, "say on the pull request what its run did not live to say")
        except ActivityError as failure:
            if is_cancelled_exception(failure):
                raise
            workflow.logger.warning("left unsaid: %s", failure)

    async def _review(self, end: after.FollowUpEnd) -> None:
        """The objective measured on the base, and people's words (runbook §10); a weekly review makes up for it."""
        request = LaterReviewInput(
            run=self._input.run,
            ended=end.outcome,
            now=workflow.now(),
            pull_request=self._input.pull_request,
            merged=self._merged,
        )
        try:
            await steps.REVIEW_LATER(request, "what became of it")
        except ActivityError as failure:
            if is_cancelled_exception(failure):
                raise
            workflow.logger.warning("not reviewed: %s", failure)

    @workflow.query(name=api.VIEW, description="where it is, what it saw, how it ended")
    def view(self) -> after.FollowUpView:
        """The follow-up as it is now."""
        return after.FollowUpView(
            run_id=self._input.run.run_id,
            state=self._state,
            outcome=self._outcome,
            pull_looks=self._pull_looks,
            observations=self._looks.latest,
            verdict=self._verdict,
        )

    @workflow.signal(dynamic=True)
    def any_signal(self, name: str, args: Sequence[RawValue]) -> None:
        """``refresh`` with any payload: look at the pull request now."""
        del args
        if name == api.REFRESH:
            self._asked = True
        else:
            workflow.logger.warning("unknown signal ignored: %s", name[:80])

    async def _wait_for_a_person(self, terms: after.FollowUpTerms) -> after.FollowUpEnd:
        """Poll the forge, less and less often, until a person merged or closed the pull request."""
        self._show(after.WAITING)
        wait = timedelta(minutes=terms.poll_first_minutes)
        summary = f"pull request {self._input.pull_request} waits for a person"
        await waited(lambda: self._asked, wait, summary)

        async def look_again() -> after.PullLook | Again:
            nonlocal wait
            self._asked = False
            seen = await self._look_at_pull()
            self._pull_looks += 1
            if seen is not None and seen.state != "open":
                return seen
            wait = min(2 * wait, timedelta(minutes=terms.poll_most_minutes))
            if workflow.info().is_continue_as_new_suggested() and not self._asked:
                workflow.continue_as_new(self._input)
            return Again(wait, summary, lambda: self._asked)

        look = await polled(look_again)
        who = look.who or after.NOBODY_NAMED
        if look.merged is None:
            reason = f"pull request {self._input.pull_request} was {look.state}"
            return self._end(f"{look.state} by {who}", reason, look, after.became(look.state, who))
        self._merged = look.merged
        if workflow.patched(TOLD_BY_PERSON):
            await steps.TELL(look.merged.run.target, MERGED, look.merged, f"tell Control: merged by {who}")
        if self._input.rolls_back:
            return self._end(f"merged by {who}", f"the base is what it was before {self._input.rolls_back}", look)
        end = await self._observe(look.merged, terms, person=who)
        facts = {"who": look.who, "at": look.at, "became": after.became(look.state, who)}
        return end.model_copy(update=facts)

    async def _look_at_pull(self) -> after.PullLook | None:
        try:
            return await steps.LOOK_AT_PULL(self._input, "merged, closed, or still open?")
        except ActivityError as failure:
            if is_cancelled_exception(failure):
                raise
            # Not finding out changes nothing: it is asked again (P13).
            return None

    async def _observe(self, merged: after.Merged, terms: after.FollowUpTerms, person: str) -> after.FollowUpEnd:
        """Look at the base during the observation window; ``person`` merged it, or we did when empty."""
        self._looks = Observations(self._input.run, self._input.run.run_id, merged.merge_sha)
        until = workflow.now() + timedelta(minutes=terms.observation_minutes)
        by = f"merged by {person}; " if person else ""

        async def look() -> after.FollowUpEnd | Again:
            self._show("observing")
            seen = await self._looks.at()
            if not seen.holds_merge:
                return self._end(f"{by}gone", f"the base does not hold {merged.merge_sha} any more")
            self._unclear = ", ".join(seen.unknown) if seen.health is Health.UNKNOWN else ""
            if seen.health is Health.RED and await self._is_ours(seen, merged, terms.confirmations):
                return await self._regression(merged, by)
            if workflow.now() >= until:
                return await self._fared(by, seen)
            return Again(timedelta(minutes=terms.every_minutes), "until the base is looked at again")

        return await polled(look)

    async def _is_ours(self, seen: after.Observation, merged: after.Merged, confirmations: int) -> bool:
        """Confirm by a second look at the same commit, then look whether it began with our merge."""
        self._show("confirming")
        again = await self._looks.at(seen.commit)
        request = after.AttributeInput(run=self._input.run, first=_plain(seen), again=_plain(again))
        failing = (await self._attributed(request)).failing
        if not failing:
            self._unclear = f"red once, then {again.health}: {', '.join(seen.failing)}"
            return False
        if (seen.commit, failing) in self._judged:
            return False
        self._show("attributing")
        culprit = after.Culprit.UNKNOWN
        for _ in range(confirmations):
            # In turn: what comes and goes with time, and not with our merge, gives itself away.
            parents = (*request.parents, _plain(await self._looks.at(merged.parent_sha)))
            ours = (*request.ours, _plain(await self._looks.at(merged.merge_sha)))
            request = request.model_copy(update={"parents": parents, "ours": ours, "looks": self._looks.all})
            answer = await self._attributed(request)
            self._verdict, culprit = answer.verdict, answer.culprit
            if culprit is not after.Culprit.OURS:
                break
        assert self._verdict is not None  # noqa: S101  # at least one round
        if culprit is not after.Culprit.UNKNOWN:
            # Unknown is looked at again.
            self._judged.add((seen.commit, failing))
        self._found[culprit] = self._verdict.reason
        return culprit is after.Culprit.OURS

    async def _attributed(self, request: after.AttributeInput) -> after.Attribution:
        """By the rules as they are now, in an activity: they may change, and the history keeps what they said."""
        if workflow.patched(JUDGED_OUTSIDE):
            return await steps.ATTRIBUTE(request, "is it confirmed, and whose is it?")
        return older_rules.attributed(request)

    async def _regression(self, merged: after.Merged, by: str) -> after.FollowUpEnd:
        verdict = self._verdict
        reason = verdict.reason if verdict else "regression"
        if by:
            await self._alert(f"the base broke with pull request {self._input.pull_request}, {by}{reason}")
            return self._end(f"{by}{after.Culprit.OURS.value}, not rolled back by itself", reason)
        latest = self._looks.latest[-1]
        report = after.Regression(merged=merged, reason=reason, failing=latest.failing)
        told = await steps.TELL(merged.run.target, REGRESSION, report, "tell Control of the regression")
        return self._end(after.Culprit.OURS.value, f"{reason}. {told.verdict.reason}")

    async def _fared(self, by: str, last: after.Observation) -> after.FollowUpEnd:
        if last.health is Health.RED:
            failing = ", ".join(last.failing)
            await self._alert(
                f"the base is red after {self._input.run.run_id}, which is not known to be why: {failing}"
            )
        for culprit in (after.Culprit.UNKNOWN, after.Culprit.BEFORE_US, after.Culprit.SOMEONE_ELSE):
            if culprit in self._found:
                return self._end(f"{by}{culprit.value}", self._found[culprit])
        if self._unclear:
            return self._end(
                f"{by}{after.Culprit.UNKNOWN.value}", self._unclear.replace(after.EVERYTHING, "nothing could be run")
            )
        return self._end(f"{by}{HEALTHY}", "required checks and probes were green at the end of the window")

    async def _alert(self, summary: str) -> None:
        """Nothing is rolled back by itself: a person must hear of it."""
        alert = Alert(
            kind=AlertKind.REQUIRED_CHECK_FAILED,
            target=self._input.run.target,
            run_id=self._input.run.run_id,
            summary=shortened(summary, 2000),
            fingerprint=f"follow-up/{self._input.run.run_id}",
        )
        await steps.RAISE_ALERTS(steps.RaiseAlertsInput(alerts=(alert,)), "a person decides")

    def _end(self, outcome: str, reason: str, look: after.PullLook | None = None, shown: str = "") -> after.FollowUpEnd:
        self._outcome = outcome
        who, at = (look.who, look.at or workflow.now()) if look else ("", None)
        return after.FollowUpEnd(
            run_id=self._input.run.run_id, outcome=outcome, reason=shortened(reason, 1000), who=who, at=at, became=shown
        )

    def _show(self, state: str, outcome: str = "") -> None:
        self._state = state
        workflow.set_current_details(f"**{state}** · `{self._input.run.run_id}`\n\n{outcome}")


def _plain(seen: after.Observation) -> after.Observation:
    """What a judgement needs of a look: its evidence stays with the look."""
    return seen.model_copy(update={"probes": (), "evidence": None})
