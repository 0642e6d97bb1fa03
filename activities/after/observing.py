"""Looks at commits of the base after a merge (runbook §6.3, §8): required checks and probes, run anew each time.

What could not be found out is UNKNOWN: it never counts as green, and never triggers anything (P13).
"""

from dataclasses import dataclass

from temporalio import activity

from activities.after.probing import ProbeRunner
from activities.api import ATTRIBUTE, LOOK_AT_PULL, OBSERVE, SIGHT, TERMS
from activities.heartbeat import heartbeating
from activities.run.checking import CheckRunner
from activities.step_session import StepPorts, StepSession, written
from contracts import rollback as after
from contracts.artifact import ArtifactRef
from contracts.evidence import CheckStatus
from contracts.forge_facts import ABOUT_CLOSING, commented
from contracts.handover import RunRef, StepInput
from contracts.merging import Health, ProbeResult
from contracts.modes import Role, StepName
from contracts.pull_request import PullRequest
from policies.after.attribution import attribute, confirmed, flaky, whose
from policies.after.open_pulls import asking, waits_for
from policies.settings.schema import EffectivePolicy
from ports.environments import EnvironmentUnavailable
from ports.forge import Forge, ForgeError
from ports.repository import Repository
from ports.sandbox import SandboxUnavailable
from ports.store import RunIndex

_CHECKS = {
    CheckStatus.GREEN: Health.GREEN,
    CheckStatus.RED: Health.RED,
    # Red, then green on the same commit; not done in time; could not be run: none of these says what the commit is.
    CheckStatus.FLAKY: Health.UNKNOWN,
    CheckStatus.TIMEOUT: Health.UNKNOWN,
    CheckStatus.INFRASTRUCTURE: Health.UNKNOWN,
}


@dataclass(frozen=True)
class Observing:
    """Reads and runs; writes nothing but its evidence."""

    bench: StepPorts
    room: CheckRunner
    probes: ProbeRunner
    index: RunIndex

    @activity.defn(name=TERMS.name, no_thread_cancel_exception=True)
    def terms(self, request: after.FollowUpInput) -> after.FollowUpTerms:
        """What the pinned policy says about following up."""
        rules = self.bench.pinned_policy(request.run).autopilot.follow_up
        return after.FollowUpTerms(
            observation_minutes=rules.observation_minutes,
            every_minutes=rules.every_minutes,
            confirmations=rules.confirmations,
            poll_first_minutes=rules.poll_first_minutes,
            poll_most_minutes=rules.poll_most_minutes,
        )

    @activity.defn(name=SIGHT.name, no_thread_cancel_exception=True)
    def sight(self, request: after.SightInput) -> after.WorkflowSight:
        """Whether a workflow is open."""
        seen = self.bench.control.look(request.workflow_id)
        return after.WorkflowSight(open=seen is not None and seen.open, status=seen.status if seen else "GONE")

    @activity.defn(name=OBSERVE.name, no_thread_cancel_exception=True)
    def observe(self, request: after.ObserveInput) -> after.Observation:
        """One look at one commit, or at the base's head.

        Raises:
            RepositoryError: the remote cannot be reached; tried again.
        """
        with heartbeating() as alive:
            policy = self.bench.pinned_policy(request.run)
            # Evidence is kept under the place's own id: the run itself has ended.
            run = request.run.model_copy(update={"run_id": request.place})
            session = StepSession(self.bench, StepInput(run=run), StepName.CHECK, Role.CHECKS, policy, alive)
            repository = session.repository
            head = repository.fetch_base()
            commit = request.commit or head
            health: dict[str, Health] = {}
            folder = f"observations/{request.number}"
            try:
                report = self.room.after_merge(session, commit, folder)
            except (EnvironmentUnavailable, SandboxUnavailable) as problem:
                session.save(f"{folder}/problem.txt", str(problem).encode(), "text/plain")
                health[after.EVERYTHING] = Health.UNKNOWN
            else:
                session.save(f"{folder}/checks.json", report)
                health |= {result.name: _CHECKS[result.status] for result in report.results if result.required}
            probed = self.probes.probe(policy, commit, commit, alive)
            health |= {f"probe {result.name}": result.health for result in probed}
            holds = not request.merge_sha or repository.contains(head, request.merge_sha)
            return self._seen(session, folder, commit, health, probed, holds)

    @activity.defn(name=ATTRIBUTE.name, no_thread_cancel_exception=True)
    def attribute(self, request: after.AttributeInput) -> after.Attribution:
        """Judge looks by the rules as they are now; the history keeps the answer, so a changed rule breaks nothing."""
        failing = confirmed(request.first, request.again)
        if not failing or not request.ours:
            return after.Attribution(failing=failing)
        verdict = attribute(failing, request.ours, request.parents, flaky(request.looks))
        return after.Attribution(failing=failing, verdict=verdict, culprit=whose(verdict))

    def _seen(
        self,
        session: StepSession,
        folder: str,
        commit: str,
        health: dict[str, Health],
        probed: tuple[ProbeResult, ...],
        holds: bool,
    ) -> after.Observation:
        found = set(health.values())
        whole = next((worst for worst in (Health.RED, Health.UNKNOWN) if worst in found), Health.GREEN)
        seen = after.Observation(
            commit=commit,
            # A target with nothing to look at shows nothing.
            health=whole if found else Health.UNKNOWN,
            failing=tuple(name for name, each in health.items() if each is Health.RED),
            unknown=tuple(name for name, each in health.items() if each is Health.UNKNOWN)
            if found
            else (after.EVERYTHING,),
            healthy=tuple(name for name, each in health.items() if each is Health.GREEN),
            probes=probed,
            holds_merge=holds,
        )
        evidence: ArtifactRef = session.save(f"{folder}/observation.json", written(seen))
        return seen.model_copy(update={"evidence": evidence})

    @activity.defn(name=LOOK_AT_PULL.name, no_thread_cancel_exception=True)
    def look_at_pull(self, request: after.FollowUpInput) -> after.PullLook:
        """What became of the pull request, read side only; who and when as far as the forge and the base tell.

        Raises:
            ForgeError, RepositoryError: could not be asked; tried again.
        """
        with heartbeating():
            policy = self.bench.pinned_policy(request.run)
            forge = self.bench.forges(policy.target)
            ours = next((pull for pull in forge.pull_requests() if pull.number == request.pull_request), None)
            if ours is None:
                raise ForgeError(f"the forge knows no pull request {request.pull_request}")
            acts, account = forge.human_acts(request.pull_request), policy.target.forge_access.account
            if ours.state == "open":
                self._show_waiting(request.run, waits_for(asking(acts, account)))
                return after.PullLook(state="open")
            last = next((act for act in reversed(acts) if act.act == ours.state), None)
            who = last.actor if last else ""
            if ours.state == "closed" and (_closed_by_us(forge, ours) or who.lower() == account.lower() != ""):
                who = after.US
            seen = after.PullLook(state=ours.state, who=who, at=last.at if last else None)
            return self._merged(request, policy, ours, seen) if ours.state == "merged" else seen

    def _show_waiting(self, run: RunRef, words: str) -> None:
        """In the lists, where it is new; withdrawn or approved, it goes."""
        if words != self.index.outcomes([run.run_id]).get(run.run_id, ""):
            self.index.became(run.run_id, words)

    def _merged(
        self, request: after.FollowUpInput, policy: EffectivePolicy, pull: PullRequest, seen: after.PullLook
    ) -> after.PullLook:
        repository: Repository = self.bench.repositories(policy.target)
        base = repository.fetch_base()
        landing = repository.landing(pull.head_sha, base)
        if landing is None and pull.merge_sha:
            landing = repository.landed_copy(pull.merge_sha, pull.head_sha, base)
        if landing is None:
            return seen
        # Who pressed the button is the forge's to say; where it says nothing, who committed.
        who, at = seen.who or landing.who, seen.at or landing.at
        merged = after.Merged(
            run=request.run,
            merge_sha=landing.commit,
            parent_sha=landing.parent,
            head_sha=pull.head_sha,
            task_id=request.task_id,
            pull_request=request.pull_request,
            merged_at=at,
            by=who,
        )
        return after.PullLook(state="merged", who=who, at=at, merged=merged if landing.parent else None)


def _closed_by_us(forge: Forge, pull: PullRequest) -> bool:
    """What we closed says so below, soon; a forge may name our account for it, or nobody."""
    return commented(forge.comments(pull.number), pull.number, ABOUT_CLOSING)
