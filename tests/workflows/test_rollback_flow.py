"""Whole flows after a merge: regression, rollback, review (runbook §6.3, §8; P11; issue: FollowUp and Rollback)."""

from __future__ import annotations

import asyncio

import pytest
from aftermath import BROKEN, CHECK, after_a_run, hasten
from incident_checker import incidents_unsound
from world import World, git

from adapters.forges.local import forge_folder, read_comments
from contracts.incident import IncidentView
from contracts.modes import Mode, TargetStatus
from contracts.rollback import FollowUpEnd, RollbackOutcome
from tests.workflows.quick import quick
from tests.workflows.test_incident_flow import at_rest, tickets
from workflows import api


def prepared(world: World, more: str = CHECK, **head: str) -> World:
    """The target ``demo`` with a package that can be broken."""
    hasten(world)
    world.write_target("demo", more, **({"rollback_strategy": "revert_commit"} | head))
    return world


async def test_a_confirmed_regression_is_rolled_back_to_the_identical_tree_and_reviewed(world: World) -> None:
    """6.3, 8: red twice and ours → DRY_RUN before the first write → the baseline's tree → incident, backlog, review."""
    prepared(world)
    async with world.worker(quick(world)):
        after = await after_a_run(world)
        before = after.tree()
        merged = await after.merge(BROKEN)
        end = await after.follow(merged)
        assert "regression" == end.outcome, end
        result = await after.rolled_back()
        assert RollbackOutcome.RESTORED is result.outcome, result.reason
        assert before == after.tree() == result.expected_tree == result.restored_tree
        subject = git("show", "--no-patch", "--format=%s", result.revert_sha, cwd=world.remote)
        assert result.idea is not None
        [said] = read_comments(forge_folder(world.settings.home, "demo") / "pulls", 1)
        assert all(
            part in said.body for part in ("**Rolled back**", result.revert_sha, f"INC-{after.run.run_id}-regression")
        )
        assert f'Revert "{result.idea.title}" (pull request #1)' == subject
        head = world.pulls()[0]["body"].splitlines()[1]
        assert ("**Outcome: merged, then rolled back** by " + result.revert_sha) in head
        await after.logged("hardening task queued")
        events = [record.event for record in after.log()]
        assert (
            events.index("mode set")
            < events.index("incident opened")
            < events.index("write begun", events.index("mode set"))
        )
        view = await world.status()
        assert (Mode.DRY_RUN, TargetStatus.ACTIVE) == (view.mode, view.status)
        incident = view.incidents[0]
        assert incident.rollback is not None
        assert incident.rollback.seconds > 0
        assert "on the base for" in incident.rollback.impact
        handle = world.client.get_workflow_handle(api.incident_id("demo", incident.incident))

        async def tagged() -> bool:
            seen: IncidentView = await handle.query(api.VIEW, result_type=IncidentView)
            return seen.report.rollback == incident.rollback

        await world.until(tagged)
        report = (await at_rest(world, handle)).report
        facts = [fact.text for fact in report.timeline]
        back = [fact for fact in report.timeline if fact.log == f"run/RB-{after.run.run_id}"]
        assert any("outcome restored" in one.text and "health confirmed" in one.text for one in back)
        told = ("merged", "rollback ordered", "rollback prepared", "repair done", "open_ticket done", "tagged with its")
        assert [] == [event for event in told if not any(one.startswith(event) for one in facts)], facts
        [ticket] = tickets(world, "demo")
        assert all(part in ticket["body"] for part in (f"- Outcome: rolled back by {result.revert_sha}", "**Open**"))
        page = (world.settings.artifacts / "runs" / incident.incident / "post_incident_report.md").read_text()
        assert f"rolled back by {result.revert_sha}" in page
        assert "- Pull requests: pull request #1 (the change)" in ticket["body"]
        assert "Pull requests: pull request #1 (the change)" in page
        assert [] == await incidents_unsound(world)
        assert view.review_due == incident.incident
        assert (await after.resume()).accepted

        async def open_again() -> bool:
            seen = await world.status()
            return (seen.status, seen.mode, seen.review_due) == (TargetStatus.ACTIVE, Mode.PR_ONLY, "")

        await world.until(open_again)

        async def told() -> bool:
            seen: IncidentView = await handle.query(api.VIEW, result_type=IncidentView)
            return any(fact.text.startswith("resumed") for fact in seen.report.timeline)

        # Nobody reads it: what happens reaches the kept report by itself.
        await world.until(told)
        smoke = (await world.status()).recent[0]
        ideas = world.artifact(smoke.run_id, "candidate_tasks.json")
        assert [f"harden-{after.run.run_id}"] == [one["taskId"] for one in ideas["candidates"] if one["needsPerson"]]
        # In this world a person closed its pull request, too, and what a person said is looked at first; that the
        # quarantine alone suppresses it, test_attribution shows.
        assert any("a person closed pull request" in one["reason"] for one in ideas["suppressed"])
        assert "idea quarantined" in [record.event for record in after.log()]


@pytest.mark.parametrize(
    ("deed", "outcome"), [("merge", "merged by name@example.invalid; healthy"), ("close", "closed by")]
)
async def test_what_a_person_does_with_a_pull_request_is_recorded(world: World, deed: str, outcome: str) -> None:
    """Issue: for an open PR: waits for a person's merge or close and records it."""
    prepared(world)
    async with world.worker(quick(world)):
        after = await after_a_run(world)
        (branch,) = (ref.removeprefix("refs/heads/") for ref in world.autonomy_branches())
        if deed == "merge":
            git("fetch", "--quiet", str(world.remote), branch, cwd=after.work)
            git("merge", "--quiet", "--no-ff", "--message=Yes", "FETCH_HEAD", cwd=after.work)
            after.push()
        else:
            git("push", "--quiet", "--delete", str(world.remote), branch, cwd=after.work)
        handle = world.client.get_workflow_handle(api.follow_up_id(after.run.run_id), result_type=FollowUpEnd)
        await world.until(handle.describe)
        end = await asyncio.wait_for(handle.result(), 90)
        assert end.outcome.startswith(outcome), end
        assert end.outcome == (await after.logged("follow-up ended")).facts["outcome"]
