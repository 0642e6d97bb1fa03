"""What every step of a run has in hand: the pinned policy, artifacts, the audit log, the repository."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.api import KEPT_OUT
from activities.heartbeat import heartbeating
from activities.run.spending import CostMeter, MeteredAgent, purse_of, spend
from activities.work_folder import work_folder
from contracts.artifact import ArtifactRef, Contract
from contracts.audit import AuditEvent
from contracts.change import Change
from contracts.exchange import AgentRecord
from contracts.handover import Handover, Pins, PlannedWrite, RunRef, StepInput, StepResult
from contracts.modes import Outcome, Role, RunKind, StepName
from contracts.verdict import Decision, Fact, Verdict
from policies.agents.outcome import judge_ended
from policies.counted import shortened
from policies.run.caps import spends
from policies.run.obstacles import cure, resting
from policies.settings.schema import EffectivePolicy, Target
from policies.task.asked import as_tried
from policies.verdicts import hold
from ports.agents import Agent, AgentFor, AgentStopped
from ports.alerts import AlertSink
from ports.control_desk import ControlDesk
from ports.crashpoints import crashpoint
from ports.environments import CheckEnvironment, Environments, EnvironmentUnavailable
from ports.forge import AccessDenied, Effects, ForgeError, NotShown, OpenForge
from ports.measures import Measures
from ports.models import FirstExchange, Purse
from ports.policy_source import PolicyError, PolicySource
from ports.repository import OpenRepository, RemoteForbids, Repository, RepositoryError
from ports.sandbox import Sandbox
from ports.sources import Connector
from ports.store import ArtifactStore, AuditLog, RunIndex, StoreError

Model = TypeVar("Model", bound=Contract)

_RECORDED = re.compile(r"sources/([^/]+)/used\.jsonl|((?:proposals|lookups)/[^/]+)\.json|(catalogue\.toml)")
"""What a run uses of a source; a proposal, and the catalogue it is held to; what a tool looked up elsewhere."""
HISTORY = "history.json.gz"
"""The server's history of a run, as its artifact."""
_LARGEST_VERDICT = 128 * 1024
_LONGEST_REASON = 2000
_SHORT = 300
_SHORT_REST = 30.0
"""Seconds that a retry of the step waits out."""


@dataclass(frozen=True)
class StepPorts:
    """The ports, as the composition filled them in."""

    policies: PolicySource
    repositories: OpenRepository
    forges: OpenForge
    effects: Effects
    store: ArtifactStore
    audit: AuditLog
    agents: AgentFor
    first_exchange: FirstExchange
    sandbox: Sandbox
    environments: Environments
    control: ControlDesk
    alerts: AlertSink
    measures: Measures
    index: RunIndex
    """Ended runs."""
    connectors: Mapping[str, Connector]
    """Ways to ask a source, by name (runbook §5)."""
    scratch: Path
    """Folder for work trees; each lives for one attempt of one step."""

    def perform(
        self, request: StepInput, step: StepName, role: Role, work: Callable[[StepSession], StepResult], turn: str = ""
    ) -> StepResult:
        """Do a step's work under the pinned policy; hold when it is not the operator's policy any more (P6).

        ``turn`` tells apart the turns of a step that a run takes more than once, in its audit log.
        """
        with heartbeating() as alive:
            pinned = self.pinned_policy(request.run)
            try:
                now = self.policies.effective(request.run.target).digest
                reason = "" if now == pinned.digest else f"the policy changed under the run: {now[:12]}"
            except PolicyError as problem:
                reason = f"the policy cannot be read: {problem}"
            if role is Role.CODING and request.run.asked is not None:
                pinned = as_tried(pinned, request.run.asked)
            session = StepSession(self, request, step, role, pinned, alive, turn, tell=alive.tell)
            if reason:
                return session.done(hold("the policy is the pinned one", reason, pinned=pinned.digest[:12]))
            try:
                return spend(session, work) if spends(pinned, role) else work(session)
            except AgentStopped as ended:
                return session.done(judge_ended(ended.outcome, ended.reason, ended.retry_after))
            except (ForgeError, RepositoryError) as problem:
                if waits := self.resting(request.run, problem):
                    return session.done(waits)
                if out := self.kept_out(pinned.target, problem):
                    raise out from problem
                raise

    def resting(self, run: RunRef, problem: Exception) -> Verdict | None:
        """HOLD until a forge that limits the rate answers again; None: it does not, or so soon that a retry does.

        A smoke run does not wait, so its step is tried again, too.
        """
        told = problem.retry_after if isinstance(problem, ForgeError) else None
        if run.kind is RunKind.SMOKE or (told is not None and told < _SHORT_REST):
            return None
        return resting(str(problem), told)

    def kept_out(self, target: Target, problem: Exception) -> ApplicationError | None:
        """The end of a run that the forge does not let in; None: the problem may pass, or is none of access.

        No fault of the change, so nothing is rejected and nothing suppressed: the run is FAILED, which is heard.
        """
        # One thing that is missing says nothing of the repository.
        plain = isinstance(problem, AccessDenied | RemoteForbids) and not isinstance(problem, NotShown)
        words = str(problem) if plain else ""
        try:
            self.forges(target).protection()
        except AccessDenied as seen:
            # It names what git does not: where the repository is now, what the token lacks.
            words = str(seen)
        except ForgeError:
            pass
        return closed(words, target) if words else None

    def pinned_policy(self, run: RunRef) -> EffectivePolicy:
        """The policy the run started under, from its artifact; where that is lost, from the folder, if it is the same.

        Raises:
            StoreError: it is lost, and the operator's is another by now, or cannot be read.
        """
        try:
            return EffectivePolicy.model_validate_json(self.store.get(run.policy.artifact))
        except StoreError:
            with suppress(PolicyError):
                now = self.policies.effective(run.target)
                if now.digest == run.policy.digest:
                    return now
            raise

    def record(self, run_id: str, events: tuple[AuditEvent, ...], at: datetime) -> str:
        """Append to the run's audit log; raises when it cannot be written (P10)."""
        return self.audit.append(f"run/{run_id}", events, at)

    def folder(self, purpose: str) -> AbstractContextManager[Path]:
        """An empty folder, gone afterwards."""
        return work_folder(self.scratch, purpose)


@dataclass
class StepSession:
    """One attempt of one step."""

    bench: StepPorts
    input: StepInput
    step: StepName
    role: Role
    policy: EffectivePolicy
    alive: Callable[[], None]
    turn: str = ""
    tell: Callable[..., None] = field(default=lambda **_progress: None)
    """Progress of an agent, for whoever looks at the pending step."""
    worked: AgentRecord | None = None
    """What an agent of others' making did last in this step, by our own record."""
    outputs: list[ArtifactRef] = field(default_factory=list)
    inputs: list[ArtifactRef] = field(default_factory=list)
    events: list[AuditEvent] = field(default_factory=list)
    meter: CostMeter = field(default_factory=CostMeter)

    @property
    def run(self) -> RunRef:
        """The run."""
        return self.input.run

    @property
    def control(self) -> ControlDesk:
        """The target's Control."""
        return self.bench.control

    @property
    def agent(self) -> Agent:
        """The backend of this step's role; what it spends is counted."""
        agent = self.bench.agents(self.policy, self.role)
        return MeteredAgent(agent, self.meter, self.purse, self.keep, self.tell)

    @cached_property
    def purse(self) -> Purse | None:
        """Where this attempt's exchanges with a model are paid from; None: none may be asked."""
        return purse_of(self)

    def keep(self, name: str, body: bytes, media_type: str) -> None:
        """Keep what an agent's work leaves, under ``agent/…``; its digest, and what it cost, are in the audit log."""
        ref = self.save(f"agent/{name.removeprefix('agent/')}", body, media_type)
        record = None
        if media_type == "application/json":
            # Nothing else is a record of ours: a program's output may look like one.
            with suppress(ValidationError):
                record = AgentRecord.model_validate_json(body)
        self.worked = record or self.worked
        event, facts = exchanged(ref, record)
        self.vouch(event, ref.name, ref.sha256, facts)

    def vouch(self, event: str, name: str, sha256: str, facts: Mapping[str, Fact]) -> None:
        """Name an artifact in the audit log at once: it was paid for, whatever becomes of this attempt."""
        key = "/".join(filter(None, (self.step, self.turn, name, sha256)))
        known: dict[str, Fact] = {"artifact": name, "sha256": sha256, **facts}
        entry = AuditEvent(key=key, role=self.role, event=event, facts=known, artifacts=(sha256,))
        self.bench.record(self.run.run_id, (entry,), activity.info().started_time)

    @property
    def repository(self) -> Repository:
        """The target's mirror."""
        return self.bench.repositories(self.policy.target)

    @property
    def environment(self) -> CheckEnvironment | None:
        """Where the repository's own programs and an agent's run, by what the base says (P6).

        None: there is no need, or none can be made.
        """
        target, role_policy = self.policy.target, self.policy.charter.roles.get(self.role)
        needed = target.fixers or (target.dependencies and target.dependencies.on)
        if not needed and (role_policy is None or role_policy.backend != "command"):
            return None
        try:
            return self.bench.environments.prepare(self.repository, self.input.base_sha, self.policy, self.alive)
        except EnvironmentUnavailable as problem:
            activity.logger.warning("the environment of fixers, updates and agents: %s", problem)
            return None

    @property
    def recorded(self) -> dict[str, bytes]:
        """What Sensing recorded for this run: a source's records by its name, a proposal or a lookup by its file's."""
        names = recorded_among(ref.name for ref in self.input.artifacts)
        return {key: self.load_bytes(name) for key, name in names.items()}

    def load(self, name: str, model: type[Model]) -> Model:
        """An earlier step's artifact, verified and parsed.

        Raises:
            ApplicationError: ``ArtifactDamaged``, not retryable.
        """
        body = self.load_bytes(name)
        try:
            return model.model_validate_json(body)
        except ValidationError as problem:
            raise ApplicationError(f"{name}: {problem}", type="ArtifactDamaged", non_retryable=True) from problem

    def load_bytes(self, name: str) -> bytes:
        """An earlier step's artifact, verified."""
        for ref in self.input.artifacts:
            if ref.name == name:
                self.inputs.append(ref)
                return self.bench.store.get(ref)
        raise ApplicationError(f"the run has no artifact {name}", type="ArtifactDamaged", non_retryable=True)

    def change(self) -> Change:
        """The run's change, its commit in the mirror: it travels as a bundle, so any worker may take the next step.

        Raises:
            ApplicationError: ``ArtifactDamaged``, not retryable.
            RepositoryError: the bundle does not hold what ``change.json`` says.
        """
        change = self.load("change.json", Change)
        self.repository.unbundle(self.load_bytes("change.bundle"), change.base_sha, change.head_sha)
        return change

    def save(self, name: str, body: Contract | bytes, media_type: str = "application/json") -> ArtifactRef:
        """Keep an artifact of this step."""
        data = body if isinstance(body, bytes) else written(body)
        ref = self.bench.store.put(self.run.run_id, name, data, media_type)
        self.outputs.append(ref)
        return ref

    def keep_asked(self, environment: CheckEnvironment | None) -> None:
        """Keep what this step's tools asked the network for, where one did."""
        if environment is not None and environment.asked:
            self.save(f"network/{self.step}.txt", b"".join(environment.asked), "text/plain")

    def note(self, event: str, **facts: Fact) -> None:
        """Remember an event for the audit log; written when the step ends."""
        key = f"{len(self.events)}/{event}"
        self.events.append(AuditEvent(key=key, role=self.role, event=event, facts=facts))

    def done(
        self,
        verdict: Verdict,
        *,
        confidence: float = 1.0,
        task_id: str | None = None,
        base_sha: str = "",
        nothing_to_do: bool = False,
        outcome: Outcome | None = None,
        pins: Pins | None = None,
        writes: tuple[PlannedWrite, ...] = (),
        next_role: Role | None = None,
    ) -> StepResult:
        """End the step: write the audit log, hand over."""
        info = activity.info()
        verdict = self._carried(verdict)
        held = verdict.decision is Decision.HOLD
        # A held step is tried again: each holding, and what was seen in it, is its own.
        told = f"{self.step}/held/{info.activity_id}" if held else f"{self.step}/{self.turn}".rstrip("/")
        noted = (event.model_copy(update={"key": f"{told}/{event.key}"}) for event in self.events)
        outcome_event = AuditEvent(
            key=told if held else f"{told}/done",
            role=self.role,
            event=f"{self.step} {'held' if held else 'done'}",
            facts={"decision": verdict.decision, "reason": verdict.reason, "baseSha": base_sha or self.input.base_sha},
            artifacts=tuple(ref.sha256 for ref in self.outputs),
        )
        crashpoint(f"{self.step}.before_done")
        head = self.bench.record(self.run.run_id, (*noted, outcome_event), info.started_time)
        crashpoint(f"{self.step}.after_done")
        blocking = () if verdict.allowed else (verdict.reason,)
        return StepResult(
            handover=Handover(
                run_id=self.run.run_id,
                task_id=task_id,
                role=self.role,
                input_artifacts=tuple(self.inputs),
                output_artifacts=tuple(self.outputs),
                confidence=confidence,
                blocking_issues=blocking,
                next_role=next_role,
            ),
            verdict=verdict,
            audit_head=head,
            base_sha=base_sha,
            task_id=task_id,
            nothing_to_do=nothing_to_do,
            outcome=outcome,
            pins=pins or Pins(),
            writes=writes,
        )

    def _carried(self, verdict: Verdict) -> Verdict:
        """Bulky things never cross Temporal: a run whose history they fill could not even end."""
        if len(verdict.model_dump_json()) <= _LARGEST_VERDICT:
            return verdict
        whole = self.save(f"verdicts/{self.step}.json", verdict)
        short = {"reason": shortened(verdict.reason, _LONGEST_REASON), "facts": {"whole": whole.name}, "children": ()}
        return verdict.model_copy(update=short)


def exchanged(ref: ArtifactRef, record: AgentRecord | None) -> tuple[str, dict[str, Fact]]:
    """The audit log's event of what an agent's work left, and its facts; of a record, what it cost and how it ended."""
    facts: dict[str, Fact] = {"artifact": ref.name, "sha256": ref.sha256}
    if record is None:
        return "agent's work kept", facts
    ends = Counter(each.ending.value for each in record.exchanges)
    shown: dict[str, Fact] = {"outcome": record.outcome, "exchanges": len(record.exchanges), "usd": record.usd}
    shown |= {"dropped": shortened(", ".join(record.dropped), _SHORT)} if record.dropped else {}
    shown |= {"hostsRefused": shortened(", ".join(record.hosts_refused), _SHORT)} if record.hosts_refused else {}
    shown |= {"reachedOut": record.reached_out} if record.reached_out else {}
    endings = ", ".join(f"{word} {times}" for word, times in sorted(ends.items()))
    return "agent exchanged", {**facts, **shown, "tokens": record.tokens, "bound": record.bound, "endings": endings}


def closed(words: str, target: Target) -> ApplicationError:
    """What keeps a run from its repository, and what to do; no retry mends it."""
    return ApplicationError(f"{words}. To mend it: {cure(words, target)}", type=KEPT_OUT, non_retryable=True)


def recorded_among(names: Iterable[str]) -> dict[str, str]:
    """What Sensing recorded, by its key (a source's name, ``proposals/<id>``), to the artifact's name."""
    found = ((name, _RECORDED.fullmatch(name)) for name in names)
    return {match[1] or match[2] or match[3]: name for name, match in found if match}


def written(body: Contract) -> bytes:
    """An artifact's JSON. Bytes of a name that are no UTF-8 show as backslash escapes: policy refuses such names."""
    with suppress(PydanticSerializationError):
        return body.model_dump_json(indent=2).encode()
    return json.dumps(_readable(body.model_dump(mode="json")), ensure_ascii=False, indent=2).encode()


def _readable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    if isinstance(value, dict):
        return {_readable(key): _readable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_readable(item) for item in value]
    return value
