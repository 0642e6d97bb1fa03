"""Record one history of each way a durable conversation may go: ``python tests/replay/record.py``; or parts of them.

Run it after a change that is allowed to break open runs (before the first release), and commit what it writes.
Otherwise a history that does not replay any more means: guard the change with ``workflow.patched``.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "chaos"))

import three_rounds
from aftermath import hasten
from ci_forge import ANY, CiResults, with_ci
from faulty import PLAIN, prepare
from recorder import HISTORIES, PATIENCE, Recorder
from temporalio.client import WorkflowFailureError
from three_rounds import Door
from world import PACKAGE, ScriptedAgent, World, git, make_world

import composition
from commands.leaving import leave
from contracts.admission import RunResult
from contracts.budget import CapsRequest, Measure, Period
from contracts.control import Answer
from contracts.forge_facts import CheckState, CommitCheck
from contracts.incident import CloseRequest, HumanFacts, IncidentView, Trigger, incident_id
from contracts.modes import PauseStyle, Role, RunStatus
from contracts.rollback import FollowUpEnd, RollbackOutcome, RollbackResult
from demo.careless_agent import CarelessAgent
from demo.production import Production, served
from demo.scripted_model import ScriptedModel
from ports.agents import Agent, Brief, Meter
from tests.workflows import auto
from workflows import api

CLEAN = {"pkg/__init__.py": '"""Names."""\n\n\ndef names():\n    """Return the names."""\n    return ["a", "b"]\n'}
RED = '\n[environment]\nbuild = false\n[[checks]]\nname = "red"\nkind = "tests"\nargv = ["false"]\n'


def broken(_brief: Brief) -> str:
    """An answer no contract accepts."""
    return "not JSON"


async def runs(recorder: Recorder) -> None:
    """Each end of a DailyRun."""
    world = recorder.world
    world.add_target("clean", CLEAN, PLAIN)
    world.add_target("red", PACKAGE, RED)
    async with world.worker():
        await recorder.run("run-dry", RunStatus.DRY_RUN_COMPLETE, mode="DRY_RUN")
        await recorder.run("run-pr", RunStatus.PR_OPENED)
        await recorder.run("run-already-ran", RunStatus.ALREADY_RAN)
        await recorder.run("run-nothing-to-do", RunStatus.NOTHING_TO_DO, "clean")
        await recorder.run("run-refused", RunStatus.REFUSED, "red")
    async with scripted(world, {Role.CODING: lambda _brief: '{"summary": "nothing"}'}):
        await recorder.run("run-rejected", RunStatus.REJECTED, again=True)
    async with scripted(world, {Role.TRIAGING: broken}):
        await recorder.run("run-failed", RunStatus.FAILED, again=True)


async def pauses(recorder: Recorder, *targets: str) -> None:
    """Each style of pause, a cancel by hand, the ladder; all of one target, or each of its own."""
    world = recorder.world
    aborted, drained, checked, by_hand = targets or ("demo",) * 4
    async with world.worker(auto.quick(world)):
        for name, target, style, status in (
            ("run-aborted", aborted, PauseStyle.ABORT, RunStatus.CANCELLED),
            ("run-drained", drained, PauseStyle.DRAIN, RunStatus.PAUSED),
        ):
            handle = await world.start(target, again=True)
            await recorder.pause(style, target)
            result = await asyncio.wait_for(handle.result(), PATIENCE)
            assert status is result.status, result.reason
            await recorder.keep(name, handle)
            await recorder.resume(target)
        held = await world.start(checked, again=True)
        await recorder.pause(PauseStyle.CHECKPOINT, checked)
        await recorder.resume(checked)
        assert (await asyncio.wait_for(held.result(), PATIENCE)).status in {
            RunStatus.PR_OPENED,
            RunStatus.NOTHING_TO_DO,
        }
        await recorder.keep("run-held-and-resumed", held)
        cancelled = await world.start(by_hand, again=True)
        await recorder.active(by_hand)
        await cancelled.cancel()
        try:
            await asyncio.wait_for(cancelled.result(), PATIENCE)
        except WorkflowFailureError:
            await recorder.keep("run-cancelled", cancelled)
        else:
            raise AssertionError("the run ended before its cancellation came: record again")
        for target in sorted({aborted, drained, checked, by_hand}):
            await recorder.keep("control-paused-and-resumed", world.control(target))


async def violation(recorder: Recorder) -> None:
    """A protected path is touched: everything pauses, and opens again for the whole installation."""
    world = recorder.world
    world.add_target("victim", PACKAGE, PLAIN)
    async with world.worker(world.bench(agent=CarelessAgent)):
        escalated = await recorder.run("run-escalated", RunStatus.ESCALATED, "victim")
    async with world.worker(auto.quick(world)):
        await incident(recorder, incident_id(escalated.run_id, Trigger.POLICY_VIOLATION))
        await recorder.keep("alerts", world.client.get_workflow_handle(api.ALERTS_ID))
        # Before the resume: with the ladder it would be too large to keep.
        await recorder.keep("control-incident", await recorder.first_run(api.control_id("victim")))
        await recorder.resume("victim", api.INSTALLATION_ID)
        await recorder.keep("installation-paused-and-resumed", world.client.get_workflow_handle(api.INSTALLATION_ID))


async def incident(recorder: Recorder, name: str) -> None:
    """A report is refused while half filled, then closed; its prevention ends it."""
    handle = recorder.world.client.get_workflow_handle(api.incident_id("victim", name))
    words = dict.fromkeys(("impact", "root_cause", "remediation", "prevention"), "recorded")
    said = CloseRequest(actor="recorder", reason="to be recorded")

    async def ticketed() -> bool:
        view = await handle.query(api.VIEW, result_type=IncidentView)
        return bool(view.report.ticket and not view.waiting_for)

    await recorder.world.until(ticketed, PATIENCE)
    refused: Answer = await handle.execute_update(api.CLOSE, said, result_type=Answer)
    assert not refused.accepted
    facts = HumanFacts(
        actor="recorder", owner="recorder", due_on=(datetime.now(UTC) + timedelta(days=30)).date().isoformat(), **words
    )
    for update, asked in ((api.EDIT, facts), (api.CLOSE, said), (api.PREVENTED, said)):
        answer: Answer = await handle.execute_update(update, asked, result_type=Answer)
        assert answer.accepted, answer.verdict.reason
    await asyncio.wait_for(handle.result(), PATIENCE)
    await recorder.keep("incident-done", handle)


async def budget(recorder: Recorder) -> None:
    """A run waits where its money ends, and goes on when a person raises the cap."""
    world = recorder.world
    world.add_target("poor", PACKAGE, PLAIN)
    charter = world.settings.policies / "charter.toml"
    before = charter.read_text()
    charter.write_text(before.replace("usd = 0.0", "usd = 2.0"))

    def pay(brief: Brief) -> None:
        brief.meter.spent(usd=2.0, tokens=0)

    async with world.worker(world.bench(agent=lambda real: PayingAgent(real, pay))):
        handle = await world.start("poor")

        async def held() -> str:
            view = await world.state(handle)
            return view.run.run_id if view.run and view.status is RunStatus.HELD else ""

        run_id = await world.until(held)
        asked = CapsRequest(
            expected_epoch=(await world.status("poor")).epoch,
            period=Period.RUN,
            measure=Measure.USD,
            cap=100,
            run_id=run_id,
            reason="to be recorded",
            actor="recorder",
        )
        answer: Answer = await world.control("poor").execute_update(api.SET_CAPS, asked, result_type=Answer)
        assert answer.accepted, answer.verdict.reason
        result = await asyncio.wait_for(handle.result(), PATIENCE)
        assert result.status is RunStatus.PR_OPENED, result.reason
    await recorder.keep("run-held-by-its-budget", handle)
    await recorder.keep("control-budget", await recorder.first_run(api.control_id("poor")))
    charter.write_text(before)


@dataclass(frozen=True)
class PayingAgent:
    """The honest agent, for money."""

    real: Agent
    pay: Callable[[Brief], None]
    name: str = "paying"

    def answer(self, brief: Brief) -> str:
        """As the honest one; the meter is told."""
        answer = self.real.answer(replace(brief, meter=Meter()))
        self.pay(brief)
        return answer


async def long_control(recorder: Recorder) -> None:
    """A Control whose history gets long hands its books on."""
    world = recorder.world
    world.add_target("long", CLEAN, PLAIN)
    async with world.worker():
        await world.run("long")
        first = world.client.get_workflow_handle(
            api.control_id("long"), run_id=(await world.control("long").describe()).run_id
        )
        while (await world.control("long").describe()).run_id == first.run_id:
            for _ in range(10):
                await world.control("long").signal("nonsense", "again")
            await asyncio.sleep(0.2)
        await recorder.keep("control-continued-as-new", first)
        await world.until(lambda: world.status("long"))
        await recorder.keep("control-with-handed-on-books", world.control("long"))


async def merges(recorder: Recorder) -> None:
    """A merge that proves healthy, and one that production does not bear."""
    world = recorder.world
    prepare_merges(world)
    auto.add_target(world, "merging")
    async with world.worker(auto.quick(world)):
        await auto.opened(world, "merging")
        merged = await recorder.run("run-merged", RunStatus.MERGED, "merging")
        await followed(recorder, "follow-up-healthy", merged, "healthy")
    await breaks(recorder)


def prepare_merges(world: World) -> None:
    """Merges by itself, and looks after them within seconds."""
    auto.permit(world)
    hasten(world, write_seconds=30)


async def breaks(recorder: Recorder) -> None:
    """A merge that production does not bear, rolled back."""
    world = recorder.world
    auto.add_target(world, "breaking")
    with served(Production.of(world.root / "breaking.git")) as url:
        world.write_target("breaking", f'{auto.CHECKS}\n[[probes]]\nname = "production"\nurl = "{url}"\n')
        async with world.worker(auto.quick(world)):
            await auto.opened(world, "breaking")
            broken = await world.run("breaking")
            await followed(recorder, "follow-up-regression", broken, "regression")
            rollback = world.client.get_workflow_handle(api.rollback_id(broken.run_id), result_type=RollbackResult)
            await world.until(rollback.describe)
            result = await asyncio.wait_for(rollback.result(), PATIENCE)
            assert result.outcome is RollbackOutcome.RESTORED, result.reason
            await recorder.keep("rollback-restored", rollback)
            await recorder.resume("breaking")
            await recorder.keep("control-rolled-back-and-resumed", world.control("breaking"))


async def persons_merge(recorder: Recorder) -> None:
    """A pull request that waits, is looked at a few times, and is merged by a person."""
    world = recorder.world
    world.add_target("asked", PACKAGE, PLAIN)
    async with world.worker():
        result: RunResult = await asyncio.wait_for((await world.start("asked")).result(), PATIENCE)
        assert result.status is RunStatus.PR_OPENED, result.reason
        follow_up = world.client.get_workflow_handle(api.follow_up_id(result.run_id))
        await world.until(follow_up.describe)
        await asyncio.sleep(3)
        (branch,) = world.autonomy_branches("asked")
        git("push", "--quiet", ".", f"{branch}:refs/heads/main", cwd=world.root / "asked.git")
        await followed(recorder, "follow-up-of-a-persons-merge", result, "merged by Autonomy; healthy")


async def dashboards(recorder: Recorder) -> None:
    """Looks that write, looks that find nothing to do, one that fails, until the history is long."""
    world = recorder.world
    async with world.worker():
        await composition.start_dashboards(world.client)
        first = world.client.get_workflow_handle(
            api.DASHBOARDS_ID, run_id=(await world.client.get_workflow_handle(api.DASHBOARDS_ID).describe()).run_id
        )
        await world.run("demo", mode="DRY_RUN", again=True)
        broken = world.settings.policies / "targets" / "broken.toml"
        broken.write_text("broken")
        while (await world.client.get_workflow_handle(api.DASHBOARDS_ID).describe()).run_id == first.run_id:
            await composition.refresh_dashboards(world.client, "demo")
            await asyncio.sleep(0.2)
        await recorder.keep("dashboards-continued-as-new", first)
        broken.unlink()


async def weekly_review(recorder: Recorder) -> None:
    """Of an installation that did nothing yet."""
    async with recorder.world.worker():
        handle = await recorder.world.client.start_workflow(
            api.GOVERNANCE_REVIEW, {"days": 7}, id=api.GOVERNANCE_REVIEW_ID, task_queue=api.TASK_QUEUE
        )
        await asyncio.wait_for(handle.result(), PATIENCE)
        await recorder.keep("governance-review", handle)


async def expansion(recorder: Recorder) -> None:
    """A source that is tried by two fetches with a timer between, judged and not promoted: it names no fallback."""
    world = recorder.world
    world.add_target("sourced", CLEAN | {"data/days.json": "[]\n"}, PLAIN)
    file = world.settings.policies / "sources.toml"
    file.write_text(
        "[trial]\nfetches = 2\nhours_between = 0.001\nat_least = 1\n"
        '[[sources]]\nname = "days"\nlicence = "CC0-1.0"\ntargets = ["sourced"]\n'
        'repository.path = "data/days.json"\nfile.path = "data/days.json"\n'
    )
    async with world.worker():
        handle = await world.client.start_workflow(
            api.SOURCE_EXPANSION,
            {"target": "sourced"},
            id=api.source_expansion_id("sourced"),
            task_queue=api.TASK_QUEUE,
            result_type=RunResult,
        )
        assert RunStatus.REJECTED is (await asyncio.wait_for(handle.result(), PATIENCE)).status
        await recorder.keep("source-expansion", handle)
    file.unlink()


async def in_ci(recorder: Recorder) -> None:
    """Runs that wait for the forge's CI: pending, then green; and red, which closes the pull request."""
    world, results = recorder.world, CiResults(recorder.world.root / "ci.json")
    world.add_target("ci", PACKAGE, '\n[ci]\nrequired = ["ci/test"]\nminutes = 5\nevery_seconds = 1\n' + PLAIN)
    green, pending, red = (
        CommitCheck(name="ci/test", state=CheckState(state)) for state in ("green", "pending", "red")
    )
    results.report(world.refs("ci")["refs/heads/main"], green)
    async with world.worker(world.bench(forges=with_ci(world.bench().forges, results))):
        results.report(ANY, pending)
        handle = await world.start("ci")

        async def waits() -> bool:
            return "pending: ci/test" in (await world.state(handle)).reason

        await world.until(waits)
        results.report(ANY, green)
        result: RunResult = await asyncio.wait_for(handle.result(), PATIENCE)
        assert result.status is RunStatus.PR_OPENED, result.reason
        await recorder.keep("run-green-in-ci", handle)
        results.report(ANY, red)
        await recorder.run("run-rejected-by-ci", RunStatus.REJECTED, "ci", again=True)


async def followed(recorder: Recorder, name: str, run: RunResult, outcome: str) -> None:
    """The ``FollowUp`` that Control started, to its end."""
    handle = recorder.world.client.get_workflow_handle(api.follow_up_id(run.run_id), result_type=FollowUpEnd)
    await recorder.world.until(handle.describe)
    end = await asyncio.wait_for(handle.result(), PATIENCE)
    assert end.outcome == outcome, end
    await recorder.keep(name, handle)


async def rounds(recorder: Recorder) -> None:
    """A program codes, a model reviews: three rounds, a pause in the second one's exchange, the run's and Control's."""
    world, door = recorder.world, Door(at=3)
    three_rounds.add_target(world, red=False)
    with ScriptedModel(decide=door.answer) as model:
        three_rounds.appoint(world, model.url)
        async with world.worker():
            handle = await world.start(three_rounds.TARGET, mode="DRY_RUN", asked={"text": "Say how many it holds"})
            assert await asyncio.to_thread(door.reached.wait, PATIENCE)
            await recorder.pause(PauseStyle.CHECKPOINT, three_rounds.TARGET)
            door.opened.set()

            async def quiescent() -> bool:
                return (await world.status(three_rounds.TARGET)).quiescent

            await world.until(quiescent, PATIENCE)
            await recorder.resume(three_rounds.TARGET)
            result = await asyncio.wait_for(handle.result(), PATIENCE)
            assert result.status is RunStatus.DRY_RUN_COMPLETE, result.reason
            await recorder.keep("run-in-rounds", handle)
            await recorder.keep("control-of-exchanges", await recorder.first_run(api.control_id(three_rounds.TARGET)))


def scripted(world: World, answers: dict[str, Any]) -> Any:
    """A worker with agents that say what is wanted."""

    def agent(real: Agent) -> Agent:
        return ScriptedAgent(real, answers=answers)

    return world.worker(world.bench(agent=agent))


@asynccontextmanager
async def fresh_world(root: Path) -> AsyncIterator[World]:
    """A server and a world of our own."""
    settings = {"limit.historyCount.suggestContinueAsNew": "400"}
    server = await composition.start_embedded_server(None, root / "server.log", settings=settings)
    try:
        yield prepare(await make_world(root / "world", server.address, root / "environments"))
    finally:
        await server.stop()


PARTS = (runs, pauses, violation, budget, long_control, merges, persons_merge, dashboards, in_ci, weekly_review)
PARTS = (*PARTS, expansion, rounds)


async def main(names: Sequence[str]) -> int:
    """Record everything anew, or only these parts."""
    for name in [name for name in os.environ if name.startswith(("TEMPORAL_", "AUTONOMY_"))]:
        del os.environ[name]
    if not names:
        shutil.rmtree(HISTORIES, ignore_errors=True)
    HISTORIES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="record-") as folder:
        async with fresh_world(Path(folder)) as world:
            recorder = Recorder(world)
            for part in PARTS:
                if not names or part.__name__ in names:
                    await part(recorder)
    print(f"{len(recorder.recorded)} histories in {HISTORIES}")
    return 0


if __name__ == "__main__":
    leave(asyncio.run(main(sys.argv[1:])))
