"""A forge that limits the rate: the run is HELD until the time that it named, and then goes on; nobody is to blame."""

from __future__ import annotations

from datetime import timedelta

import pytest
from ci_forge import CiResults, with_ci
from gitea_world import Meanwhile
from temporalio.testing import TimeSkipper
from world import World

from contracts.admission import RunView
from contracts.effect import Effect
from contracts.forge_facts import FORGE_RESTS
from contracts.modes import RunStatus, StepName
from policies.verdicts import hold
from ports.forge import ForgeError
from tests.workflows.conversation import edit
from tests.workflows.quick import CHECK, FILES, quick
from workflows.run.gate import advice, rest

LIMITED = "forge answered 403 to looking at /statuses: the forge limits the rate until 2026-11-26 15:00:00 UTC"


def test_a_limit_is_waited_out_exactly_and_nobody_has_to_mend_it() -> None:
    """Not asked sooner, however short the last rest was; not later, however long."""
    held = hold("the forge answers", LIMITED, **{FORGE_RESTS: 1800.0})
    for wanted in (10, 3600):
        assert timedelta(minutes=30) == rest(timedelta(seconds=wanted), held)
    assert advice(held).startswith("nothing: it goes on by itself, or end the run")
    assert advice(hold("x", "the policy changed")).startswith("mend the cause")


@pytest.mark.parametrize("place", ["preflight", "write"])
async def test_a_run_is_held_until_the_forge_answers_again(world: World, place: str) -> None:
    """Looking and writing; no rejection, no alert, and the same run opens its pull request."""
    world.add_target("quick", FILES, CHECK)
    # Whether the limited write was done is unknown until its clearance is over: nobody may try again before.
    edit(world, "write_seconds = 60", "write_seconds = 8")
    limits = [ForgeError(LIMITED, 1800.0)]

    def looked(_commit: str) -> None:
        if place == "preflight" and limits:
            raise limits.pop()

    def writes(_effect: Effect) -> None:
        raise limits.pop()

    effects = Meanwhile(world.bench().effects)
    if place == "write":
        effects.before["quick", "open_pull_request"] = writes
    forges = with_ci(world.bench().forges, CiResults(world.root / "ci.json"), looked)
    async with world.worker(quick(world, forges=forges, effects=effects)):
        handle = await world.start("quick")

        async def held() -> RunView | None:
            view = await world.state(handle)
            return view if view.status is RunStatus.HELD else None

        view: RunView = await world.until(held)
        assert (place == "preflight") == (view.step is StepName.PREFLIGHT)
        assert f"{LIMITED}. The run goes on by itself; next look at " in view.reason
        assert view.waiting_for.startswith("nothing: it goes on by itself")
        await TimeSkipper(world.client).fast_forward(handle, timedelta(minutes=31))
        result = await handle.result()
    assert RunStatus.PR_OPENED is result.status, result.reason
    assert [] == limits
    assert not (world.settings.home / "alerts.jsonl").exists()
    assert ["open"] == [pull["state"] for pull in world.pulls("quick")]
