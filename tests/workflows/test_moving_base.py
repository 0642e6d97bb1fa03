"""The base moves under a checked merge: the new merge result is checked again, or a person reviews (P4)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from world import World, git

from adapters.store.chained_log import ChainedLog
from contracts.clearance import Clearance
from contracts.effect import Effect, EffectResult
from contracts.modes import RunStatus, WriteAction
from policies.settings.schema import Target
from tests.workflows import auto


@dataclass
class Faster:
    """The real effects, but a person commits to the base right before each of the first merges."""

    real: Any
    world: World
    times: int
    texts: tuple[str, str] = ("notes.txt", "a note")
    merges: list[str] = field(default_factory=list)

    def perform(
        self, target: Target, effect: Effect, clearance: Clearance, kill_at: float, look_only: bool
    ) -> EffectResult:
        """Be faster, then do it."""
        if effect.action is WriteAction.MERGE:
            self.merges.append(effect.head_sha)
            if len(self.merges) <= self.times:
                file, text = self.texts
                auto.person_commits(self.world, file, f"{text} {len(self.merges)}\n")
        return self.real.perform(target, effect, clearance, kill_at, look_only)


async def merged_after(world: World, times: int, texts: tuple[str, str] = ("notes.txt", "a note"), moves: int = 3):
    """A run whose base moves so often."""
    auto.permit(world, base_moves=moves)
    auto.add_target(world)
    faster = Faster(world.bench().effects, world, times, texts)
    async with world.worker(auto.quick(world, effects=faster)):
        await auto.opened(world)
        return faster, await world.run("auto")


async def test_the_new_merge_result_is_checked_and_probed(world: World) -> None:
    """P4: what lands is a child of the base as it is, its tree checked and probed; the first result never lands."""
    faster, result = await merged_after(world, 1)
    assert RunStatus.MERGED is result.status, result.reason
    landed = auto.base(world)
    assert [landed] == faster.merges[1:]
    checks = world.artifact(result.run_id, "checks/checks.json")
    assert (landed, auto.tree(world, landed)) == (checks["commitSha"], checks["treeSha"])
    assert landed == world.artifact(result.run_id, "canary.json")["mergeSha"]
    merged = world.artifact(result.run_id, "run_report.json")["merged"]
    assert checks["baseSha"] == merged["parentSha"] == git("rev-parse", f"{landed}^1", cwd=world.root / "auto.git")
    assert "a note 1" == git("show", f"{landed}:notes.txt", cwd=world.root / "auto.git")


async def test_after_so_many_moves_a_person_reviews(world: World) -> None:
    """`auto_merge.base_moves`."""
    faster, result = await merged_after(world, 9, moves=1)
    assert RunStatus.PR_OPENED is result.status
    assert "the base moved 2 times, auto_merge.base_moves is 1" in result.reason
    assert 2 == len(faster.merges)
    assert not set(faster.merges) & set(git("rev-list", "main", cwd=world.root / "auto.git").split())


async def test_every_turn_is_in_the_audit_log(world: World) -> None:
    """P10: two moves, three merge results; what each turn saw and decided is recorded, none in place of another."""
    faster, result = await merged_after(world, 2)
    assert RunStatus.MERGED is result.status, result.reason
    told = list(ChainedLog(world.settings.artifacts).records(f"run/{result.run_id}"))
    named = [record.facts["mergeSha"] for record in told if record.event == "merge result named"]
    judged = [record.facts["mergeSha"] for record in told if record.event == "released again"]
    assert faster.merges == named == judged
    assert 3 == len(set(named))
    assert [1, 2] == [record.facts["moves"] for record in told if record.event == "base moved"]
    assert [3, 3] == [sum(r.event == f"{step} done" for r in told) for step in ("merge_check", "merge_release")]


async def test_a_move_that_breaks_the_checks_stops_the_merge(world: World) -> None:
    """Each side alone is fine or not; what counts is the merge result."""
    _, result = await merged_after(world, 1, ("pkg/__init__.py", "raise SystemError"))
    assert RunStatus.PR_OPENED is result.status
    assert "imports is green" in result.reason or "exit 1" in result.reason


async def test_a_conflict_after_the_move_is_a_persons(world: World) -> None:
    """The same lines."""
    _, result = await merged_after(world, 1, ("README.md", "You recieve everything."))
    assert (RunStatus.PR_OPENED, True) == (result.status, "conflicts in README.md" in result.reason), result.reason
