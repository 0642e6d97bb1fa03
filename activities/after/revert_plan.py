"""What a rollback will write, computed without writing anything (P11)."""

from pydantic import ValidationError

from activities.step_session import StepPorts
from contracts.rollback import HealthTerms, Idea, PrepareInput, RevertPlan, RollbackInput
from contracts.task import TaskContract
from policies.release.landing import lands_by_pull
from policies.settings.schema import EffectivePolicy
from policies.texts.commit import revert_words
from ports.store import StoreError


def rollback_id(request: RollbackInput) -> str:
    """Under which writes, artifacts and the audit log of a rollback are kept."""
    return f"RB-{request.merged.run.run_id}"


def plan_revert(request: PrepareInput, policy: EffectivePolicy, bench: StepPorts, onto: str = "") -> RevertPlan:
    """Undo what the merge changed against its first parent, by a three-way merge on the base as it is now.

    When nobody else committed since, the expected tree is exactly the baseline's; else it is the base without our
    change, and with everybody else's. A person goes on when the base does not hold the merge any more, or when later
    commits touch the same lines.

    Args:
        request: which merge; with ``revert_onto``, the base of the revert that its pull request shows.
        policy: the pinned one.
        bench: where the mirror and the contract are.
        onto: the base of an earlier plan, to make its commits again; empty: the base now.

    Raises:
        RepositoryError: could not be found out; tried again.
    """
    merged, repository = request.given.merged, bench.repositories(policy.target)
    contract = _contract(bench, merged.run.run_id)
    rules = policy.autopilot.rollback
    known = RevertPlan(
        # A pull request that is merged cannot be closed: it is reverted by another one.
        strategy="revert_commit" if contract and contract.rollback.strategy == "revert_commit" else "revert_pr",
        branch=f"autonomy/revert/{merged.run.run_id}",
        base_branch=policy.target.base_branch,
        health=HealthTerms(
            in_a_row=rules.healthy_in_a_row,
            every_seconds=rules.health_every_seconds,
            maximum_minutes=contract.rollback.maximum_minutes if contract else policy.target.rollback_minutes,
            base_moves=rules.base_moves,
        ),
        idea=Idea(
            task_id=merged.task_id,
            title=contract.title if contract else merged.task_id,
            tool=contract.tool if contract else "",
            rule=contract.rule if contract else "",
            paths=contract.scope.allowed_paths if contract else (),
        ),
    )

    def person(problem: str) -> RevertPlan:
        return known.model_copy(update={"problem": problem, "onto": base})

    base = repository.fetch_base()
    base = onto or base
    if not repository.contains(base, merged.merge_sha):
        return person(f"the base at {base} does not hold the merge {merged.merge_sha}: its history was replaced")
    # What was shown is made again word for word, also where it said nothing yet.
    words = request.words if request.revert_onto else revert_words(request.given, known.idea)
    messages = (words.revert, words.landing) if words else ("", "")
    first = repository.revert(merged.merge_sha, base, messages[0])
    if not first.clean:
        return person(f"later commits touch the same lines: {', '.join(first.conflicts)}")
    baseline = base == merged.merge_sha
    if baseline and first.tree != repository.tree_of(merged.parent_sha):
        return person(f"the revert gives {first.tree}, not the baseline's tree")
    found = {
        "onto": base,
        "expected_tree": first.tree,
        "baseline": baseline,
        "revert_sha": first.commit,
        "revert_onto": base,
        "words": words,
    }
    if first.tree == repository.tree_of(base):
        # Undone already, by us or by a person: there is nothing to write.
        return known.model_copy(update={**found, "landing_sha": ""})
    if known.strategy == "revert_commit":
        return known.model_copy(update={**found, "landing_sha": first.commit})
    shown, shown_onto = first, base
    if request.revert_onto and request.revert_onto != base:
        # Its pull request shows the revert as it was made then; equal input gives an equal commit.
        shown, shown_onto = repository.revert(merged.merge_sha, request.revert_onto, messages[0]), request.revert_onto
    landing = repository.merge(base, shown.commit, messages[1])
    if not landing.clean:
        return person(f"the revert of the pull request conflicts in {', '.join(landing.conflicts)}")
    if landing.tree != first.tree:
        return person(f"merging the revert gives {landing.tree}, reverting on the base {first.tree}")
    ours = {
        "revert_sha": shown.commit,
        "revert_onto": shown_onto,
        "landing_sha": landing.commit,
        "pull_branch": known.branch if lands_by_pull(policy.target) else "",
    }
    return known.model_copy(update={**found, **ours})


def _contract(bench: StepPorts, run_id: str) -> TaskContract | None:
    """The run's own; None when it is gone: the target's policy then says how."""
    ref = bench.store.find(run_id, "task_contract.json")
    try:
        return None if ref is None else TaskContract.model_validate_json(bench.store.get(ref))
    except (StoreError, ValidationError):
        return None
