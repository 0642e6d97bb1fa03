"""What became of a pull request that we merged or undid, said on it: by whoever did it, else by its follow-up (P7)."""

from contextlib import suppress
from dataclasses import dataclass

from temporalio import activity

from activities.after.revert_plan import plan_revert, rollback_id
from activities.api import SAY_UNSAID
from activities.heartbeat import heartbeating
from activities.step_session import StepPorts
from activities.write.commenting import Comment, said_once
from contracts.forge_facts import ABOUT_MERGE, ABOUT_ROLLBACK, commented
from contracts.modes import WriteAction
from contracts.rollback import Merged, PrepareInput, RollbackInput, Unsaid
from contracts.verdict import Verdict
from policies.settings.schema import EffectivePolicy
from policies.texts.inert_markdown import is_plain_address
from policies.texts.outcome import (
    IncidentPlaces,
    merged_by_itself,
    merged_head,
    restored_head,
    rolled_back,
    rolled_back_head,
)
from policies.verdicts import allow, deny
from ports.forge import ForgeError

INCIDENT_PAGE = "post_incident_report.md"
_RULE = "it is said on the pull request"


def say_merged(
    bench: StepPorts, policy: EffectivePolicy, merged: Merged, *, checked_tree: str = "", late: bool = False
) -> None:
    """Merged by itself; ``checked_tree`` as whoever merged it knows it; ``late``: its head may say more by now."""
    run_id, number = merged.run.run_id, merged.pull_request
    over = late and commented(bench.forges(policy.target).comments(number), number, ABOUT_ROLLBACK)
    page = bench.store.web(run_id)
    text = merged_by_itself(merged, checked_tree, page)
    head = "" if over else merged_head(merged)
    comment = Comment(run_id, number, ABOUT_MERGE, text, head, addresses=(page,) if page else ())
    said_once(bench, policy, merged.run, comment)


def say_rolled_back(bench: StepPorts, policy: EffectivePolicy, request: RollbackInput, revert_sha: str) -> None:
    """Below the pull request that is undone, and at the head of the one that undid it."""
    name, merged = rollback_id(request), request.merged
    opened = bench.forges(policy.target).find_pull_request(f"{name}/{WriteAction.OPEN_PULL_REQUEST}")
    number = opened.number if opened else 0
    places = incident_places(bench, policy, request.incident, merged.run.run_id)
    text = rolled_back(request, revert_sha, number, places)
    head, links = rolled_back_head(request, revert_sha, number), (number,) if number else ()
    undone = Comment(name, merged.pull_request, ABOUT_ROLLBACK, text, head, links, request.incident, places.addresses)
    said_once(bench, policy, merged.run, undone)
    if number:
        done = restored_head(revert_sha, merged.pull_request, request.incident, places)
        own = Comment(name, number, ABOUT_MERGE, "", done, (merged.pull_request,), request.incident, places.addresses)
        said_once(bench, policy, merged.run, own)


def incident_places(bench: StepPorts, policy: EffectivePolicy, incident: str, run_id: str) -> IncidentPlaces:
    """Where to read on about an incident; without its ticket where the forge cannot be asked: nothing waits."""
    ticket = ""
    with suppress(ForgeError):
        opened = f"{incident}/{WriteAction.OPEN_TICKET}"
        ticket = next((each.url for each in bench.forges(policy.target).tickets() if each.run_key == opened), "")
    page, run = bench.store.web(incident, INCIDENT_PAGE), bench.store.web(run_id)
    return IncidentPlaces(report=page, run=run, ticket=ticket if is_plain_address(ticket) else "")


@dataclass(frozen=True)
class Outcomes:
    """Says what a run or a rollback that was ended by force did not live to say."""

    bench: StepPorts

    @activity.defn(name=SAY_UNSAID.name, no_thread_cancel_exception=True)
    def say(self, unsaid: Unsaid) -> Verdict:
        """Once, whoever else says it; of a revert only what git shows.

        Raises:
            ForgeError, RepositoryError: could not be asked; tried again.
        """
        with heartbeating():
            known = unsaid.record
            policy = self.bench.pinned_policy(known.merged.run)
            if not unsaid.revert_sha:
                say_merged(self.bench, policy, known.merged, late=True)
                return allow(_RULE, "merged by itself")
            request = RollbackInput(
                merged=known.merged, incident=known.incident, reason=known.reason, commanded_by=known.commanded_by
            )
            left = plan_revert(PrepareInput(given=request, number=0), policy, self.bench, unsaid.revert_sha)
            if left.problem or left.landing_sha:
                return deny(_RULE, left.problem or f"{unsaid.revert_sha} does not hold the base without the change")
            say_rolled_back(self.bench, policy, request, unsaid.revert_sha)
            return allow(_RULE, "rolled back")
