"""Generated regressions (issue: FollowUp and Rollback): no wrong rollback, none missed, every tree as P11 says."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from regressions import KINDS, SEED, regress

from tests.workflows.quick import quick

if TYPE_CHECKING:
    from conftest import MakeWorld

SWEPT = 104
IN_MAKE_TEST = ("later human commit", "conflict", "failure that was there before us", "flaky probe")
"""What no other live test shows. A failing test: test_rollback_flow.py; a remote that is down, a probe that hangs:
test_rollback_stops.py; a failing probe: `demo-rollback` and tests/forges/test_gitea_merging.py. `make test-regressions`
makes a dozen of each."""


async def generated(make: MakeWorld, kind: str, number: int) -> None:
    """One case; its seed is printed, so that it can be made again."""
    print(f"REGRESSION_SEED={SEED} number={number} kind={kind!r}")
    world = await make("world", reap_seconds=1)
    async with world.worker(quick(world)):
        await regress(world, kind, random.Random(f"{SEED}/{number}"))  # noqa: S311  # a die, no secret


@pytest.mark.parametrize("kind", IN_MAKE_TEST)
async def test_a_regression_of_its_kind(make: MakeWorld, kind: str) -> None:
    """P11: it ends as the runbook wants."""
    await generated(make, kind, KINDS.index(kind))


@pytest.mark.sweep
@pytest.mark.parametrize("number", range(SWEPT))
async def test_a_hundred(make: MakeWorld, number: int) -> None:
    """Issue: 100 generated regressions, at least 10 of each kind: 0 wrong, 0 missed."""
    await generated(make, KINDS[number % len(KINDS)], number)
