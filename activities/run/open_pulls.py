"""What becomes of earlier runs' pull requests and branches: moot, asked to change, served."""

from collections.abc import Mapping

from temporalio import activity

from activities.governance.kept_proposals import KeptProposals
from activities.run.strangers import Seen
from activities.step_session import StepPorts, StepSession
from contracts.change import Change
from contracts.forge_facts import ABOUT_CHANGES, commented
from contracts.handover import PlannedWrite
from contracts.modes import WriteAction
from contracts.proposal import POLICY_TOOL
from contracts.pull_request import PullRequest
from contracts.task import Finding, MeasureKind, MootPullRequest, TaskContract
from policies.after.open_pulls import Served, acknowledgement, asking, canary_of, closed_unanswered, over, served
from policies.counted import shortened
from policies.paths.rules import in_scope
from policies.texts.pull_request import already_on_base
from ports.measures import Detection
from ports.repository import Repository, RepositoryError, Unrelated
from ports.store import StoreError

_MOST_REMOVALS = 20
"""Branches at a time; the next run goes on."""


def moot(session: StepSession, pull: PullRequest) -> bool:
    """Whether merging it would change nothing. Only of runs that have ended; not knowing is no."""
    if pull.state != "open" or pull.base_branch != session.policy.target.base_branch:
        return False
    return session.bench.store.find(pull.run_id, "run_report.json") is not None and on_base(session, pull)


def outlived(session: StepSession, pull: PullRequest, seen: Detection) -> bool:
    """Whether it conflicts with the base, and a tool that looked finds nothing there of what it mends.

    As ``moot``: only of runs that have ended; not knowing is no.
    """
    if pull.state != "open" or pull.base_branch != session.policy.target.base_branch:
        return False
    task = _task_of_ended(session, pull)
    if task is None or task.measure is not MeasureKind.FINDINGS or task.asked or task.tool == POLICY_TOOL:
        return False
    blind = {each.partition(":")[0] for each in seen.missing} | {each.tool for each in seen.unread}
    left = any((each.tool, each.rule) == (task.tool, task.rule) and in_scope(each.path, task.scope)
               for each in seen.findings)  # fmt: skip
    if left or task.tool in blind:
        return False
    bring(session.bench, session.repository, pull.run_id)
    try:
        return not session.repository.merge(session.input.base_sha, pull.head_sha).clean
    except RepositoryError:
        return False


def baseless(session: StepSession, pull: PullRequest, heads: Mapping[str, str]) -> str:
    """Why the branch it was opened for is not there to be merged into any more; empty: it is, or that is not known.

    As ``moot``: only of runs that have ended.
    """
    branch = session.policy.target.base_branch
    if pull.state != "open" or session.bench.store.find(pull.run_id, "run_report.json") is None:
        return ""
    if pull.base_branch != branch:
        return "" if pull.base_branch in heads else f"{pull.base_branch} is gone: work goes on on {branch}"
    bring(session.bench, session.repository, pull.run_id)
    try:
        session.repository.merge(session.input.base_sha, pull.head_sha)
    except Unrelated:
        return f"{branch} was rewritten since, and has no history in common with it"
    except RepositoryError:
        return ""
    return ""


def _task_of_ended(session: StepSession, pull: PullRequest) -> TaskContract | None:
    """What the run of a pull request was to do, once it has ended; None: it has not, or it was no run of ours."""
    store = session.bench.store
    contract = store.find(pull.run_id, "task_contract.json") if pull.run_id else None
    if contract is None or store.find(pull.run_id, "run_report.json") is None:
        return None
    return TaskContract.model_validate_json(store.get(contract))


def on_base(session: StepSession, pull: PullRequest) -> bool:
    """Whether the base holds everything that the pull request changes, however it came there."""
    base, repository = session.input.base_sha, session.repository
    bring(session.bench, repository, pull.run_id)
    try:
        merged = repository.merge(base, pull.head_sha)
        return merged.clean and merged.tree == repository.tree_of(base)
    except RepositoryError:
        # A head that is not ours: somebody pushed to the branch.
        return False


def bring(bench: StepPorts, repository: Repository, run_id: str) -> Change | None:
    """A run's change, its commits in the mirror; None when nothing of it can be read any more."""
    change, bundle = bench.store.find(run_id, "change.json"), bench.store.find(run_id, "change.bundle")
    if change is None or bundle is None:
        return None
    try:
        made = Change.model_validate_json(bench.store.get(change))
        repository.unbundle(bench.store.get(bundle), made.base_sha, made.head_sha)
    except (StoreError, RepositoryError, ValueError):
        return None
    return made


def moot_of(pull: PullRequest) -> MootPullRequest:
    """What a run must know of a pull request that it closes."""
    return MootPullRequest(
        number=pull.number,
        branch=pull.branch,
        task_id=pull.task_id,
        url=pull.url,
        run_id=pull.run_id,
        head_sha=pull.head_sha,
    )


def closing_text(of_run: str) -> str:
    """Name of the artifact with the closing text of that run's pull request."""
    return f"pull_request_closed-{of_run}.md"


def closing(session: StepSession, pull: MootPullRequest, reason: str = "") -> PlannedWrite:
    """Close it; its own text stays, with the reason below: the base holds it, unless another is given."""
    store, base = session.bench.store, session.input.base_sha
    opened = store.find(pull.run_id, "pull_request.md")
    text = store.get(opened) if opened else b""
    reason = reason or already_on_base(session.policy.target.base_branch, base)
    kept = session.save(closing_text(pull.run_id), text + reason.encode(), "text/markdown")
    session.note("moot pull request", number=pull.number, ofRun=pull.run_id, base=base)
    return PlannedWrite(
        action=WriteAction.CLOSE_PULL_REQUEST,
        task_id=pull.task_id or "",
        branch=pull.branch,
        base_branch=session.policy.target.base_branch,
        base_sha=base,
        head_sha=pull.head_sha,
        body_sha256=kept.sha256,
        of_run=pull.run_id,
    )


def overtaken(session: StepSession, opened: list[PullRequest], findings: tuple[Finding, ...]) -> dict[int, str]:
    """By number, why an open pull request's proposal may not be merged any more: withdrawn, replaced, not as tried.

    ``findings``: of the base as it is, those of the proposals that cannot be made among them.
    """
    store, found = session.bench.store, {}
    proposed = {each.proposal_id for each in KeptProposals(store).open()}
    refused = {each.rule: each.message for each in findings if each.tool == POLICY_TOOL and not each.fixable}
    for pull in opened:
        task = _task_of_ended(session, pull)
        if task is None or task.tool != POLICY_TOOL:
            continue
        if task.rule not in proposed:
            found[pull.number] = f"{task.rule} is proposed no more: see starter.py policy proposals"
        elif task.rule in refused:
            found[pull.number] = refused[task.rule]
    return found


# Open pull requests of ended runs on which somebody requested changes: acknowledged once, closed after a time.


def acknowledging_text(of_run: str) -> str:
    """Name of the artifact with what is said on that run's pull request."""
    return f"pull_request_changes-{of_run}.md"


def answers(session: StepSession, opened: list[PullRequest]) -> tuple[PlannedWrite, ...]:
    """What is to be said or closed.

    Raises:
        ForgeError: could not be asked; the step is tried again.
    """
    forge, account = session.bench.forges(session.policy.target), session.policy.target.forge_access.account
    days, now = session.policy.autopilot.follow_up.changes_days, activity.info().started_time
    planned = []
    for pull in opened:
        if not pull.run_id or session.bench.store.find(pull.run_id, "run_report.json") is None:
            continue
        asks = asking(forge.human_acts(pull.number), account)
        if over(asks, days, now):
            planned.append(closing(session, moot_of(pull), closed_unanswered(asks, days)))
        elif asks and not commented(forge.comments(pull.number), pull.number, ABOUT_CHANGES):
            # By whichever run: each writes under keys of its own.
            text, by = acknowledgement(asks, days).encode(), ", ".join(act.actor for act in asks)
            session.save(acknowledging_text(pull.run_id), text, "text/markdown")
            session.note("changes requested", number=pull.number, ofRun=pull.run_id, by=by)
            planned.append(_comment(session, pull))
    return tuple(planned)


def _comment(session: StepSession, pull: PullRequest) -> PlannedWrite:
    return PlannedWrite(
        action=WriteAction.COMMENT,
        task_id=pull.task_id or "",
        branch=pull.branch,
        base_branch=pull.base_branch,
        base_sha=session.input.base_sha,
        head_sha=pull.head_sha,
        of_run=pull.run_id,
        number=pull.number,
    )


def removals(
    session: StepSession, pulls: tuple[PullRequest, ...], heads: dict[str, str], seen: Seen
) -> tuple[PlannedWrite, ...]:
    """What may go, each with its commits on the base or in an artifact of this run."""
    store = session.bench.store
    runs = {run for run in map(canary_of, heads) if run}
    ended = {run for run in {*runs, *seen.writers} if store.find(run, "run_report.json") is not None}
    # A rollback has no report of its own; its pull request says that it is over.
    going = {run for run in seen.writers if not run.startswith("RB-")} - ended
    busy = {branch for run in going for branch in seen.writers[run]}
    found = served(pulls, heads, seen.booked.heads, busy, ended)[:_MOST_REMOVALS]
    return tuple(_removal(session, one) for one in found if _kept(session, one))


def _kept(session: StepSession, one: Served) -> bool:
    """Whether what stands there is on the base, or a bundle of it is kept now."""
    base, repository = session.input.base_sha, session.repository
    try:
        if not repository.contains(base, one.head_sha):
            name = f"branches/{one.branch.replace('/', '-')}.bundle"
            session.save(name, repository.bundle(base, one.head_sha), "application/x-git-bundle")
    except RepositoryError as problem:
        session.note("branch left", branch=one.branch, head=one.head_sha, reason=shortened(str(problem), 300))
        return False
    session.note("branch served", branch=one.branch, head=one.head_sha, reason=one.why)
    return True


def _removal(session: StepSession, one: Served) -> PlannedWrite:
    return PlannedWrite(
        action=WriteAction.REMOVE_BRANCH,
        task_id="",
        branch=one.branch,
        base_branch=session.policy.target.base_branch,
        base_sha=session.input.base_sha,
        head_sha=one.head_sha,
        expected_old=one.head_sha,
        of_run=one.run_id,
    )
