"""Integrator and Source QA of a source expansion (runbook §5): fetched, replayed, compared, judged."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import TypeAdapter
from temporalio import activity

from activities.api import FETCH_TRIAL, JUDGE_TRIAL
from activities.governance.kept_proposals import KeptProposals
from activities.run.background import asks_an_agent
from activities.run.proposals import propose
from activities.run.spending import spend
from activities.source.kept_trials import PAGE, REPORT, KeptTrials, answers_of, trial_of_fetch
from activities.source.reading import SourceReader, format_of
from activities.source.recording import source_book
from activities.source.scouting import known_sources
from activities.step_session import StepPorts, StepSession, written
from contracts import messages
from contracts.artifact import ArtifactRef
from contracts.budget import Amounts
from contracts.evidence import ReviewProposal, Severity
from contracts.handover import StepResult
from contracts.modes import Role, StepName
from contracts.source import Record, SourcePassed, SourceState
from contracts.task import TaskContract
from contracts.trial import (
    Differences,
    ReplayCheck,
    SourceTrial,
    SourceTrialReport,
    TriageReplay,
    TrialFetch,
    TrialInput,
    TrialLook,
)
from contracts.verdict import Verdict
from policies.agents.context import told
from policies.counted import counted, shortened
from policies.settings.sources import SourcePolicy, Sources
from policies.source.files import records_in
from policies.source.scouting import tried_digest
from policies.source.trials import (
    differences,
    gates,
    in_words,
    metrics,
    promotion,
    promotion_id,
    shape_changes,
    shape_of,
    would_change,
)
from policies.verdicts import all_of, allow, concluded, deny
from ports.agents import Brief
from ports.measures import Look
from ports.sources import Recording, ReplayFailed, Replaying, SourceRequest

_OPINION = 1000


@dataclass(frozen=True)
class Trying:
    """Asks the source and its baseline; recommends, never promotes."""

    bench: StepPorts
    replaying: Replaying
    render: Callable[[SourceTrialReport], str]

    @activity.defn(name=FETCH_TRIAL.name, no_thread_cancel_exception=True)
    def fetch_trial(self, request: TrialInput) -> TrialLook:
        """One fetch, if one is due; else when it will be."""
        next_at: list[datetime] = []

        def work(session: StepSession) -> StepResult:
            trial = _trial(session)
            return self._fetch(session, trial, next_at)

        result = self.bench.perform(request.step, StepName.FETCH_TRIAL, Role.INTEGRATOR, work, str(request.look))
        return TrialLook(result=result, next_at=next_at[0] if next_at and result.verdict.allowed else None)

    @activity.defn(name=JUDGE_TRIAL.name, no_thread_cancel_exception=True)
    def judge_trial(self, request: TrialInput) -> TrialLook:
        """``source_trial_report.json``, its page, and what is proposed."""
        return TrialLook(result=self.bench.perform(request.step, StepName.JUDGE_TRIAL, Role.SOURCE_QA, self._judge))

    def _fetch(self, session: StepSession, trial: SourceTrial, next_at: list[datetime]) -> StepResult:
        """By what is kept with the source, whoever fetched it: no pause and no death loses or repeats one."""
        made = KeptTrials(self.bench.store, session.run.target).fetches(trial)
        session.outputs += [ref for ref, _ in made]
        now, between = activity.info().started_time, timedelta(hours=trial.hours_between)
        number, rule = len(made) + 1, "the trial goes on by its contract"
        if trial.barred or number > trial.fetches:
            text = f"{len(made)} of {counted(trial.fetches, 'fetch', 'fetches')} made; nothing more is fetched"
            return session.done(allow(rule, text, made=len(made)), next_role=Role.SOURCE_QA)
        if made and now < (due := made[-1][1].reading.fetched.at + between):
            next_at.append(due)
            return session.done(allow(rule, f"{len(made)} of {counted(trial.fetches, 'fetch', 'fetches')} made"))
        sources = known_sources(session)
        source, baseline = _pair(trial, sources)
        cost = source.cost_usd + (baseline.cost_usd if baseline else 0)
        if number < trial.fetches:
            next_at.append(now + between)

        def ask(session: StepSession) -> StepResult:
            session.meter.usd += cost
            return self._ask(session, trial, sources, number, now)

        return spend(session, ask, Amounts(usd=cost)) if cost else ask(session)

    def _ask(
        self, session: StepSession, trial: SourceTrial, sources: Sources, number: int, now: datetime
    ) -> StepResult:
        source, _ = _pair(trial, sources)
        kept, base = KeptTrials(self.bench.store, session.run.target), session.repository.fetch_base()

        def keep(name: str, body: bytes, media_type: str) -> ArtifactRef:
            return kept.put(trial, f"{number:03}/{name}", body, media_type)

        reader = SourceReader(self.bench.connectors, self.bench.store)
        request = SourceRequest(session.policy, session.repository, base, session.alive)
        both = reader.compare(source, sources, request, now, keep)
        reading, theirs = both.reading, None
        if both.records:
            name = f"sources/{both.with_source}/records.jsonl"
            theirs = keep(name, both.records.written(), "application/jsonl")
        fetch = TrialFetch(
            trial_id=trial.trial_id,
            number=number,
            run_id=session.run.run_id,
            base_sha=base,
            reading=reading,
            baseline=both.baseline,
            baseline_records=theirs,
            shape=shape_of(self._records(reading.records)),
        )
        session.outputs.append(keep("fetch.json", written(fetch), "application/json"))
        answer = reading.fetched.body.sha256 if reading.fetched.body else ""
        session.note("source asked", source=source.name, number=number, grade=reading.grade, answer=answer)
        text = f"fetch {number} of {trial.fetches}: {reading.grade}"
        text += f", {'; '.join(reading.reasons)}" if reading.reasons else ""
        return session.done(allow("the trial goes on by its contract", text), base_sha=base)

    def _judge(self, session: StepSession) -> StepResult:
        trial, kept = _trial(session), KeptTrials(self.bench.store, session.run.target)
        report = kept.report(trial.trial_id) or self._report(session, trial)
        ref = kept.put(trial, REPORT, written(report))
        page = self.render(report).encode()
        kept.put(trial, PAGE, page, "text/html")
        session.save(REPORT, report)
        session.save(PAGE, page, "text/html")
        if report.passed:
            KeptProposals(self.bench.store).keep(promotion(report, ref))
            told = SourcePassed(
                source=trial.source,
                trial=trial.trial_id,
                report_sha256=ref.sha256,
                at=report.ended_at,
                began_at=trial.began_at,
            )
            self.bench.control.ask(session.run.target, messages.SOURCE_PASSED, told)
        session.note("trial judged", trial=trial.trial_id, passed=report.passed, proposal=report.proposal_id)
        good = f"{trial.trial_id} passed, {in_words(report.metrics)}; proposed as {report.proposal_id}"
        text = good if report.passed else f"{trial.trial_id} did not pass: {'; '.join(report.reasons)}"
        verdict = concluded(
            report.verdict.decision, report.verdict.rule, text, *(report.said_no or report.verdict.children)
        )
        return session.done(verdict, task_id=f"source-trial-{trial.trial_id}")

    def _report(self, session: StepSession, trial: SourceTrial) -> SourceTrialReport:
        names = [ref.name for ref in session.input.artifacts if trial_of_fetch(ref.name) == trial.trial_id]
        fetches = tuple(sorted((session.load(name, TrialFetch) for name in names), key=lambda each: each.number))
        sources, target = known_sources(session), session.run.target
        source, baseline = _pair(trial, sources)
        replay, measured = self._replayed(session, fetches, sources), metrics(fetches)
        verdict = gates(trial, source, fetches, replay, session.policy.sources, source_book(session))
        ended = activity.info().started_time
        draft = SourceTrialReport(
            run_id=session.run.run_id,
            target=target,
            trial=trial,
            ended_at=ended,
            metrics=measured,
            fetches=fetches,
            shape_changes=shape_changes(fetches),
            replay=replay,
            differences=self._compared(source, fetches),
            triage=self._triage(session, source, fetches),
            verdict=verdict,
            tried=tried_digest(source, baseline),
        )
        if verdict.allowed and asks_an_agent(session):
            verdict = all_of(verdict.rule, (*verdict.children, _opinion(session, draft)))
            draft = draft.model_copy(update={"verdict": verdict})
        if not verdict.allowed:
            return draft
        return draft.model_copy(update={"proposal_id": promotion_id(trial.trial_id, target)})

    def _replayed(self, session: StepSession, fetches: tuple[TrialFetch, ...], sources: Sources) -> ReplayCheck:
        """Every recorded answer, its bytes verified against their digest, read again where nothing else is known."""
        known = {each.name: each for each in sources.sources}
        answers = [(each.number, fetched, digest) for each in fetches for fetched, digest in answers_of(each)]
        recorded = [
            Recording(known[fetched.source], format_of(known[fetched.source]), self.bench.store.get(fetched.body))
            for _, fetched, _ in answers
            if fetched.body
        ]
        try:
            found = self.replaying.digests(recorded, session.policy, session.alive) if recorded else ()
        except ReplayFailed as problem:
            return ReplayCheck(answers=len(recorded), problem=str(problem))
        different = [
            f"fetch {number} of {fetched.source}"
            for (number, fetched, digest), again in zip(answers, found, strict=True)
            if digest != again
        ]
        return ReplayCheck(answers=len(recorded), different=tuple(different))

    def _compared(self, source: SourcePolicy, fetches: tuple[TrialFetch, ...]) -> Differences:
        both = [each for each in fetches if each.reading.records and each.baseline_records]
        if not both:
            return Differences()
        ours, theirs = self._records(both[-1].reading.records), self._records(both[-1].baseline_records)
        return differences(ours, theirs, source.compared)

    def _triage(self, session: StepSession, source: SourcePolicy, fetches: tuple[TrialFetch, ...]) -> TriageReplay:
        """Today's findings, ranked without the source and with it in use; what is remembered of ideas is left out."""
        last = next((each for each in reversed(fetches) if each.reading.records), None)
        if last is None or last.reading.records is None:
            return TriageReplay(sentence="nothing can be said: there was no answer")
        known = session.policy.sources
        others = tuple(each for each in known.sources if each.name != source.name)
        used = source.model_copy(update={"state": SourceState.PRODUCTION})
        sources = known.model_copy(update={"sources": (*others, used)})
        policy = session.policy.model_copy(update={"sources": sources})
        recorded = {source.name: self.bench.store.get(last.reading.records)}
        with self.bench.folder("trial") as tree:
            session.repository.checkout(last.base_sha, tree)
            seen = self.bench.measures.detect(Look(tree, policy, session.alive, recorded=recorded))
        return would_change(source.name, seen.findings, [each.reason for each in seen.unread], policy, session.run.date)

    def _records(self, ref: ArtifactRef | None) -> tuple[Record, ...]:
        return records_in(self.bench.store.get(ref)) if ref else ()


def _opinion(session: StepSession, draft: SourceTrialReport) -> Verdict:
    """Source QA by an agent: it may stop what every gate let through. One that does not answer has not said yes."""
    texts = told({"report.json": draft.model_dump_json(by_alias=True, indent=1)})
    base = draft.fetches[-1].base_sha if draft.fetches else session.input.base_sha
    brief = Brief(Role.SOURCE_QA, session.run, session.policy, base, told=texts, alive=session.alive)
    proposal, rule = (
        propose(session, session.agent, brief, TypeAdapter(ReviewProposal)),
        "the agent in source QA does not object",
    )
    blocking = [each.message for each in proposal.remarks if each.severity is Severity.BLOCKING]
    if proposal.approve and not blocking:
        return allow(rule, shortened(proposal.summary, _OPINION))
    return deny(rule, shortened("; ".join(blocking) or proposal.summary, _OPINION))


def _trial(session: StepSession) -> SourceTrial:
    trial = session.load("task_contract.json", TaskContract).trial
    assert trial is not None  # noqa: S101  # Planning of an expansion writes no other
    return trial


def _pair(trial: SourceTrial, sources: Sources) -> tuple[SourcePolicy, SourcePolicy | None]:
    """The source as its contract has it, and what it is compared with."""
    return SourcePolicy.model_validate(trial.entry), sources.named(trial.baseline)
