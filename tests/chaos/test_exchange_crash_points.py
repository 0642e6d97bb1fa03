"""The worker dies around an exchange with a model: each is booked, once, at what it cost or at its worst case (P9)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pytest
from checker import check_world
from supervisor import WORKER, Supervisor, the_end
from test_crash_points import EXCHANGE

from adapters.store.chained_log import ChainedLog
from contracts.budget import Amounts
from contracts.exchange import AgentRecord
from contracts.modes import RunStatus
from contracts.verdict import Fact
from demo.scripted_model import Move, ScriptedModel
from tests.commands.test_charter import appointed
from workflows import api

if TYPE_CHECKING:
    from conftest import MakeWorld
    from world import World

YES = Move(call="final_result", arguments={"approve": True, "confidence": 0.9, "summary": "It does what it says."})
TRUE = Amounts(usd=0.00375, tokens=1050)
"""What an answer of the scripted model costs."""


async def pays_once(world: World, *points: str) -> None:
    """A run whose review asks a model, and that dies at each of the points."""
    with ScriptedModel([YES]) as model:
        appointed(world, model.url)
        async with Supervisor(world, points, WORKER) as supervisor:
            handle = await world.start()
            result = await the_end(handle)
            assert RunStatus.PR_OPENED is result.status, result.reason
            assert [] == supervisor.missed
            assert [-9] * len(points) == supervisor.deaths
            await check_world(world, started=[handle.id])
            view = await world.control().query(api.BUDGET)
    records = list(ChainedLog(world.settings.artifacts).records("target/demo"))
    reserved, booked = ([r.facts for r in records if r.event == f"cost {how}"] for how in ("reserved", "booked"))
    # In the log, too, each that was reserved is booked, once.
    assert _names(reserved) == _names(facts for facts in booked if facts["tokens"])
    lost = [facts for facts in booked if facts["how"] == "lost" and facts["tokens"]]
    # The model has seen every exchange that was paid but those that died before they went up; those are paid, too.
    unseen = sum(point == "exchange.after_reserve" for point in points)
    assert len(model.received) == len(reserved) - unseen
    assert len(lost) == sum(point in {*EXCHANGE[1:4]} for point in points)
    paid = sum(float(str(facts["usd"])) for facts in lost) + TRUE.usd * (len(reserved) - len(lost))
    assert view["runs"][0]["total"]["usd"] == pytest.approx(paid)
    assert view["reservations"] == []
    # Nothing was paid without a record in the run; what a death left is an upper bound, and marked.
    folder = world.settings.artifacts / "runs" / result.run_id / "agent"
    kept = [AgentRecord.model_validate_json(path.read_text()) for path in folder.glob("*.json")]
    assert sum(each.usd for each in kept) == pytest.approx(paid)
    assert any(each.bound for each in kept) is (len(reserved) > 1)


def _names(facts: Iterable[dict[str, Fact]]) -> list[str]:
    return sorted(f"{each['key']}@{each['attempt']}" for each in facts)


async def test_an_exchange_is_paid_once_whenever_the_worker_dies(make: MakeWorld) -> None:
    """Before it goes up, in its middle, and after it is settled."""
    await pays_once(await make("world", reap_seconds=600), *EXCHANGE[1:3], EXCHANGE[4])


@pytest.mark.sweep
@pytest.mark.timeout(1800)  # What stands still is red long before.
@pytest.mark.parametrize("point", EXCHANGE)
async def test_sweep(world: World, point: str) -> None:
    """Every point alone."""
    await pays_once(world, point)
