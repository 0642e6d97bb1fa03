"""After the revert: health N times in a row within the contract's minutes, or a person (runbook §8; bad input)."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from aftermath import CHECK, Aftermath, after_a_run, hasten
from world import World

from contracts.merging import Health
from contracts.modes import Mode
from contracts.rollback import RollbackOutcome, RollbackResult
from tests.chaos.regressions import Answer, probe_server
from tests.workflows.quick import quick
from workflows import api


def prepared(world: World, url: str, every_seconds: int, in_a_row: int = 2) -> None:
    """The target ``demo`` with a service to ask, and one minute for its health."""
    hasten(world, write_seconds=20, health_every_seconds=every_seconds, healthy_in_a_row=in_a_row)
    probe = f'\n[[probes]]\nname = "service"\nurl = "{url}"\nseconds = 2\n'
    world.write_target("demo", "\n[environment]\nbuild = false\n" + CHECK + probe, rollback_strategy="revert_commit")
    place = world.settings.policies / "targets" / "demo.toml"
    place.write_text("rollback_minutes = 1\n" + place.read_text())


async def undone(after: Aftermath) -> RollbackResult:
    """A harmless merge, undone on order."""
    await after.merge({"docs/one.md": "1\n"})
    assert (await after.order()).accepted
    return await after.rolled_back(150)


async def test_a_service_that_flaps_is_healthy_only_after_greens_in_a_row(world: World) -> None:
    """Green, red, green, nothing, green, green: each doubt begins the count anew."""
    said: Iterator[int] = iter((200, 500, 200, 0, 200, 200))

    def flapping(sha: str) -> int:
        status = next(said)
        time.sleep(0 if status else 3)
        return status or 200

    with probe_server([flapping]) as url:
        prepared(world, url, every_seconds=1)
        async with world.worker(quick(world)):
            result = await undone(await after_a_run(world))
    green, red, nothing = Health.GREEN, Health.RED, Health.UNKNOWN
    assert [green, red, green, nothing, green, green] == [seen.health for seen in result.observations]
    assert (RollbackOutcome.RESTORED, "health confirmed 2 times in a row") == (result.outcome, result.reason)


@pytest.mark.parametrize(
    ("status", "seconds"), [pytest.param(500, 0, id="red"), pytest.param(200, 3, id="hangs", marks=pytest.mark.sweep)]
)
async def test_health_that_is_not_confirmed_in_time_is_a_persons(world: World, status: int, seconds: float) -> None:
    """The tree is back, the service is not: escalated with the name, DRY_RUN, the review due."""

    def never(sha: str) -> int:
        time.sleep(seconds)
        return status

    with probe_server([never]) as url:
        prepared(world, url, every_seconds=60)
        async with world.worker(quick(world)):
            after = await after_a_run(world)
            before = after.tree()
            result = await undone(after)
            view = await world.status()
    assert RollbackOutcome.ESCALATED is result.outcome, result
    assert "health not confirmed within 1 minute: probe service" == result.reason
    assert before == after.tree() == result.restored_tree
    assert (Mode.DRY_RUN, result.incident) == (view.mode, view.review_due)


@pytest.mark.sweep
async def test_a_remote_that_stays_away_takes_no_longer_than_the_contract_allows(world: World) -> None:
    """A look that cannot be made ends with the contract's minutes, not with the step's own patience of hours."""
    here: list[Answer] = [lambda sha: 200]
    with probe_server(here) as url:
        prepared(world, url, every_seconds=1)
        gone = world.remote.with_name("gone.git")

        def vanish(sha: str) -> int:
            world.remote.rename(gone)
            here[0] = lambda sha: 200
            return 200

        async with world.worker(quick(world)):
            after = await after_a_run(world)
            here[0] = vanish
            result = await undone(after)
            seen: RollbackResult = await after.rollback().query(api.VIEW, result_type=RollbackResult)
            gone.rename(world.remote)
    assert (RollbackOutcome.ESCALATED, RollbackOutcome.ESCALATED) == (result.outcome, seen.outcome)
    assert "health not confirmed within 1 minute: everything" == result.reason
    assert 50 < result.seconds < 100
