"""The worker dies by SIGKILL at every named point; each run ends by itself, once, with one pull request."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from checker import check_world
from supervisor import HOSTILE_WORKER, WORKER, Supervisor
from temporalio.client import (
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleSpec,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from world import git

import composition
from adapters.effects.local_records import change_record
from adapters.forges.local import forge_folder, read_comments
from contracts.control import Answer, PauseRequest
from contracts.incident import CloseRequest, HumanFacts, IncidentState, IncidentView, Trigger, incident_id
from contracts.modes import RunStatus
from ports.crashpoints import POINTS, SOURCE_STEPS
from tests.workflows import auto
from workflows import api

if TYPE_CHECKING:
    from conftest import MakeWorld
    from world import World

MOMENTS = ("before_begin", "after_begin", "before_effect", "after_effect", "before_settle", "after_settle")
PUSH = tuple(f"push_branch.{moment}" for moment in MOMENTS)
PULL = tuple(f"open_pull_request.{moment}" for moment in MOMENTS)
ENDING = (
    "audit.before_effect",
    "audit.after_report",
    "audit.after_effect",
    "finish.before_effect",
    "finish.after_effect",
)
TICKET = tuple(f"open_ticket.{moment}" for moment in MOMENTS)
DELIVERY = ("deliver.before_effect", "deliver.after_effect")
"""Swept by ``test_alert_channels``: no run waits for the delivery of an alert."""
RESPONSE = tuple(f"respond.{moment}" for moment in ("before_effect", "after_pause", "after_report", "after_alert"))
RESPONSE = (*RESPONSE, "respond.after_effect")
COLLECTION = ("collect.before_effect", "collect.after_bundle", "collect.after_effect")
KEEPING = (
    "write_report.before_effect",
    "write_report.after_log",
    "write_report.after_effect",
    "tell.before_effect",
    "tell.after_effect",
)
CLOSING = tuple(f"close_ticket.{moment}" for moment in MOMENTS)
ESCALATION = (*RESPONSE, *COLLECTION, *KEEPING[:3], *TICKET, *KEEPING[3:], *CLOSING)
MINDING = ("mind_schedule.before_effect", "mind_schedule.after_effect")
SPENDING = ("spend.after_reserve", "spend.before_settle", "spend.after_settle")
BUDGET = ("report_budget.before_effect", "report_budget.after_effect")
STEPS = tuple(
    f"{step}.{moment}_done"
    for step in ("preflight", "sense", "triage", "plan", "code", "review", "check", "release")
    for moment in ("before", "after")
)
REMOVAL = tuple(f"remove_branch.{moment}" for moment in MOMENTS)
COMMENT = tuple(f"comment.{moment}" for moment in MOMENTS)
MERGE = tuple(f"merge.{moment}" for moment in MOMENTS)
MERGE_STEPS = tuple(
    f"{step}.{moment}_done" for step in ("merge_check", "canary", "merge_release") for moment in ("before", "after")
)
UPDATE_PULL = tuple(f"update_pull_request.{moment}" for moment in MOMENTS)
"""Swept on a Gitea by tests/forges/test_gitea_crashes.py: no local run says anything anew on its pull request."""
ROLLBACK = (
    *(f"{step}.{moment}_effect" for step in ("tell", "prepare_revert") for moment in ("before", "after")),
    *(f"revert.{moment}" for moment in MOMENTS),
)
"""Swept by test_rollback_crash_points.py."""


CI = ("ci.before_done", "ci.after_done", *(f"close_pull_request.{moment}" for moment in MOMENTS))
"""Swept by test_ci_crash_points.py."""
TRIALS = tuple(f"{step}.{moment}_done" for step in SOURCE_STEPS for moment in ("before", "after"))
"""Swept by test_source_crash_points.py."""
REVIEW = ("review_governance.after_report", "review_governance.after_effect")
"""All of them in test_source_crash_points.py: there is one step."""
EXCHANGE = tuple(
    f"exchange.{at}" for at in ("before_reserve", "after_reserve", "midway", "before_settle", "after_settle")
)
"""Swept by test_exchange_crash_points.py: only a role that asks a model has them."""
ELSEWHERE = (*ROLLBACK, *CI, *UPDATE_PULL, *TRIALS, *EXCHANGE, *REVIEW)
DASHBOARD = tuple(f"update_ticket.{moment}" for moment in MOMENTS)
CLOSED_BY_CI = (*CI[:2], CI[5])
UNDONE, UNDONE_BY_PULL = (ROLLBACK[1], ROLLBACK[3], ROLLBACK[7]), (PUSH[3], PULL[3], MERGE[3])
OPENED = (
    ("admit.after_answer", *PUSH[:2], ENDING[0], ENDING[3]),
    (*PUSH[2:4], ENDING[1], ENDING[4]),
    (*PUSH[4:], PULL[3], ENDING[2]),
)
ESCALATED = (
    (*RESPONSE[:3], TICKET[3], CLOSING[3]),
    (*RESPONSE[3:], *KEEPING[:3]),
    (*COLLECTION, *KEEPING[3:]),
)
MERGED = (MERGE_STEPS[0], MERGE_STEPS[3], MERGE[3], COMMENT[3])
"""What ``make test`` dies at, in the order in which a run comes by: a step that is over is not done again."""


async def opens_one_pull_request(world: World, *points: str) -> None:
    """A run that dies at each of the points, in this order."""
    async with Supervisor(world, points) as supervisor:
        handle = await world.start()
        result = await asyncio.wait_for(handle.result(), 60 + 25 * len(points))
        assert RunStatus.PR_OPENED is result.status, result.reason
        assert [] == supervisor.missed
        assert [1] == [pull["number"] for pull in world.pulls()]
        assert [-9] * len(points) == supervisor.deaths
        await check_world(world, started=[handle.id])


async def escalates_once(world: World, *points: str) -> None:
    """A run whose coder touches a protected path, and that dies at each of the points."""
    async with Supervisor(world, points, HOSTILE_WORKER) as supervisor:
        handle = await world.start()
        result = await asyncio.wait_for(handle.result(), 60 + 25 * len(points))
        assert RunStatus.ESCALATED is result.status, result.reason
        assert [] == world.pulls()
        await close_incident(world, incident_id(result.run_id, Trigger.POLICY_VIOLATION), 60 + 25 * len(points))
        assert [] == supervisor.missed
        tickets = (world.settings.home / "forge" / "demo" / "tickets").glob("*.json")
        keys = [json.loads(ticket.read_text())["runKey"] for ticket in tickets]
        assert 1 == len([key for key in keys if not key.startswith("dashboard/")])
        await check_world(world, at_least=0, started=[handle.id])


async def reports_the_budget_once(world: World, *points: str) -> None:
    """A second run on a day of one run: refused, with one report, though the worker dies at each of the points."""
    policy = world.settings.policies / "autopilot.toml"
    policy.write_text(policy.read_text().replace("runs_per_day = 10", "runs_per_day = 1"))
    async with Supervisor(world, points) as supervisor:
        first = await world.run()
        second = await world.run(again=True)
        assert (RunStatus.PR_OPENED, RunStatus.REFUSED) == (first.status, second.status)

        async def reports() -> tuple[object, ...]:
            view = await world.status()
            return view.budget.reports if view.budget else ()

        assert 1 == len(await world.until(reports, 60 + 25 * len(points)))
        assert [] == supervisor.missed
    folder = world.settings.artifacts / "runs" / first.run_id
    assert 1 == len(list(folder.rglob("budget_alert_report.json")))


async def keeps_one_dashboard(world: World, *points: str) -> None:
    """Looks while the worker dies at each of the points: one ticket that says what is true."""
    async with Supervisor(world, ()):
        run = await world.run(mode="DRY_RUN")
        assert RunStatus.DRY_RUN_COMPLETE is run.status
    async with Supervisor(world, points) as supervisor:
        folder = world.settings.home / "forge" / "demo" / "tickets"

        async def right() -> bool:
            await composition.refresh_dashboards(world.client, "demo")
            found = [json.loads(path.read_text()) for path in folder.glob("[0-9]*.json")]
            if supervisor.missed:
                for record in found:
                    # A person writes into it: each look has something to do, until the worker died everywhere.
                    wrong = json.dumps(record | {"body": "not so"})
                    (folder / f"{record['number']}.json").write_text(wrong)
            await asyncio.sleep(1)
            return len(supervisor.deaths) == len(points) and ["dashboard/demo"] == [
                record["runKey"] for record in found if run.run_id in record["body"]
            ]

        await world.until(right, 60 + 40 * len(points))
        assert [-9] * len(points) == supervisor.deaths
        assert [1] == [int(path.stem) for path in folder.glob("[0-9]*.json")]
        # The last death may have cut off the target's own log: its next attempt comes after a missed heartbeat.
        await check_world(world, patience=60)


async def close_incident(world: World, incident: str, seconds: float) -> None:
    """A person fills in the report and closes it, whoever dies meanwhile."""
    handle = world.client.get_workflow_handle(api.incident_id("demo", incident))
    words = dict.fromkeys(("impact", "root_cause", "remediation", "prevention"), "as found")
    facts = HumanFacts(
        actor="ann", owner="ann", due_on=(datetime.now(UTC) + timedelta(days=9)).date().isoformat(), **words
    )

    async def done(update: str, said: HumanFacts | CloseRequest) -> bool:
        try:
            answer = await handle.execute_update(update, said, result_type=Answer, rpc_timeout=timedelta(seconds=20))
        except WorkflowUpdateRPCTimeoutOrCancelledError:
            # Its worker is dying just now; said twice is said once.
            return False
        return answer.accepted

    await world.until(lambda: done(api.EDIT, facts), seconds)
    await world.until(lambda: done(api.CLOSE, CloseRequest(actor="ann", reason="all is said")), seconds)

    async def at_rest() -> bool:
        view = await handle.query(api.VIEW, result_type=IncidentView, rpc_timeout=timedelta(seconds=5))
        return view.report.state is IncidentState.CLOSED and not view.waiting_for

    await world.until(at_rest, seconds)


async def pauses_the_schedule_with_the_target(world: World, *points: str) -> None:
    """A pause while the worker dies at each of the points: the Schedule is paused, with our note."""
    async with Supervisor(world, points) as supervisor:
        run = await world.run(mode="DRY_RUN")
        schedule = await world.client.create_schedule(
            api.schedule_id("demo"),
            Schedule(
                action=ScheduleActionStartWorkflow(api.DAILY_RUN, "demo", id="scheduled", task_queue=api.TASK_QUEUE),
                spec=ScheduleSpec(),
            ),
        )
        await composition.pause_target(world.client, "demo", PauseRequest(reason="drill", actor="ann"))

        async def paused() -> bool:
            state = (await schedule.describe()).schedule.state
            all_died = len(supervisor.deaths) == len(points)
            return all_died and state.paused and (state.note or "").startswith(api.SCHEDULE_MARK)

        await world.until(paused, 60 + 25 * len(points))
        assert RunStatus.DRY_RUN_COMPLETE is run.status
        assert [-9] * len(points) == supervisor.deaths


async def removes_once(world: World, *points: str) -> None:
    """The branch of a closed pull request, by a run that dies at each of the points."""
    async with Supervisor(world, ()):
        first = await world.run()
    opened = f"{first.run_id}/open_pull_request"
    change_record(forge_folder(world.settings.home, "demo") / "pulls", opened, look_only=False, state="closed")
    async with Supervisor(world, points) as supervisor:
        await asyncio.wait_for(world.run(again=True), 60 + 25 * len(points))
        assert [] == supervisor.missed
        assert [-9] * len(points) == supervisor.deaths
    assert first.pull_request is not None
    assert f"refs/heads/{first.pull_request.branch}" not in world.refs("demo")


async def merges_once(world: World, *points: str) -> None:
    """A SELECTIVE_AUTO run that dies at each of the points."""
    auto.permit(world)
    world.write_target("demo", auto.CHECKS + auto.PROBES)
    async with Supervisor(world, ()):
        await auto.opened(world, "demo")
    async with Supervisor(world, points, WORKER) as supervisor:
        handle = await world.start()
        result = await asyncio.wait_for(handle.result(), 90 + 25 * len(points))
        assert RunStatus.MERGED is result.status, result.reason
        assert [] == supervisor.missed
        remote = world.remote
        ours = git("rev-list", "--count", "--merges", "main", cwd=remote)
        assert "1" == ours
        [said] = read_comments(forge_folder(world.settings.home, "demo") / "pulls", 1)
        assert "**Merged by itself**" in said.body
        assert [-9] * len(points) == supervisor.deaths
        await check_world(world, started=[handle.id])


def test_every_point_is_swept() -> None:
    """A point nobody tries would be a promise nobody keeps."""
    others = {
        "admit.after_answer",
        *ENDING,
        *STEPS,
        *DELIVERY,
        *MINDING,
        *SPENDING,
        *BUDGET,
        *MERGE,
        *MERGE_STEPS,
        *COMMENT,
        *REMOVAL,
    }
    assert set(POINTS) == {
        *PUSH,
        *PULL,
        *ESCALATION,
        *others,
        *ROLLBACK,
        *CI,
        *UPDATE_PULL,
        *DASHBOARD,
        *TRIALS,
        *EXCHANGE,
        *REVIEW,
    }


def test_each_write_and_each_moment_of_one_is_tried() -> None:
    """By pairs: every write dies after it acted, and one of them at each moment; `make test-sweep` tries the product.

    Around an effect all writes are one and the same code; what is their own is finding what they did.
    """
    tried = {*CLOSED_BY_CI, *UNDONE, *UNDONE_BY_PULL, *MERGED, REMOVAL[3], *DASHBOARD[2:4]}
    tried |= {point for chain in (*OPENED, *ESCALATED) for point in chain}
    # An update of a pull request is swept on a Gitea alone, all of it.
    writes = {point.partition(".")[0] for point in POINTS - {*UPDATE_PULL} if point.endswith(".before_begin")}
    assert {f"{write}.after_effect" for write in writes} <= tried
    assert set(MOMENTS) <= {point.partition(".")[2] for point in tried if point.partition(".")[0] in writes}
    assert {*ENDING, *RESPONSE, *COLLECTION, *KEEPING} <= tried


async def test_effects_happen_once_whenever_the_worker_dies(make: MakeWorld) -> None:
    """P7: the moments around an effect, and the ending; several deaths of one run, three runs side by side."""
    # Control's check-up is kept slow here: quick, it settles by itself what the next attempt should settle.
    worlds = [await make(f"world-{number}", reap_seconds=600) for number in range(len(OPENED))]
    await asyncio.gather(*(opens_one_pull_request(world, *chain) for world, chain in zip(worlds, OPENED, strict=True)))


async def test_a_violation_is_escalated_once_whenever_the_worker_dies(make: MakeWorld) -> None:
    """P7: everything paused, one incident, one bundle, one ticket, one report, closed once."""
    worlds = [await make(f"world-{number}", reap_seconds=600) for number in range(len(ESCALATED))]
    await asyncio.gather(*(escalates_once(world, *chain) for world, chain in zip(worlds, ESCALATED, strict=True)))


async def test_money_is_booked_once_whenever_the_worker_dies(make: MakeWorld) -> None:
    """P9: between reserve and settle, the next attempt books the lost one and goes on; nothing stays reserved."""
    spending, reporting = await make("spending", reap_seconds=600), await make("reporting")
    await asyncio.gather(opens_one_pull_request(spending, *SPENDING), reports_the_budget_once(reporting, *BUDGET))


async def test_a_schedule_is_paused_whenever_the_worker_dies(make: MakeWorld) -> None:
    """§7: found done, or done again; the note is the same."""
    await pauses_the_schedule_with_the_target(await make("world", reap_seconds=600), *MINDING)


async def test_a_merge_happens_once_whenever_the_worker_dies(make: MakeWorld) -> None:
    """P7: killed before it, in its canary, right after it, and after its comment: exactly one merge."""
    await merges_once(await make("world", reap_seconds=600), *MERGED)


async def test_a_branch_is_removed_once_whenever_the_worker_dies(make: MakeWorld) -> None:
    """P7: gone is done, whoever removed it; the run ends all the same."""
    await removes_once(await make("world", reap_seconds=600), REMOVAL[3])


async def test_a_dashboard_stays_one_ticket_whenever_the_worker_dies(make: MakeWorld) -> None:
    """Issue 6, line 6: never a second one, and right in the end."""
    await keeps_one_dashboard(await make("world", reap_seconds=600), *DASHBOARD[2:4])


@pytest.mark.sweep
@pytest.mark.parametrize("point", sorted(POINTS - ({*DELIVERY, *ELSEWHERE} - {*ESCALATION})))
async def test_sweep(world: World, point: str) -> None:
    """Every point alone, each in a world of its own."""
    if point in DASHBOARD:
        await keeps_one_dashboard(world, point)
        return
    if point in REMOVAL:
        await removes_once(world, point)
        return
    if point in MINDING:
        await pauses_the_schedule_with_the_target(world, point)
        return
    program = HOSTILE_WORKER if point in ESCALATION else WORKER
    if point in BUDGET:
        await reports_the_budget_once(world, point)
        return
    if point in {*MERGE, *MERGE_STEPS, *COMMENT}:
        await merges_once(world, point)
    else:
        await (escalates_once if program is HOSTILE_WORKER else opens_one_pull_request)(world, point)
