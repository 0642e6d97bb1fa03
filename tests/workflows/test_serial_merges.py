"""Many would-be merges on one remote land serially, each tested on its true parent (P4)."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from world import World, git

from contracts.admission import RunResult
from contracts.modes import Role, RunStatus
from contracts.task import Finding
from ports.agents import Brief
from ports.measures import Detection, Look
from tests.workflows import auto
from tests.workflows.quick import Speller


@dataclass
class Noter(Speller):
    """As the speller, but in one file of its own."""

    def detect(self, look: Look) -> Detection:
        """The one mistake, while it is there."""
        note = f"notes/{look.policy.target.name}.md"
        text = look.tree / note
        finding = Finding(
            fingerprint=f"recieve-{note}",
            tool="codespell",
            rule="docs",
            path=note,
            line=1,
            message="recieve ==> receive",
            fixable=True,
        )
        return Detection((finding,) if "recieve" in text.read_text() else (), 1, ())

    def answer(self, brief: Brief) -> str:
        """As the speller, but in the target's own file."""
        if brief.role is not Role.CODING:
            return super().answer(brief)
        self.pay(brief)
        text = (brief.tree or Path()) / f"notes/{brief.policy.target.name}.md"
        text.write_text(text.read_text().replace("recieve", "receive"))
        return json.dumps({"summary": "receive"})


async def land(world: World, count: int) -> None:
    """``count`` targets on one remote, each with one mistake in a file of its own, all run at once."""
    auto.permit(world, base_moves=20)
    files: dict[str, str | bytes] = {"pkg/__init__.py": '"""Names."""\n'}
    names = [f"t{number}" for number in range(count)]
    files |= {f"notes/{name}.md": "You recieve names.\n" for name in names}
    world.add_target(names[0], files, auto.CHECKS + auto.PROBES)
    remote = world.root / f"{names[0]}.git"
    for name in names[1:]:
        world.write_target(name, auto.CHECKS + auto.PROBES, remote=str(remote))
    bench = world.bench(Noter)
    first = auto.base(world, names[0])
    async with world.worker(bench):
        await asyncio.gather(*(auto.opened(world, name) for name in names))
        handles = [await world.start(name) for name in names]
        results: list[RunResult] = await asyncio.gather(*(handle.result() for handle in handles))
    assert [RunStatus.MERGED] * count == [result.status for result in results], [one.reason for one in results]
    chain = git("rev-list", "--first-parent", "--reverse", f"{first}..main", cwd=remote).split()
    assert count == len(chain)
    checked = {}
    for result in results:
        checks = world.artifact(result.run_id, "checks/checks.json")
        checked[checks["commitSha"]] = (checks["baseSha"], checks["treeSha"])
    lineage = zip([first, *chain[:-1]], chain, strict=True)
    assert [checked[commit] for commit in chain] == [(old, auto.tree(world, new, names[0])) for old, new in lineage]


async def test_would_be_merges_land_serially(world: World) -> None:
    """Every merge is a child of the one before it, and was tested as such: the last one's base moved twice."""
    await land(world, 3)


@pytest.mark.sweep
@pytest.mark.timeout(3000)
async def test_twenty_would_be_merges_land_serially(world: World) -> None:
    """The same, twenty at once."""
    await land(world, 20)
