"""One lost artifact, or the mirror, never keeps a run from ending (A10): the report says what is missing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from aftermath import hasten
from shell import shell_of
from temporalio import activity

from adapters.store.local_store import LocalStore
from contracts.modes import RunStatus
from tests.workflows.quick import CHECK as IMPORTS
from tests.workflows.quick import FILES, quick

if TYPE_CHECKING:
    from world import World


@dataclass
class Vandal:
    """The real store; the first time a step uses it, something else happens first."""

    real: Any
    plan: dict[str, Callable[[], object]]

    def __getattr__(self, name: str) -> Any:
        """The real method, behind the harm that is planned for this step."""
        method = getattr(self.real, name)

        def after_the_harm(*given: Any, **named: Any) -> Any:
            if activity.in_activity() and (harm := self.plan.pop(activity.info().activity_type, None)):
                harm()
            return method(*given, **named)

        return after_the_harm


def lose_papers(world: World) -> None:
    """Deleted, damaged, the pinned policy among them, and the mirror's objects."""
    (run,) = (world.settings.artifacts / "runs").glob("cheap-*-pr-1")
    store = LocalStore(world.settings.artifacts)
    for name in ("release_decision.json", "task_contract.json", "policy.json"):
        ref = store.find(run.name, name)
        assert ref is not None
        body = world.settings.artifacts / ref.location
        body.unlink()
        if name == "task_contract.json":
            body.write_bytes(b"{}")
    # A step beside us may be writing there; what is lost is lost whole.
    while (objects := mirror_of(world) / "objects").exists():
        shutil.rmtree(objects, ignore_errors=True)


def mirror_of(world: World) -> Path:
    """Where the mirror is."""
    (mirror,) = world.settings.mirrors.glob("cheap-*.git")
    return mirror


def empty_objects(world: World) -> None:
    """As after a power cut."""
    for body in (path for path in (mirror_of(world) / "objects").rglob("*") if path.is_file()):
        body.chmod(0o600)
        body.write_bytes(b"")


@pytest.mark.parametrize(
    "edited", [pytest.param(False, id="same policy", marks=pytest.mark.sweep), pytest.param(True, id="another policy")]
)
async def test_a_run_ends_and_reports_although_its_papers_are_lost(world: World, edited: bool) -> None:
    """Damaged, deleted, the pinned policy too: the run ends, in the index and the books, within seconds."""
    hasten(world)
    world.add_target("cheap", FILES, "\n[environment]\nbuild = false\n" + IMPORTS)
    shell, sick = shell_of(world), []

    def harm() -> None:
        lose_papers(world)
        if edited:
            hasten(world, reap_seconds=3)
        sick.extend(shell.type("doctor", "--json").json["findings"])

    async with world.worker(quick(world, store=Vandal(world.bench().store, {"audit": harm}))):
        ended = await world.run("cheap")
        report = (await shell.typed("report", ended.run_id, "--json")).json
        shown = await shell.typed("report", ended.run_id)
    missing = {line.partition(":")[0] for line in report["missing"]}
    lost = {"release_decision.json", "task_contract.json"} | ({"policy.json"} if edited else set())
    assert (RunStatus.PR_OPENED, "PR_OPENED", lost) == (ended.status, report["status"], missing)
    page = (world.settings.artifacts / "runs" / ended.run_id / "run_report.html").read_text()
    assert ("Missing here" in shown.out, "Missing here" in page) == (True, True)
    assert 8 == len(report["steps"])
    assert [False] == [one["ok"] for one in sick if one["name"] == "cheap mirror"]


async def test_a_mirror_that_is_damaged_between_two_steps_costs_nothing(world: World) -> None:
    """Deleted before one step, damaged before another: the run opens its pull request all the same."""
    world.add_target("cheap", FILES, "\n[environment]\nbuild = false\n" + IMPORTS)

    def delete() -> None:
        shutil.rmtree(mirror_of(world))

    plan = {"sense": delete, "review": delete, "check": lambda: empty_objects(world), "write": delete}
    async with world.worker(quick(world, store=Vandal(world.bench().store, plan))):
        ended = await world.run("cheap")
    assert (RunStatus.PR_OPENED, {}) == (ended.status, plan), ended.reason
