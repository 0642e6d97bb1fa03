"""``budget``, ``budget set``, ``budget state-cost`` as typed: accepted or why not, ``--json``, exit statuses."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from shell import Shell, shell_of
from world import World

from contracts.admission import RunResult
from contracts.modes import RunStatus
from tests.workflows.paying import Payer, caps
from tests.workflows.quick import add_target

SET = "budget", "set", "quick", "--period"
STATE = "budget", "state-cost", "quick"


async def test_a_person_raises_a_cap_and_states_a_cost(world: World) -> None:
    """Issue 4, 6: the ledger as text and JSON; a stale epoch, a wrong key and what is no amount are refused."""
    caps(world, usd_per_run=5, usd_per_day=5)
    add_target(world, "quick")
    shell = shell_of(world)
    async with world.worker(Payer(triaging=float("nan")).bench(world)):
        early = await shell.typed(*SET, "day", "--measure", "usd", "--cap", "30", "--reason", "release week")
        run = await world.start("quick", mode="DRY_RUN")

        async def unknown() -> Any:
            shown = (await shell.typed("budget", "quick", "--json")).json["targets"]["quick"]
            return shown and next((each["key"] for each in shown["reservations"] if each["unknown"]), None)

        key = await world.until(unknown)
        shown, why = await shell.typed("budget", "quick"), await shell.typed("run", "quick", "--again", "--json")
        wrong = await shell.typed(*STATE, f"{key}x", "--usd", "1", "--tokens", "9", "--evidence", "the bill")
        stated = await shell.typed(*STATE, key, "--usd", "4.5", "--tokens", "9", "--evidence", "the bill", "--json")
        stale = await shell.typed(
            *SET, "day", "--measure", "usd", "--cap", "30", "--reason", "release week", "--expected-epoch", "1"
        )
        no_amounts = [
            await shell.typed(*SET, "day", "--measure", "usd", f"--cap={cap}", "--reason", "release week")
            for cap in ("nan", "inf", "-1", "1e300")
        ]
        no_cost = await shell.typed(*STATE, key, "--usd=nan", "--tokens", "9", "--evidence", "the bill")
        run_id = key.rpartition("/")[0]
        raised = [
            await shell.typed(*SET, period, "--measure", "usd", "--cap", "30", "--reason", "release week", *more)
            for period, more in (("day", ("--json",)), ("run", ("--run", run_id)))
        ]
        result: RunResult = await asyncio.wait_for(run.result(), 60)
        after = (await shell.typed("budget", "--json")).json["targets"]

    assert (11, True) == (early.status, "is not open yet" in early.err)
    assert (0, True) == (shown.status, f"cost UNKNOWN: {key}" in shown.out), shown.out
    assert (11, True) == (why.status, "budget state-cost" in why.json["reason"])
    assert (11, True) == (wrong.status, f"unknown now: {key}" in wrong.err), wrong.err
    assert (0, True) == (stated.status, stated.json["accepted"]), stated.err
    assert (11, True) == (stale.status, "look again before you raise a cap" in stale.err), stale.err
    for each in (*no_amounts, no_cost):
        assert (2, True) == (each.status, "finite" in each.err or "than or equal" in each.err), each.err
    assert [0, 0] == [each.status for each in raised], [each.err for each in raised]
    assert raised[0].json["accepted"]
    assert RunStatus.DRY_RUN_COMPLETE is result.status, result.reason
    assert {"demo", "quick"} == set(after)
    (day,) = [
        each for each in after["quick"]["lines"] if each["period"].startswith("day/") and each["measure"] == "usd"
    ]
    assert (30, True, True) == (day["cap"], day["setByHand"], day["spent"] > 5)


USAGE = (
    ((*SET, "year", "--measure", "usd", "--cap", "30", "--reason", "why not"), 2),
    ((*SET, "day", "--measure", "euro", "--cap", "30", "--reason", "why not"), 2),
    ((*SET, "day", "--measure", "usd", "--cap", "much", "--reason", "why not"), 2),
    ((*SET, "day", "--measure", "usd", "--cap", "30"), 2),
    (("budget", "set", "dmo", "--period", "day", "--measure", "usd", "--cap", "30", "--reason", "why not"), 16),
    (("budget", "dmo"), 16),
    ((*STATE, "a/code", "--usd", "1", "--tokens", "9"), 2),
)


@pytest.mark.parametrize(("argv", "status"), USAGE)
async def test_what_was_typed_wrong_is_said(installation: World, argv: tuple[str, ...], status: int) -> None:
    """Usage is 2, an unknown target 16 with the nearest name."""
    done = await shell_of(installation).typed(*argv)
    assert (status, True) == (done.status, bool(done.err)), done.err
    assert status == 2 or "demo" in done.err


@pytest.mark.parametrize("argv", [("budget",), (*SET, "day", "--measure", "usd", "--cap", "1", "--reason", "why")])
def test_without_a_server_one_sentence(nobody_there: Shell, argv: tuple[str, ...]) -> None:
    """Exit status 20."""
    done = nobody_there.type(*argv)
    assert (20, 1) == (done.status, len(done.err.strip().splitlines())), done.err
