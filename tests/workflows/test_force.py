"""Terminate, Cancel and Reset of the flows that the guide's table of force names (A9); more of it in `tests/chaos`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from aftermath import BROKEN, after_a_run, hasten
from aftermath import CHECK as NAMES
from ci_forge import ANY, CiResults, with_ci
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle
from world import World, git

import composition
from activities.step_session import StepPorts
from adapters.store.chained_log import ChainedLog
from contracts.admission import RunResult
from contracts.alert import Alert
from contracts.dashboard import ShownOutcome
from contracts.effect import Effect
from contracts.forge_facts import CheckState, CommitCheck
from contracts.modes import Mode, RunStatus, StepName, WriteAction
from contracts.rollback import TargetMemory
from tests.workflows import alert_desk, auto, dashboard_desk
from tests.workflows.conversation import follow_up_waits, open_target
from tests.workflows.quick import CHECK, FILES, Stopping, Turnstile, add_target, quick, stopping
from tests.workflows.raw import reset
from workflows import api

NO_CI = "\n[ci]\nfirst_seconds = 0\n"
CI = '\n[ci]\nrequired = ["ci/test"]\nminutes = 10\nevery_seconds = 2\nfirst_seconds = 0\n'
PLACES = ("canary", "gate", "push", "landing")
"""The targets, each named after where its run stands when somebody uses force."""


@dataclass
class Acting:
    """The real effects; a turnstile before and behind each, under its action's name."""

    real: Any
    turnstile: Turnstile

    def perform(self, target: Any, effect: Effect, *given: Any, **named: Any) -> Any:
        """Stand still, act, stand still again."""
        self.turnstile.passing(effect.action)
        result = self.real.perform(target, effect, *given, **named)
        self.turnstile.passing(f"{effect.action} done")
        return result


def four_places(world: World, turnstile: Turnstile) -> tuple[StepPorts, CiResults]:
    """Of four targets two merge by themselves; the forge's CI says nothing of the pull request of one."""
    auto.permit(world, canary_seconds=1)
    hasten(world, reap_seconds=1)
    for name in ("canary", "landing"):
        auto.add_target(world, name, auto.PROBES + NO_CI)
    world.add_target("push", FILES, NO_CI + CHECK)
    world.add_target("gate", FILES, CI + CHECK)
    results, plain = CiResults(world.root / "ci.json"), world.bench()
    results.report(base(world, "gate"), CommitCheck(name="ci/test", state=CheckState.GREEN))
    store = Stopping(plain.store, turnstile)
    forges = with_ci(plain.forges, results, lambda _commit: None)
    return quick(world, store=store, effects=Acting(plain.effects, turnstile), forges=forges), results


def base(world: World, name: str) -> str:
    """Where a target's base branch is."""
    return world.refs(name)["refs/heads/main"]


async def standing(world: World, turnstile: Turnstile) -> dict[str, WorkflowHandle[Any, RunResult]]:
    """A run of each target, in its place."""
    for name in ("canary", "landing"):
        await auto.opened(world, name)
    turnstile.close(canary="probe_canary", push=WriteAction.PUSH_BRANCH, landing=WriteAction.MERGE)
    handles = {name: await world.start(name, workflow_id=name) for name in PLACES}
    await world.until(turnstile.all_reached())

    async def at_the_gate() -> bool:
        return (await world.state(handles["gate"])).step is StepName.CI

    await world.until(at_the_gate)
    return handles


@pytest.mark.parametrize(
    "terminated",
    [{"canary", "push"}, pytest.param({"gate", "landing"}, marks=pytest.mark.sweep)],
    ids=["canary and push", "gate and landing"],
)
async def test_a_run_ended_by_force_is_closed_and_its_pull_request_followed(world: World, terminated: set[str]) -> None:
    """In the canary, the CI gate, a push and a merge: nothing more moves, its end is told, its pull request watched.

    Two are terminated, the others cancelled.
    """
    turnstile = Turnstile()
    bench, _ = four_places(world, turnstile)
    before = {name: base(world, name) for name in PLACES}
    async with world.worker(bench):
        for name, handle in (await standing(world, turnstile)).items():
            await (handle.terminate("an operator tries") if name in terminated else handle.cancel())
        ended = {name: RunStatus.LOST if name in terminated else RunStatus.CANCELLED for name in PLACES}

        async def closed(name: str) -> str:
            view = await world.status(name)
            found = (run.run_id for run in view.recent if run.status is ended[name])
            return "" if view.active or view.writes_in_flight else next(found, "")

        runs = {name: await world.until(lambda name=name: closed(name)) for name in PLACES}
        turnstile.open()
        # A push that did not begin left nothing to follow.
        for name in set(PLACES) - {"push"}:
            assert await follow_up_waits(world, runs[name])
    assert {name: str(status) for name, status in ended.items()} == {
        name: world.artifact(run_id, "run_report.json")["status"] for name, run_id in runs.items()
    }
    assert before == {name: base(world, name) for name in PLACES}
    assert {name: 1 if name != "push" else 0 for name in PLACES} == {name: len(world.pulls(name)) for name in PLACES}


async def test_a_run_that_was_reset_does_nothing_twice(world: World) -> None:
    """In the canary, the CI gate, a push and a merge: the new execution goes the same way to its one end."""
    turnstile = Turnstile()
    bench, results = four_places(world, turnstile)
    before = {name: base(world, name) for name in PLACES}
    async with world.worker(bench):
        for name in await standing(world, turnstile):
            await reset(world, name, 0)
        results.report(ANY, CommitCheck(name="ci/test", state=CheckState.GREEN))
        turnstile.open()
        latest = {name: world.client.get_workflow_handle(name, result_type=RunResult) for name in PLACES}
        ends = {name: (await handle.result()).status for name, handle in latest.items()}
        recent = {name: (await world.status(name)).recent for name in PLACES}
    merged = {"canary", "landing"}
    # The write that was in flight goes on: where it landed before the new execution looked, there is nothing to do.
    landed = ends["landing"] if ends["landing"] is RunStatus.NOTHING_TO_DO else RunStatus.MERGED
    expected = {name: RunStatus.MERGED if name in merged else RunStatus.PR_OPENED for name in PLACES}
    assert expected | {"landing": landed} == ends
    assert dict.fromkeys(PLACES, 1) == {name: len(world.pulls(name)) for name in PLACES}
    assert dict.fromkeys(PLACES, 1) == {
        name: sum(run.mode is not Mode.DRY_RUN for run in runs) for name, runs in recent.items()
    }
    for name in PLACES:
        new = git("rev-list", "--first-parent", f"{before[name]}..main", cwd=world.root / f"{name}.git").split()
        assert (1 if name in merged else 0) == len(new), name


@pytest.mark.parametrize("force", ["cancel", pytest.param("reset", marks=pytest.mark.sweep)])
async def test_a_follow_up_goes_on_and_tells_its_end_once(world: World, force: str) -> None:
    """Cancelled, Control starts it again; reset, it looks again from its beginning."""
    hasten(world, reap_seconds=1)
    add_target(world, "quick", head="\n[environment]\nbuild = false\n")
    async with world.worker(quick(world)):
        run = await world.run("quick")
        first = await follow_up_waits(world, run.run_id)
        follow_up = world.client.get_workflow_handle(api.follow_up_id(run.run_id))
        if force == "cancel":
            await follow_up.cancel()
        else:
            await reset(world, follow_up.id, 0)
        await follow_up_waits(world, run.run_id, not_run=first)
        git("update-ref", "-d", world.autonomy_branches("quick")[0], cwd=world.root / "quick.git")
        await follow_up.signal(api.REFRESH)

        async def told() -> list[str]:
            records = ChainedLog(world.settings.artifacts).records("target/quick")
            return [str(record.facts["outcome"]) for record in records if record.event == "follow-up ended"]

        outcomes = await world.until(told)
    assert [True] == [outcome.startswith("closed by") for outcome in outcomes]


async def test_a_cancelled_rollback_is_called_over_and_writes_nothing(world: World) -> None:
    """Between its clearance and its effect: ESCALATED, on the incident too, and the base stays where it was."""
    hasten(world, write_seconds=5, reap_seconds=1)
    world.write_target("demo", "\n[environment]\nbuild = false\n" + NAMES, rollback_strategy="revert_commit")
    turnstile = Turnstile()
    async with world.worker(stopping(world, turnstile)):
        after = await after_a_run(world)
        merged = await after.merge(BROKEN)
        turnstile.close(**{api.rollback_id(after.run.run_id): "effect"})
        assert (await after.order()).accepted
        await world.until(turnstile.all_reached())
        await after.rollback().cancel()

        async def over() -> bool:
            kept: TargetMemory = await world.control().query(api.AFTERCARE, result_type=TargetMemory)
            quiet = not (await world.status()).writes_in_flight
            return quiet and [merge.stage for merge in kept.merges] == ["escalated"]

        await world.until(over)
        (incident,) = (await world.status()).incidents
        described = await after.rollback().describe()
    assert (merged.merge_sha, WorkflowExecutionStatus.CANCELED) == (after.head(), described.status)
    assert incident.rollback is not None
    assert ("escalated", True) == (incident.rollback.outcome, "CANCELED" in incident.rollback.reason)


async def test_a_reset_rollback_adopts_what_it_wrote(world: World) -> None:
    """Right after its revert landed: that is found, not made again, and the rollback ends restored."""
    hasten(world, write_seconds=5, reap_seconds=1)
    world.write_target("demo", "\n[environment]\nbuild = false\n" + NAMES, rollback_strategy="revert_commit")
    turnstile = Turnstile()
    async with world.worker(quick(world, effects=Acting(world.bench().effects, turnstile))):
        after = await after_a_run(world)
        healthy = after.tree()
        merged = await after.merge(BROKEN)
        turnstile.close(**{api.rollback_id(after.run.run_id): f"{WriteAction.REVERT} done"})
        assert (await after.order()).accepted
        await world.until(turnstile.all_reached())
        await reset(world, after.rollback().id, 0)
        turnstile.open()

        async def stage() -> str:
            kept: TargetMemory = await world.control().query(api.AFTERCARE, result_type=TargetMemory)
            return str(kept.merges[0].stage) if kept.merges[0].stage in {"restored", "escalated"} else ""

        ended = await world.until(stage)
        new = git("rev-list", "--first-parent", f"{merged.merge_sha}..main", cwd=world.remote).split()
    assert ("restored", healthy, 1) == (ended, after.tree(), len(new))


@pytest.mark.parametrize("force", [pytest.param("terminate", marks=pytest.mark.sweep), "reset"])
async def test_the_dashboards_go_on_with_the_one_ticket(world: World, force: str) -> None:
    """Terminated: started again as by the next worker. Either way the ticket is found, not opened twice."""
    add_target(world, "quick")
    async with world.worker(quick(world)):
        await open_target(world, "quick")
        await dashboard_desk.outcome(world)
        first = await _forced(world, dashboard_desk.handle(world), force)
        assert ShownOutcome.UNCHANGED is await dashboard_desk.outcome(world)
        assert first != (await dashboard_desk.handle(world).describe()).run_id
    assert 1 == len(dashboard_desk.tickets(world))


@pytest.mark.parametrize("force", ["terminate", pytest.param("reset", marks=pytest.mark.sweep)])
async def test_alerts_deliver_what_comes_after(world: World, force: str) -> None:
    """Terminated: the next alert starts it again. Reset: see also `tests/chaos/test_aftercare_resets.py`."""
    alert_desk.configure(world)
    async with world.worker():
        await alert_desk.begin(world)
        await alert_desk.alerts(world)
        first = await _forced(world, alert_desk.handle(world), force)
        told = Alert(kind="run_failed", target="demo", summary="after", fingerprint="run_failed/after")
        await composition.raise_alert(world.client, told)
        await alert_desk.settled(world)
        assert first != (await alert_desk.handle(world).describe()).run_id
    assert [told.fingerprint] == [line["fingerprint"] for line in alert_desk.lines(world)]


async def _forced(world: World, handle: WorkflowHandle[Any, Any], force: str) -> str:
    """What somebody clicks; returns which execution that was."""
    execution = (await handle.describe()).run_id
    await (handle.terminate("an operator tries") if force == "terminate" else reset(world, handle.id, 0))
    return execution
