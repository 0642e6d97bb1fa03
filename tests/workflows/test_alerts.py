"""Each kind of alert of runbook §9, raised by a whole run or by the watch, once, with its receipt."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.testing import TimeSkipper
from world import World

from contracts.alert import AlertFate
from contracts.modes import RunStatus
from contracts.task import UnreadFile
from ports.agents import Agent, Brief
from ports.measures import Detection, Look
from tests.workflows.alert_desk import alerts, begin, configure, handle, lines, scripted, settled
from tests.workflows.conversation import open_target, pause
from tests.workflows.quick import CHECK, Speller, Turnstile, add_target, quick, stopping


async def test_9_run_failed_is_raised_once_and_delivered(world: World) -> None:
    """§9, run failed: one alert, one line in alerts.jsonl, receipts of both built-in channels."""
    async with world.worker(scripted(world, triaging=lambda brief: "no JSON")):
        result = await world.run("quick")
        found = await settled(world)

    assert RunStatus.FAILED is result.status
    (record,) = found.values()
    assert ("run_failed", AlertFate.DELIVERED, 1) == (record.alert.kind, record.fate, record.times)
    assert [f"run_failed/{result.run_id}"] == [line["fingerprint"] for line in lines(world)]


async def test_9_policy_violation_and_protected_path_touched_inhibit_run_failed(world: World) -> None:
    """§9, policy violation, protected path touched: both go out; the failed run is their consequence."""

    def plant(brief: Brief) -> str:
        assert brief.tree is not None
        said = Speller(None).answer(brief)  # type: ignore[arg-type]  # coding needs no tools
        (brief.tree / ".github/workflows").mkdir(parents=True)
        (brief.tree / ".github/workflows/mine.yml").write_text("on: push\n")
        return said

    async with world.worker(scripted(world, coding=plant)):
        result = await world.run("quick")
        found = await settled(world)

    assert RunStatus.ESCALATED is result.status
    assert {
        "policy_violation": AlertFate.DELIVERED,
        "protected_path_touched": AlertFate.DELIVERED,
        "run_failed": AlertFate.INHIBITED,
    } == {kind: record.fate for kind, record in found.items()}
    assert ".github/workflows/mine.yml" in found["protected_path_touched"].alert.summary
    assert {"policy_violation", "protected_path_touched"} == {line["kind"] for line in lines(world)}


async def test_9_required_check_failed_is_raised_for_a_rejected_release(world: World) -> None:
    """§9, required CI check failed: a rejection is no failed run."""

    def break_it(brief: Brief) -> str:
        assert brief.tree is not None
        said = Speller(None).answer(brief)  # type: ignore[arg-type]  # coding needs no tools
        (brief.tree / "README.md").rename(brief.tree / "pkg.md")
        (brief.tree / "README.md").write_text((brief.tree / "pkg.md").read_text())
        (brief.tree / "pkg.md").unlink()
        return said

    add_target(
        world,
        "strict",
        '\n[[checks]]\nname = "words"\nkind = "tests"\n'
        "argv = ['python', '-c', 'import sys; sys.exit(\"recieve\" not in open(\"README.md\").read())']\n",
    )
    async with world.worker(scripted(world, coding=break_it)):
        result = await world.run("strict")
        found = await settled(world)

    assert RunStatus.REJECTED is result.status, result.reason
    assert {"required_check_failed"} == set(found)
    assert "check words is red" in found["required_check_failed"].alert.summary


async def test_9_required_check_failed_is_raised_for_a_red_base(world: World) -> None:
    """§9, required CI check failed: preflight refuses the run, and says which check it was."""
    add_target(world, "quick", CHECK.replace("import pkg", "raise SystemExit('AssertionError: base')"))
    async with world.worker(quick(world)):
        result = await world.run("quick")
        found = await settled(world)

    assert RunStatus.REFUSED is result.status, result.reason
    assert {"required_check_failed", "run_failed"} == set(found)
    assert "check imports is red" in found["required_check_failed"].alert.summary


@dataclass
class HalfBlind(Speller):
    """One of two tools cannot look, the other not at every file."""

    def detect(self, look: Look) -> Detection:
        """As the speller, and something is missing."""
        seen = super().detect(look)
        odd = UnreadFile(tool="codespell", path="odd.md", reason="no text")
        return Detection(seen.findings, 2, ("pins: no network",), (odd,), 0.2)


async def test_9_source_quality_is_raised_when_too_little_could_be_seen(world: World) -> None:
    """§9, source quality below its threshold (policy: a snapshot is at least 95 % complete)."""
    add_target(world, "quick")

    def half(real: Agent) -> Agent:
        return HalfBlind(real)

    async with world.worker(world.bench(half)):
        result = await world.run("quick")
        found = await settled(world)

    assert RunStatus.REJECTED is result.status
    assert {"source_quality"} == set(found)
    said = "40% of the files could be looked at, 95% are needed: pins: no network; odd.md: no text (codespell)"
    assert said in found["source_quality"].alert.summary


async def test_9_run_failed_is_raised_for_a_run_that_was_lost(world: World) -> None:
    """§9, run failed: a terminated run cannot say so; Control does, and its alert is the same one."""
    autopilot = world.settings.policies / "autopilot.toml"
    autopilot.write_text(autopilot.read_text().replace("reap_seconds = 60", "reap_seconds = 1"))
    turnstile = Turnstile()
    add_target(world, "quick")
    async with world.worker(stopping(world, turnstile)):
        turnstile.close(lost="plan")
        run = await world.start("quick", "lost")
        await world.until(turnstile.all_reached())
        await run.terminate("by hand")
        found = await settled(world)
        turnstile.open()

    assert {"run_failed"} == set(found)
    assert "TERMINATED" in found["run_failed"].alert.summary


async def test_9_run_missed_its_deadline_names_who_paused_it(world: World) -> None:
    """Issue, item 5, dead-man: the workflow's clock jumps to tomorrow noon; nobody ran, because ann paused."""
    configure(world, **{'daily_by = ""': 'daily_by = "09:00"', "every_minutes = 0.01": "every_minutes = 600.0"})
    add_target(world, "quick")
    (world.settings.policies / "targets" / "demo.toml").unlink()
    async with world.worker(quick(world)):
        await open_target(world, "quick")
        await pause(world, "quick")
        await begin(world)
        await TimeSkipper(world.client).fast_forward(handle(world), timedelta(hours=34))

        async def missed() -> Any:
            return [each for each in (await alerts(world)).recent if each.alert.kind == "run_missed_deadline"]

        found = await world.until(missed)

    assert {"paused"} == {record.alert.facts["cause"] for record in found}
    assert {"quick"} == {record.alert.target for record in found}
    assert "paused (target) by ann: drill" in found[0].alert.summary
    # One for each day that was looked at, however often it was.
    assert len(found) == len({record.alert.fingerprint for record in found}) <= 2


async def test_9_run_stuck_says_in_which_step(world: World) -> None:
    """Issue, item 5; P15: a run that makes no progress is told once; nothing is told of one that waits at its gate."""
    configure(world, **{"stuck_minutes = 120.0": "stuck_minutes = 0.05"})
    add_target(world, "quick")
    turnstile = Turnstile()
    async with world.worker(stopping(world, turnstile)):
        await open_target(world, "quick")
        turnstile.close(slow="plan")
        await world.start("quick", "slow")
        await world.until(turnstile.all_reached())
        await begin(world)
        found = await settled(world)

        async def again() -> bool:
            return (await settled(world))["run_stuck"].times > 2

        await world.until(again)
        turnstile.open()

    assert {"run_stuck"} == set(found)
    record = found["run_stuck"]
    assert "no progress" in record.alert.summary
    assert "in plan, attempt 1" in record.alert.summary
    assert 1 == len([line for line in lines(world) if line["kind"] == "run_stuck"])


async def test_alerts_outlive_cancel_and_continue_as_new(world: World) -> None:
    """Cancelled by hand it goes on; past four hundred events another run of it has the same books."""
    configure(world)
    async with world.worker(scripted(world, triaging=lambda brief: "no JSON")):
        await world.run("quick")
        before = await settled(world)
        first = (await handle(world).describe()).run_id
        await handle(world).cancel()

        async def next_run() -> bool:
            return (await handle(world).describe()).run_id != first

        await world.until(next_run, 90)
        await asyncio.sleep(1)
        after = await settled(world)

    assert before == after
