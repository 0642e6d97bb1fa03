"""Step 5: the change, made inside the contract's scope and measured by us (``change.bundle``, ``change.diff``)."""

import os
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import BaseModel, TypeAdapter
from temporalio import activity
from temporalio.exceptions import CancelledError

from activities.api import CODE
from activities.run.background import background
from activities.run.checking import CheckRunner
from activities.run.measuring import TargetRuns
from activities.run.partial_tree import keep_tree, kept_tree
from activities.run.proposals import propose
from activities.run.quarantine import MadeCommit, granted_change, take
from activities.run.questions import asking_back
from activities.run.rounds import back_to_coding, what_failed
from activities.step_session import StepPorts, StepSession
from contracts.change import Change
from contracts.exchange import PartialTree
from contracts.handover import Pins, StepInput, StepResult
from contracts.modes import Role, StepName
from contracts.task import StateSnapshot, TaskContract
from contracts.verdict import Verdict
from policies.agents.crossing import FITS_RULE, TREE_RULE
from policies.counted import shortened
from policies.paths.base_limits import BaseLimits, Measured
from policies.paths.diff_budget import judge_budget
from policies.paths.rules import canonical, judge_paths, no_orders, readable, widened
from policies.task.asked import agent_codes
from policies.task.compliance import judge_compliance
from policies.texts.pull_request import commit_message
from policies.verdicts import all_of, allow, deny
from ports.agents import AgentStopped, Brief
from ports.environments import CheckEnvironment
from ports.measures import UNMEASURED, Counted, Look
from ports.repository import Repository

_LARGEST_WORK = 64
"""MiB that a coder may leave beyond what was there: a change is held in memory, kept, and shown."""
_SHOWN = 400
"""Characters of what was seen in measuring; the rest is in its artifacts."""


class CodingAnswer(BaseModel):
    """What a coder may say. Its numbers are not used; more than this is not read."""

    summary: str = ""


@dataclass(frozen=True)
class Coding:
    """The only step whose agent may write, into a work tree of its own."""

    bench: StepPorts
    checks: CheckRunner

    @activity.defn(name=CODE.name, no_thread_cancel_exception=True)
    def code(self, request: StepInput) -> StepResult:
        """Let the agent edit a checkout, then take the change as a commit and judge it."""
        result = self.bench.perform(request, StepName.CODE, Role.CODING, self._work, request.turn)
        return back_to_coding(self.bench, request, result)

    def _work(self, session: StepSession) -> StepResult:
        contract = session.load("task_contract.json", TaskContract)
        base, repository = session.input.base_sha, session.repository
        granted, recorded, environment = granted_change(session), session.recorded, session.environment
        with self.bench.folder("code") as tree:
            repository.checkout(base, tree)
            # Sensing has measured this tree, by an artifact that the run names by its digest.
            known = session.load("state_snapshot.json", StateSnapshot)
            of_base = known if known.base_sha == base else None
            runs = TargetRuns(session, self.checks) if contract.asked else None
            look = Look(tree, session.policy, session.alive, of_base, recorded, environment, runs=runs)
            before = self.bench.measures.count(contract, look)
            if contract.asked and not before.left:
                # Nobody is asked, and paid, for what is so already.
                rule = "there is something to better"
                reason = f"{contract.metric}: none on the base"
                return session.done(allow(rule, reason), task_id=contract.task_id, nothing_to_do=True)
            made = take(session, granted) if granted else self._made(session, contract, tree, environment, before.said)
        session.keep_asked(environment)
        if made.question and contract.asked:
            asks = asking_back(session, contract.asked, contract.task_id, made.question)
            if asks:
                return asks
        if made.refused:
            return session.done(deny(made.rule, made.refused), task_id=contract.task_id)
        head = made.head
        paths = repository.changed_paths(base, head)
        task_id = contract.task_id
        if not paths:
            return session.done(deny("the change is not empty", "the coder changed nothing"), task_id=task_id)
        after = self._after(session, contract, replace(look, known=None, before=before), head)
        diff = repository.diff(base, head)
        change = Change(
            base_sha=base,
            head_sha=head,
            tree_sha=repository.tree_of(head),
            paths=paths,
            bundle=session.save("change.bundle", repository.bundle(base, head), "application/x-git-bundle"),
            diff=session.save("change.diff", diff, "text/x-diff"),
            metric=contract.metric,
            metric_before=before.left,
            metric_after=after.left,
        )
        session.save("change.json", change)
        session.note(
            "changed",
            headSha=head,
            files=len(paths),
            lines=change.lines,
            before=before.left,
            after=after.left,
            measured=shortened(after.said, _SHOWN),
            said=made.said,
        )
        released = granted.released if granted else ()
        fits = all_of(
            FITS_RULE,
            [
                judge_paths(change, session.policy, contract, repository.paths(base), released),
                judge_compliance(change, diff, session.policy),
                judge_budget(change, widened(contract, released), session.policy),
                _improved(change, after.said),
                *([no_orders(session.worked.dropped)] if session.worked else []),
            ],
        )
        return session.done(fits, task_id=task_id, pins=Pins(head_sha=head), next_role=Role.REVIEW)

    def _after(self, session: StepSession, contract: TaskContract, look: Look, head: str) -> Counted:
        """Measured on what was committed, not on what the agent left lying in its tree."""
        with self.bench.folder("measure") as folder:
            tree = _checked_out(session.repository, head, folder / "head")
            # What checks show is shown against the base; a tool's findings need it not.
            base = session.input.base_sha
            beside = _checked_out(session.repository, base, folder / "base") if contract.asked else None
            return self.bench.measures.count(contract, replace(look, tree=tree, base=beside))

    def _made(
        self, session: StepSession, contract: TaskContract, tree: Path, environment: CheckEnvironment | None, seen: str
    ) -> MadeCommit:
        """By the agent, on the base, or on what it left before under the same contract."""
        kept = kept_tree(session, contract)
        if kept is None:
            return self._ask(session, contract, tree, environment, seen)
        if kept.done and kept.round == session.input.round:
            # Handed over, and then its worker died, or measuring it failed: nobody is asked, and paid, for it twice.
            return MadeCommit(TREE_RULE, head=kept.head_sha)
        with self.bench.folder("resumed") as left:
            session.repository.checkout(kept.head_sha, left)
            return self._ask(session, contract, left, environment, seen, kept)

    def _ask(
        self,
        session: StepSession,
        contract: TaskContract,
        tree: Path,
        environment: CheckEnvironment | None,
        seen: str,
        kept: PartialTree | None = None,
    ) -> MadeCommit:
        base, refused = session.input.base_sha, kept is not None and kept.done
        limits = _room(tree, session.policy.target.limits)
        brief = Brief(
            Role.CODING,
            session.run,
            session.policy,
            base,
            tree=tree,
            contract=contract,
            recorded=session.recorded,
            environment=environment,
            alive=session.alive,
            told=background(session, contract, tree) | what_failed(session) | ({"measured.md": seen} if seen else {}),
            resumed=kept is not None and not refused,
            again=refused,
        )
        try:
            answer = propose(session, session.agent, brief, TypeAdapter(CodingAnswer))
        except AgentStopped as stopped:
            if stopped.question and contract.asked and contract.asked.number:
                return MadeCommit(TREE_RULE, refused=f"the coder asks: {stopped.question}", question=stopped.question)
            # Of a step that nobody waits for any more nothing is gone on from.
            if not activity.is_cancelled() and not _unusable(tree, limits):
                keep_tree(session, contract, tree, kept, done=False)
            raise
        except CancelledError:
            # A worker that leaves interrupts it, too.
            if activity.is_worker_shutdown() and not _unusable(tree, limits):
                keep_tree(session, contract, tree, kept, done=False)
            raise
        if unusable := _unusable(tree, limits):
            return MadeCommit(TREE_RULE, refused=f"the coder left {unusable}")
        if agent_codes(session.policy, session.run.asked):
            # Another round, or attempt, goes on from here: what was paid for is not lost.
            keep_tree(session, contract, tree, kept, done=True)
        head = session.repository.commit_tree(base, tree, commit_message(contract))
        return MadeCommit(TREE_RULE, head=head, said=answer.summary)


def _checked_out(repository: Repository, commit: str, place: Path) -> Path:
    place.mkdir()
    repository.checkout(commit, place)
    return place


def _room(tree: Path, limits: BaseLimits) -> BaseLimits:
    """With room for a coder's work beside what is there: what is larger is no change that anybody could look at."""
    sizes = (Path(folder, name).lstat().st_size for folder, _, names in os.walk(tree) for name in names)
    return limits.model_copy(update={"megabytes": min(limits.megabytes, (sum(sizes) >> 20) + _LARGEST_WORK)})


def _unusable(tree: Path, limits: BaseLimits) -> str:
    """What the coder left that no commit of ours may hold; empty when there is nothing of the kind.

    A pipe, socket or device git would wait for or fail at; beyond the base's limits nothing could be checked out again.
    """
    measured, waiting = Measured(limits), [os.fsencode(tree)]
    skipped = len(waiting[0]) + 1
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                path, is_folder = entry.path[skipped:], entry.is_dir(follow_symlinks=False)
                if _is_gits_own(os.fsdecode(entry.name)):
                    return f"{readable(os.fsdecode(path))}, which some file systems take for git's own folder"
                if not (is_folder or entry.is_symlink() or entry.is_file(follow_symlinks=False)):
                    return f"{readable(os.fsdecode(path))}, which is neither file, folder nor link"
                size = 0 if is_folder else entry.stat(follow_symlinks=False).st_size
                if reason := measured.add(path, size, is_folder=is_folder):
                    return f"a tree that is beyond the limits of a base: {reason}"
                if is_folder:
                    waiting.append(entry.path)
    return ""


def _is_gits_own(name: str) -> bool:
    """Whether git would refuse to add it; what is called so exactly it leaves out, or takes for a submodule."""
    return name != ".git" and (canonical(name) == ".git" or name.lower() == "git~1")


def _improved(change: Change, text: str) -> Verdict:
    rule = "the effect is there"
    facts = {"before": change.metric_before, "after": change.metric_after}
    if change.metric_after < change.metric_before:
        return allow(rule, f"{change.metric}: {change.metric_before} before, {change.metric_after} after", **facts)
    why = f": {shortened(text, _SHOWN)}" if text else ""
    if change.metric_after >= UNMEASURED:
        return deny(rule, f"{change.metric} could not be measured on the change{why}", **facts)
    return deny(rule, f"{change.metric} did not improve{why}", **facts)
