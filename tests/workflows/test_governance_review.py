"""The weekly review (runbook §11): from a run that a person merged to a page, by Schedule, UI and command."""

from __future__ import annotations

import pytest
from shell import shell_of
from temporalio.client import WorkflowFailureError
from temporalio.exceptions import ApplicationError
from world import World

import composition
from tests.workflows.quick import add_target, quick
from workflows import api


async def test_11_a_review_of_what_happened(world: World) -> None:
    """What the command computes without a server is what the workflow keeps; wrong starts say what is right."""
    shell = shell_of(world)
    assert "0 runs" in shell.type("review").out
    add_target(world, "quick")
    assert "nothing is earned" in (await shell.typed("mode", "quick", "--why")).err
    async with world.worker(quick(world)):
        run = await world.run("quick")
        merged = await shell.typed("pr", "merge", "quick", "1")
        assert 0 == merged.status, merged.err
        await world.until(lambda: _merged(world))
        kept = await world.client.execute_workflow(
            api.GOVERNANCE_REVIEW, id=f"{api.GOVERNANCE_REVIEW_ID}/1", task_queue=api.TASK_QUEUE
        )
        for wrong, told in (({"days": 0}, "days"), ({"weeks": 4}, "weeks"), ("x", "GovernanceReview with")):
            with pytest.raises(WorkflowFailureError) as refused:
                await world.client.execute_workflow(
                    api.GOVERNANCE_REVIEW, wrong, id=f"{api.GOVERNANCE_REVIEW_ID}/2", task_queue=api.TASK_QUEUE
                )
            assert isinstance(refused.value.cause, ApplicationError)
            assert told in str(refused.value.cause)
    place = kept["report"]["name"], world.settings.artifacts / "runs"
    (folder,) = place[1].glob("GR-*")
    found = world.artifact(folder.name, place[0])
    assert kept["sentence"] == found["sentence"]
    metrics = {each["name"]: (each["count"], each["of"]) for each in found["groups"][0]["metrics"]}
    assert {
        "policy violations": (0, 1),
        "post-merge regressions": (0, 1),
        "all checks green": (1, 1),
        "rollbacks": (0, 1),
        "pull request acceptance": (1, 1),
        "protected paths touched": (0, 1),
    }.items() <= metrics.items()
    assert ["target", "mode", "task type"] == [group["by"] for group in found["groups"][1:]]
    assert [("codespell docs", "accepted", 1)] == [(p["what"], p["kind"], p["count"]) for p in found["patterns"]]
    assert [1, 1, 1] == [row["counts"]["not yet"] for row in found["fates"]]
    assert (1, 0) == (found["objectivesMet"], found["objectivesMissed"])
    later = world.artifact(run.run_id, "post_run_review.json")
    assert later["sentence"] in (world.settings.artifacts / "runs" / run.run_id / "run_report.html").read_text()
    page = (folder / "governance_review.html").read_text()
    assert found["sentence"] in page
    assert "<script" not in page
    told = shell.type("review", "--json").json
    assert found["groups"][0]["metrics"][:6] == told["groups"][0]["metrics"][:6]
    ((kind, verdict),) = (await shell.typed("mode", "quick", "--why", "--json")).json.items()
    assert ("documentation_update", "deny") == (kind, verdict["decision"])
    assert "runs ended in PR_ONLY on 1 day, of 14" == verdict["children"][1]["reason"]
    assert (
        "1 pull request of documentation_update in PR_ONLY, of 20" in (await shell.typed("mode", "quick", "--why")).out
    )
    assert 2 == (await shell.typed("mode", "quick")).status
    left = world.settings.artifacts / "runs" / run.run_id
    # A damaged later review is made again; of damaged checks, or a policy, it is said.
    (left / "post_run_review.json").write_text("{}")
    assert [1, 1, 1] == [row["counts"]["not yet"] for row in shell.type("review", "--json").json["fates"]]
    assert 0 == shell.type("report", run.run_id).status
    (left / "checks" / "checks.json").write_text("{}")
    target = world.settings.policies / "targets" / "quick.toml"
    target.write_text(f"{target.read_text()}\n[nonsense]\n")
    lost = shell.type("review", "--json").json["unreadable"]
    assert {f"{run.run_id}/checks/checks.json", "owners of quick's checks"} <= lost.keys()
    (left / "task_contract.json").write_text("{}")
    assert f"{run.run_id}/task_contract.json" in shell.type("review", "--json").json["unreadable"]
    (left / "run_report.json").write_text("{}")
    assert run.run_id in shell.type("review", "--json").json["unreadable"]


async def test_it_is_made_every_week(world: World) -> None:
    """A worker makes the Schedule once; what a person changed of it stays."""
    await composition.schedule_reviews(world.client)
    handle = world.client.get_schedule_handle(api.GOVERNANCE_REVIEW_ID)
    (calendar,) = (await handle.describe()).schedule.spec.calendars
    assert (1, 6) == (calendar.day_of_week[0].start, calendar.hour[0].start)
    await handle.pause(note="on leave")
    await composition.schedule_reviews(world.client)
    assert "on leave" == (await handle.describe()).schedule.state.note


async def _merged(world: World) -> bool:
    return "merged by a person" in (world.settings.artifacts / "targets" / "quick" / "audit_log.jsonl").read_text()
