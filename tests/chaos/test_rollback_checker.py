"""The checker complains of every kind of unsound rollback; one that never does is worth nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

from aftermath import BROKEN, CHECK, Aftermath, after_a_run, hasten
from rollback_checker import check_rollbacks, rollbacks_unsound
from world import World, git

from contracts.rollback import Merged
from tests.workflows.quick import quick


def own_log(after: Aftermath) -> Path:
    return after.world.settings.artifacts / "runs" / f"RB-{after.run.run_id}" / "audit_log.jsonl"


def target_log(after: Aftermath) -> Path:
    return after.world.settings.artifacts / "targets" / "demo" / "audit_log.jsonl"


def replace(place: Path, old: str, new: str) -> None:
    text = place.read_text()
    assert old in text
    place.write_text(text.replace(old, new))


def cut_tail(place: Path) -> None:
    place.write_text("".join(place.read_text().splitlines(keepends=True)[:-1]))


def repeat(place: Path, event: str) -> None:
    lines = place.read_text().splitlines(keepends=True)
    place.write_text("".join([*lines, *(line for line in lines if f'"{event}"' in line)]))


BROKEN_BY: dict[str, Callable[[Aftermath, Merged], object]] = {
    "its hash does not match": lambda after, _: replace(own_log(after), '"repair done"', '"repair donE"'),
    "tail cut or file replaced": lambda after, _: cut_tail(own_log(after)),
    "its own log says 0 times that it ended": lambda after, _: cut_tail(own_log(after)),
    "its audit log is gone": lambda after, _: own_log(after).unlink(),
    "was ordered 2 times": lambda after, _: repeat(target_log(after), "rollback ordered"),
    "the target's log says 2 times that it ended": lambda after, _: repeat(target_log(after), "rollback ended"),
    "its own log does not say what its result says": lambda after, _: replace(
        own_log(after), '"outcome":"restored"', '"outcome":"escalated"'
    ),
    "the base holds the revert []": lambda after, merged: git(
        "update-ref", "refs/heads/main", merged.merge_sha, cwd=after.world.remote
    ),
    "the restored tree is not one and the same": lambda after, merged: replace(
        target_log(after), f'"mergeSha":"{merged.merge_sha}"', f'"mergeSha":"{merged.parent_sha}"'
    ),
}


async def test_the_checker_complains_of_every_unsound_rollback(world: World, tmp_path: Path) -> None:
    """One sound rollback, spoiled in one way after the other."""
    hasten(world)
    world.write_target("demo", "\n[environment]\nbuild = false\n" + CHECK, rollback_strategy="revert_commit")
    sound = tmp_path / "sound"
    async with world.worker(quick(world)):
        after = await after_a_run(world)
        merged = await after.merge(BROKEN)
        assert (await after.order()).accepted
        await after.rolled_back()
        await check_rollbacks(world)
        shutil.copytree(world.root, sound, symlinks=True)
        for sentence, spoil in BROKEN_BY.items():
            spoil(after, merged)
            found = "\n".join(await rollbacks_unsound(world))
            assert sentence in found, f"{sentence}: {found}"
            shutil.rmtree(world.root)
            shutil.copytree(sound, world.root, symlinks=True)
        await check_rollbacks(world)
