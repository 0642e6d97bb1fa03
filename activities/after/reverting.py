"""The steps of a rollback (runbook §8, P11): plan the exact tree before any write, write, read back.

Writes go as cleared writes with class ``repair``, booked under the rollback's own id (``RB-<run>``).
"""

from dataclasses import dataclass

from temporalio import activity

from activities.after.outcomes import incident_places, say_rolled_back
from activities.after.revert_plan import plan_revert, rollback_id
from activities.api import NOTE_ROLLBACK, PREPARE_REVERT, REPAIR, LogHead
from activities.heartbeat import heartbeating
from activities.step_session import StepPorts
from activities.write.cleared_write import ClearedWrite
from contracts import rollback as after
from contracts.audit import AuditEvent
from contracts.clearance import WriteAnswerKind
from contracts.effect import Effect
from contracts.modes import Role, WriteAction, WriteClass
from contracts.verdict import Fact, Verdict
from policies.settings.schema import EffectivePolicy
from policies.texts.commit import revert_words, rollback_body, rollback_title
from policies.verdicts import allow, deny, hold
from ports.crashpoints import crashpoint
from ports.policy_source import PolicyError
from ports.repository import RepositoryError


def _follows(request: after.RepairInput) -> after.FollowUpInput | None:
    """Should the rollback be escalated with its pull request open, a person's merge of it is seen all the same."""
    if request.action is not WriteAction.OPEN_PULL_REQUEST:
        return None
    merged = request.given.merged
    own = merged.run.model_copy(update={"run_id": rollback_id(request.given)})
    return after.FollowUpInput(
        run=own, task_id=f"rollback-{merged.task_id}", pull_request=0, rolls_back=merged.run.run_id
    )


@dataclass(frozen=True)
class Reverting:
    """Each step finds what an earlier attempt of it did."""

    bench: StepPorts

    @activity.defn(name=PREPARE_REVERT.name, no_thread_cancel_exception=True)
    def prepare(self, request: after.PrepareInput) -> after.RevertPlan:
        """Fetch, revert, and record the expected tree before anything is written.

        Raises:
            RepositoryError: the remote cannot be reached; tried again.
        """
        with heartbeating():
            policy = self.bench.pinned_policy(request.given.merged.run)
            if problem := self._no_base(policy):
                plan = after.RevertPlan(problem=problem)
            else:
                plan = plan_revert(request, policy, self.bench)
            facts: dict[str, Fact] = {
                "problem": plan.problem,
                "strategy": plan.strategy,
                "onto": plan.onto,
                "expectedTree": plan.expected_tree,
                "isBaseline": plan.baseline,
                "landing": plan.landing_sha,
            }
            crashpoint("prepare_revert.before_effect")
            head = self._record(request.given, f"prepared/{request.number}", "rollback prepared", facts)
            crashpoint("prepare_revert.after_effect")
            return plan.model_copy(update={"audit_head": head})

    @activity.defn(name=REPAIR.name, no_thread_cancel_exception=True)
    def repair(self, request: after.RepairInput) -> after.RepairResult:
        """One write of the plan, as cleared writes."""
        with heartbeating():
            policy = self.bench.pinned_policy(request.given.merged.run)
            ended = self._repair(request, policy)
            if ended.done and ended.restored_tree and request.given.merged.pull_request:
                say_rolled_back(self.bench, policy, request.given, ended.result)
            return ended

    def _no_base(self, policy: EffectivePolicy) -> str:
        base = policy.target.base_branch
        there = self.bench.forges(policy.target).branch_head(base) is not None
        return "" if there else f"the remote has no branch {base} any more (renamed, deleted?)"

    def _repair(self, request: after.RepairInput, policy: EffectivePolicy) -> after.RepairResult:
        start, plan = request.given, request.plan
        if problem := self._no_base(policy):
            # Asked again and again it would stay away: the next plan says so, to a person.
            return self._ended(request, deny("the base is still there", problem), moved=True)
        self._import(request, policy)
        effect = self._effect(request, policy)
        done = ClearedWrite(self.bench, start.incident, follows=_follows(request)).around(
            policy, effect, WriteClass.REPAIR, start.merged.run.policy.digest
        )
        rule = f"{request.action} of the rollback happened"
        if done.answer.answer is WriteAnswerKind.REFUSED:
            return self._ended(request, done.answer.verdict)
        lands = request.action in {WriteAction.REVERT, WriteAction.MERGE}
        if done.result is None:
            # Settled under this key: by an earlier attempt, or by Control's own look at the remote.
            result = done.answer.result
            if lands and not self._is_on_base(policy, plan):
                return self._ended(request, hold(rule, f"an earlier plan was written: {result}"), moved=True)
        elif not done.result.done:
            reason = done.result.refused or "looked after the pause: it had not happened"
            verdict = (deny if done.result.refused else hold)(rule, reason)
            return self._ended(request, verdict, moved=lands and bool(done.result.refused))
        else:
            result = done.result.result
        result, tree = self._read_back(policy, plan, result) if lands else (result, "")
        if lands and tree != plan.expected_tree:
            return self._ended(request, deny(rule, f"the tree is {tree}, not the expected {plan.expected_tree}"))
        named = self._named(request, policy, result)
        verdict = allow(rule, f"{result} on {effect.branch}")
        return self._ended(request, verdict, done=True, result=result, tree=tree, plan=named)

    def _named(self, request: after.RepairInput, policy: EffectivePolicy, number: str) -> after.RevertPlan | None:
        """Its pull request has a number now: the commit that lands it names that, and is otherwise the planned one."""
        plan = request.plan
        if request.action is not WriteAction.OPEN_PULL_REQUEST or plan.words is None or not number.isdecimal():
            return None
        landing = revert_words(request.given, plan.idea, int(number)).landing
        words = plan.words.model_copy(update={"landing": landing})
        again = after.PrepareInput(
            given=request.given, number=request.number, revert_onto=plan.revert_onto, words=words
        )
        found = plan_revert(again, policy, self.bench, plan.onto)
        if found.revert_sha != plan.revert_sha or found.expected_tree != plan.expected_tree:
            raise RepositoryError(f"the plan gives {found.revert_sha or found.problem}, not {plan.revert_sha}")
        return plan.model_copy(update={"words": words, "landing_sha": found.landing_sha})

    def _is_on_base(self, policy: EffectivePolicy, plan: after.RevertPlan) -> bool:
        repository = self.bench.repositories(policy.target)
        return repository.contains(repository.fetch_base(), plan.landing_sha)

    def _read_back(self, policy: EffectivePolicy, plan: after.RevertPlan, result: str) -> tuple[str, str]:
        """The commit that landed and its tree, as the remote's history holds them now (P11).

        ``result`` is what the remote named: a forge or a person may have made a commit of another id of our pull
        request.
        """
        repository = self.bench.repositories(policy.target)
        head = repository.fetch_base()
        found = repository.landing(plan.landing_sha, head) or (repository.landing(result, head) if result else None)
        if found is None:
            raise RepositoryError(f"the base at {head} does not hold {plan.landing_sha} yet")
        # Itself, unless the forge merged it by a commit of its own.
        return found.commit, repository.tree_of(found.commit)

    def _import(self, request: after.RepairInput, policy: EffectivePolicy) -> None:
        """Any worker may write: the commits are made anew, equal input gives equal ids."""
        again = plan_revert(
            after.PrepareInput(
                given=request.given,
                number=request.number,
                revert_onto=request.plan.revert_onto,
                words=request.plan.words,
            ),
            policy,
            self.bench,
            request.plan.onto,
        )
        if again.landing_sha != request.plan.landing_sha:
            raise RepositoryError(
                f"the plan gives {again.landing_sha or again.problem}, not {request.plan.landing_sha}"
            )

    def _effect(self, request: after.RepairInput, policy: EffectivePolicy) -> Effect:
        start, plan, merged = request.given, request.plan, request.given.merged
        lands = request.action in {WriteAction.REVERT, WriteAction.MERGE}
        # With a tip, the push shows on the pull request what is going to land; each landing commit once.
        name = f"landing-{plan.landing_sha[:8]}" if request.tip else request.action
        effect = Effect(
            action=request.action,
            run_key=f"{rollback_id(start)}/{name}",
            run_id=rollback_id(start),
            task_id=f"rollback-{merged.task_id}",
            branch=plan.base_branch if lands else plan.branch,
            base_branch=plan.base_branch,
            head_sha=plan.landing_sha if lands or request.tip else plan.revert_sha,
            base_sha=plan.onto,
            expected_old=plan.onto if lands else request.tip,
            tree_sha=plan.expected_tree if lands else "",
            pull_branch=plan.pull_branch if request.action is WriteAction.MERGE else "",
            commit_message=plan.words.landing if lands and plan.words else "",
        )
        if request.action is WriteAction.OPEN_PULL_REQUEST:
            footer = f"run: {rollback_id(start)}\nkey: {effect.run_key}\n"
            places = incident_places(self.bench, policy, start.incident, merged.run.run_id)
            facts = {"title": rollback_title(start), "body": f"{rollback_body(start, plan.idea, places)}\n{footer}"}
            links = (merged.pull_request,) if merged.pull_request else ()
            return effect.model_copy(update={**facts, "links": links, "addresses": places.addresses})
        return effect

    def _ended(
        self,
        request: after.RepairInput,
        verdict: Verdict,
        *,
        done: bool = False,
        moved: bool = False,
        result: str = "",
        tree: str = "",
        plan: after.RevertPlan | None = None,
    ) -> after.RepairResult:
        facts: dict[str, Fact] = {"action": request.action, "done": done, "reason": verdict.reason, "tree": tree}
        if plan is not None:
            facts["landing"] = plan.landing_sha
        key = f"{request.action}/ended/{activity.info().activity_id}"
        head = self._record(request.given, key, "repair done" if done else "repair not done", facts)
        return after.RepairResult(
            done=done, verdict=verdict, moved=moved, result=result, restored_tree=tree, plan=plan, audit_head=head
        )

    @activity.defn(name=NOTE_ROLLBACK.name, no_thread_cancel_exception=True)
    def note(self, request: after.RollbackNote) -> LogHead:
        """An event of the rollback, for its audit log."""
        return LogHead(head=self._record(request.given, request.key, request.event, request.facts))

    def _record(self, request: after.RollbackInput, key: str, event: str, facts: dict[str, Fact]) -> str:
        record = AuditEvent(key=key, role=Role.RELEASE, event=event, facts={"incident": request.incident, **facts})
        name = rollback_id(request)
        head = self.bench.record(name, (record,), activity.info().started_time)
        try:
            target = self.bench.policies.effective(request.merged.run.target).target
            self.bench.repositories(target).anchor(f"run/{name}", head)
        except (PolicyError, RepositoryError) as problem:
            # The head is in the Temporal history, too; the next record anchors again.
            activity.logger.warning("head of run/%s not anchored in the mirror: %s", name, problem)
        return head
