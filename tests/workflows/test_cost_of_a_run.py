"""What a run costs in things that can be counted without noise: git commands, sandboxes, events of its histories."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from temporalio import activity
from world import World

from adapters.git.environment import ClosedGit
from adapters.sandbox.bubblewrap import BubblewrapSandbox
from contracts.modes import RunStatus
from ports.sandbox import Command, CommandResult
from tests.workflows.quick import add_target, quick
from workflows import api

GIT_COMMANDS = 46
"""Without those of the target's log: how many events share an activity is chance."""
EVENTS = 95
"""Of a PR_ONLY run."""
CONTROLS_EVENTS = 125
"""That the same run leaves in Control's history."""
CHECKOUTS = 8
"""Two of them are of an index alone."""

SANDBOXES = {"sense": 2, "code": 2, "review": 3}
"""Two tools look, one of them mends and counts, both look again, and one comparison."""


@contextmanager
def _sandboxes(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Every command that runs in the sandbox, by activity."""
    counted: Counter[str] = Counter()
    run = BubblewrapSandbox.run

    def counting(self: BubblewrapSandbox, command: Command, alive: Callable[[], None]) -> CommandResult:
        counted[activity.info().activity_type] += 1
        return run(self, command, alive)

    monkeypatch.setattr(BubblewrapSandbox, "run", counting)
    yield counted


@contextmanager
def _git_commands(monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Every git command this process starts, by activity and name."""
    counted: Counter[str] = Counter()
    started = ClosedGit._started

    def counting(self: ClosedGit, arguments: tuple[str, ...], *rest: Any) -> Any:
        where = activity.info().activity_type if activity.in_activity() else "-"
        names = iter(arguments)
        name = next(names)
        while name == "-c":
            next(names)
            name = next(names)
        counted[f"{where} {name}"] += 1
        return started(self, arguments, *rest)

    monkeypatch.setattr(ClosedGit, "_started", counting)
    yield counted


async def test_a_run_starts_few_git_commands_and_has_a_short_history(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the second run, in PR_ONLY; with a change that is taken in once and a checkout for each purpose."""
    add_target(world, "quick")
    async with world.worker(quick(world)):
        assert RunStatus.DRY_RUN_COMPLETE is (await world.run("quick", mode="DRY_RUN")).status
        control = world.client.get_workflow_handle(api.control_id("quick"))
        before = len((await control.fetch_history()).events)
        with _git_commands(monkeypatch) as counted:
            run = await world.start("quick")
            assert RunStatus.PR_OPENED is (await run.result()).status
            events = len((await run.fetch_history()).events)
            of_control = len((await control.fetch_history()).events) - before
    assert {"log_target update-ref"} == {name for name in counted if name.startswith("log_target ")}, counted
    counted = Counter({name: count for name, count in counted.items() if not name.startswith("log_target ")})
    shown = "\n".join(f"{count:4} {name}" for name, count in sorted(counted.items()))
    print(f"\n{events} events of a run, {of_control} of Control; {sum(counted.values())} commands of git\n{shown}")
    assert events <= EVENTS
    assert of_control <= CONTROLS_EVENTS
    assert 0 == sum(count for name, count in counted.items() if name.endswith(" index-pack")), shown
    assert sum(count for name, count in counted.items() if name.endswith(" read-tree")) <= CHECKOUTS, shown
    assert sum(counted.values()) <= GIT_COMMANDS, shown


async def test_no_tree_is_looked_at_twice(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """What Sensing saw of the base is not asked again by Coding and Review; an effect is counted by one tool alone."""
    add_target(world, "quick")
    async with world.worker():
        with _sandboxes(monkeypatch) as counted:
            assert RunStatus.DRY_RUN_COMPLETE is (await world.run("quick", mode="DRY_RUN")).status
    assert SANDBOXES == {step: counted[step] for step in SANDBOXES}
