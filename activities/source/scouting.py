"""Scout and Planning of a source expansion (runbook §5): who could be tried, and the one that is."""

import json
from dataclasses import dataclass
from functools import partial

from pydantic import TypeAdapter
from temporalio import activity

from activities.api import PLAN_TRIAL, SCOUT
from activities.governance.kept_proposals import KeptProposals
from activities.governance.past_decisions import NotKept
from activities.run.background import asks_an_agent
from activities.run.proposals import propose
from activities.source.kept_trials import KeptTrials
from activities.source.recording import source_book
from activities.step_session import StepPorts, StepSession
from contracts.exchange import WAITS
from contracts.handover import StepResult
from contracts.modes import RiskLevel, Role, StepName
from contracts.source import SourceState
from contracts.task import (
    Risk,
    RollbackPlan,
    Scope,
    TaskContract,
    TaskState,
    TaskType,
    VerificationPlan,
)
from contracts.trial import Bounds, CandidateSource, CandidateSources, Lead, SourceTrial, TrialInput, TrialLook
from policies.agents.context import told
from policies.counted import counted, shortened
from policies.settings.sources import SourcePolicy, Sources
from policies.source.lifecycle import in_force
from policies.source.scouting import (
    CATALOGUE,
    LOWERED,
    Choice,
    candidates,
    catalogue_of,
    choose,
    is_prose,
    leads_in,
    named_leads,
)
from policies.verdicts import allow, deny
from ports.agents import AgentStopped, Brief
from ports.policy_source import PolicyError
from ports.repository import Repository
from ports.store import StoreError

CANDIDATES = "candidate_sources.json"
_LEADS = 50
_READ, _LISTED = 200, 200
"""Files of prose that are looked through for leads; data files that an agent is told of."""
_DATA = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".xml", ".toml", ".yml", ".yaml", ".txt")


@dataclass(frozen=True)
class Scouting:
    """Looks and picks; nothing is fetched yet."""

    bench: StepPorts

    @activity.defn(name=SCOUT.name, no_thread_cancel_exception=True)
    def scout(self, request: TrialInput) -> TrialLook:
        """``candidate_sources.json``."""
        work = partial(self._scout, named=request.source)
        return TrialLook(result=self.bench.perform(request.step, StepName.SCOUT, Role.SCOUT, work))

    @activity.defn(name=PLAN_TRIAL.name, no_thread_cancel_exception=True)
    def plan_trial(self, request: TrialInput) -> TrialLook:
        """``task_contract.json`` of a source trial."""
        work = partial(self._plan, named=request.source)
        return TrialLook(result=self.bench.perform(request.step, StepName.PLAN_TRIAL, Role.PLANNING, work))

    def _scout(self, session: StepSession, named: str) -> StepResult:
        base = session.repository.fetch_base()
        catalogue, unread = self._catalogue(session)
        lowered = {name for name, state in states_now(session).items() if state in LOWERED}
        leads = _leads(session.repository, base)
        agents, unheard = self._asked(session, base, leads)
        found = CandidateSources(
            run_id=session.run.run_id,
            target=session.run.target,
            base_sha=base,
            candidates=candidates(session.policy.sources, catalogue, session.run.target, named, lowered),
            leads=(*leads[:_LEADS], *agents),
            more_leads=max(0, len(leads) - _LEADS),
            unread=(*unread, *unheard),
        )
        session.save(CANDIDATES, found)
        _tidy(session, {each.name for each in (*session.policy.sources.of(session.run.target), *catalogue)})
        session.note("scouted", candidates=len(found.candidates), leads=len(leads), unread=len(unread))
        sentences = [
            f"{counted(len(found.candidates), 'source')} could be tried",
            f"{counted(len(leads), 'lead')} in the repository",
            *([f"{counted(len(agents), 'lead')} named by {agents[0].named_by}"] if agents else []),
            *found.unread,
        ]
        verdict = allow("it is known what could be tried", shortened("; ".join(sentences), 1000))
        return session.done(verdict, base_sha=base, next_role=Role.PLANNING)

    def _asked(self, session: StepSession, base: str, leads: list[Lead]) -> tuple[list[Lead], tuple[str, ...]]:
        """What an agent names, where one plays the Scout; and why it was not heard. Nothing of it is fetched."""
        if not asks_an_agent(session):
            return [], ()
        known = session.policy.sources.of(session.run.target)
        files = [path for path in session.repository.paths(base) if path.endswith(_DATA)][:_LISTED]
        texts = {
            "known.json": json.dumps([{"name": each.name, "provenance": each.provenance} for each in known]),
            "leads.json": json.dumps([each.url for each in leads]),
            "files.txt": "\n".join(files),
        }
        brief = Brief(Role.SCOUT, session.run, session.policy, base, alive=session.alive, told=told(texts))
        try:
            proposal = propose(session, session.agent, brief, TypeAdapter(CandidateSources))
        except AgentStopped as ended:
            if ended.outcome in WAITS:
                raise
            return [], (f"the agent named nothing: {ended.outcome.value}: {ended.reason}",)
        who = session.policy.charter.roles[Role.SCOUT].models[0]
        return named_leads(proposal.leads, {each.url for each in leads}, who), ()

    def _catalogue(self, session: StepSession) -> tuple[list[SourcePolicy], tuple[str, ...]]:
        try:
            text = session.bench.policies.catalogue()
        except PolicyError as problem:
            return [], (str(problem),)
        return catalogue_of(text, session.policy.sources, session.run.target) if text is not None else ([], ())

    def _plan(self, session: StepSession, named: str) -> StepResult:
        found, now = session.load(CANDIDATES, CandidateSources), activity.info().started_time
        kept = KeptTrials(session.bench.store, session.run.target)
        tried = {each.name: kept.of(each.name) for each in found.candidates}
        choice, rule = choose(found.candidates, tried, named, now, source_book(session)), "there is a source to try"
        if choice.candidate is None:
            reason = shortened("; ".join(choice.reasons) or "there is no candidate", 1000)
            return session.done(deny(rule, reason) if named else allow(rule, reason), nothing_to_do=not named)
        number = 1 + sum(f"-{session.run.date}-" in each.trial_id for each in tried[choice.candidate.name])
        trial = _trial(session, choice, choice.candidate, number)
        kept.begin(trial)
        contract = _contract(session.run.run_id, trial)
        session.save("task_contract.json", contract)
        session.note("trial planned", trial=trial.trial_id, source=trial.source, fetches=trial.fetches)
        went = "goes on" if choice.unfinished else "begins"
        told = "; ".join((f"the trial {trial.trial_id} {went}", *trial.barred, *choice.reasons))
        return session.done(allow(rule, shortened(told, 1000)), task_id=contract.task_id, next_role=Role.INTEGRATOR)


def _tidy(session: StepSession, sources: set[str]) -> None:
    """What nobody needs any more of earlier trials; where it is not known what is needed, nothing."""
    store, now = session.bench.store, activity.info().started_time
    try:
        proposed = {each.proposal_id for each in KeptProposals(store).open()}
        removed = sum(KeptTrials(store, session.run.target).tidy(name, now, proposed) for name in sorted(sources))
    except (StoreError, NotKept) as damage:
        session.note("nothing removed of old trials", because=shortened(str(damage), 300))
        return
    if removed:
        session.note("removed of old trials", files=removed)


def states_now(session: StepSession) -> dict[str, SourceState]:
    """Of each source of the file, what it is by file and by Control's books.

    Raises:
        ControlUnavailable: nobody knows how far each is lowered.
    """
    book = source_book(session)
    return {each.name: in_force(each, book.of(each.name))[0] for each in session.policy.sources.sources}


def known_sources(session: StepSession) -> Sources:
    """The file's, and the catalogue's as the Scout found them."""
    found = session.load(CANDIDATES, CandidateSources)
    more = [SourcePolicy.model_validate(each.entry) for each in found.candidates if each.origin == CATALOGUE]
    return session.policy.sources.model_copy(update={"sources": (*session.policy.sources.sources, *more)})


def _trial(session: StepSession, choice: Choice, picked: CandidateSource, number: int) -> SourceTrial:
    source = SourcePolicy.model_validate(picked.entry)
    terms, going = source.terms or session.policy.sources.trial, choice.unfinished
    bounds = {name: value for name, value in source.thresholds.model_dump().items() if isinstance(value, dict)}
    return SourceTrial(
        trial_id=going.trial_id if going else f"{source.name}-{session.run.date}-{number}",
        source=source.name,
        origin=picked.origin,
        state=picked.state,
        entry=picked.entry,
        entry_digest=picked.entry_digest,
        began_at=going.began_at if going else activity.info().started_time,
        fetches=terms.fetches,
        hours_between=terms.hours_between,
        at_least=terms.at_least,
        duration_hours=terms.hours_between * (terms.fetches - 1),
        coverage_target=source.thresholds.coverage.warn if source.thresholds.coverage else None,
        thresholds={name: Bounds.model_validate(value) for name, value in bounds.items()},
        licence=source.licence,
        compliance=source.compliance,
        compliance_reference=source.compliance_reference,
        baseline=source.baseline or source.fallback,
        fallback=source.fallback,
        barred=picked.barred,
    )


def _contract(run_id: str, trial: SourceTrial) -> TaskContract:
    wanted = counted(trial.fetches, "fetch", "fetches")
    return TaskContract(
        task_id=f"source-trial-{trial.trial_id}",
        run_id=run_id,
        type=TaskType.SOURCE_TRIAL,
        state=TaskState.APPROVED_FOR_RUN,
        title=f"Try the source {trial.source}",
        objective=f"{trial.at_least} of {wanted} good, every threshold kept, within {trial.duration_hours:g} hours",
        rationale=f"{trial.source} is a {trial.state} of {trial.origin}",
        tool="source",
        rule=trial.source,
        metric="good fetches",
        metric_before=0,
        expected_metric_delta=trial.at_least,
        test_strategy="the recorded bytes are read again in a fresh sandbox, and compared with the baseline's",
        scope=Scope(allowed_paths=(), max_files=0, max_lines=0),
        risk=Risk(level=RiskLevel.LOW, category="source", blast_radius="nothing is written"),
        verification=VerificationPlan(
            required_checks=(),
            acceptance_criteria=("every gate of the source trial says yes", "a person merges or applies the promotion"),
        ),
        rollback=RollbackPlan(strategy="close_pr", maximum_minutes=15),
        trial=trial,
        owner_role=Role.INTEGRATOR,
        next_role=Role.SOURCE_QA,
    )


def _leads(repository: Repository, base: str) -> list[Lead]:
    found: dict[str, Lead] = {}
    for path in [each for each in repository.paths(base) if is_prose(each)][:_READ]:
        body = repository.read(base, path) or b""
        for lead in leads_in(path, body.decode("utf-8", "replace")):
            found.setdefault(lead.url, lead)
    return list(found.values())
