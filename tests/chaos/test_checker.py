"""The checker complains of every kind of broken world; a checker that never does is worth nothing."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from checker import Unsound, check_world
from faulty import step_done
from world import World, git

from tests.workflows.quick import quick


def ref(world: World, name: str, value: str) -> None:
    git("update-ref", name, value, cwd=world.remote)


def run_folder(world: World) -> Path:
    (report,) = world.settings.artifacts.glob("runs/*/run_report.json")
    return report.parent


def kept(world: World, name: str) -> Path:
    """The object behind an artifact the report names."""
    report = json.loads((run_folder(world) / "run_report.json").read_text())
    (location,) = [artifact["location"] for artifact in report["artifacts"] if artifact["name"] == name]
    return world.settings.artifacts / location


def record(world: World, kind: str, number: int, **changed: object) -> None:
    folder = world.settings.home / "forge" / "demo"
    pull = json.loads((folder / "pulls" / "1.json").read_text())
    (folder / kind / f"{number}.json").write_text(json.dumps(pull | {"number": number} | changed))


def replace(place: Path, old: str, new: str) -> None:
    text = place.read_text()
    assert old in text
    place.write_text(text.replace(old, new))


def cut_tail(place: Path) -> None:
    place.write_text("".join(place.read_text().splitlines(keepends=True)[:-1]))


def append(place: Path, text: str) -> None:
    place.write_text(place.read_text() + text)


def damage_object(world: World) -> None:
    objects = [path for path in (world.remote / "objects").glob("??/*") if path.is_file()]
    objects[0].chmod(0o600)
    objects[0].write_bytes(b"rot")


def second_index_entry(world: World) -> None:
    index = world.settings.artifacts / "runs" / "index.jsonl"
    append(index, index.read_text().replace("PR_OPENED", "REJECTED"))


def other_artifact(world: World) -> None:
    place = kept(world, "change.json")
    place.chmod(0o600)
    place.write_text("{}")


BROKEN: dict[str, Callable[[World], object]] = {
    "pull requests under the key": lambda world: record(world, "pulls", 2, branch="autonomy/other"),
    "pull requests of branch": lambda world: record(world, "pulls", 2, runKey="demo-x/open_pull_request"),
    "its branch": lambda world: ref(world, world.autonomy_branches()[0], "main"),
    "which no begun push may write": lambda world: ref(world, "refs/heads/autonomy/stray", "main"),
    "written without a begun clearance": lambda world: record(world, "tickets", 1, runKey="demo-x/open_ticket"),
    "is not what its digest says": other_artifact,
    "artifact change.json of": lambda world: kept(world, "change.json").unlink(),
    "has no run_report.json": lambda world: (run_folder(world) / "run_report.json").unlink(),
    "does not parse": lambda world: (run_folder(world) / "run_report.json").write_text("{}"),
    "different index entries": second_index_entry,
    "tail cut or file replaced": lambda world: cut_tail(world.settings.artifacts / "targets/demo/audit_log.jsonl"),
    "`run ended` records, not 1": lambda world: cut_tail(run_folder(world) / "audit_log.jsonl"),
    "its hash does not match": lambda world: replace(
        run_folder(world) / "audit_log.jsonl", '"event":"run issued"', '"event":"run issueD"'
    ),
    "git fsck of demo.git": damage_object,
    "put there by nobody": lambda world: ref(world, "refs/heads/main", world.autonomy_branches()[0]),
    "keeps the lock": lambda world: (world.remote / "refs" / "heads" / "main.lock").touch(),
    "code-abandoned is left over": lambda world: (world.settings.scratch / "code-abandoned").mkdir(),
    "tmp/half is left over": lambda world: (world.settings.artifacts / "tmp" / "half").touch(),
}


async def test_the_checker_complains_of_every_broken_world(world: World, tmp_path: Path) -> None:
    """One sound world, broken in one way after the other."""
    sound = tmp_path / "sound"
    async with world.worker(quick(world)):
        result = await world.run()
        await check_world(world)
        shutil.copytree(world.root, sound, symlinks=True)
        for sentence, spoil in BROKEN.items():
            spoil(world)
            with pytest.raises(Unsound) as told:
                await check_world(world, patience=0)
            assert sentence in str(told.value), f"{sentence}: {told.value}"
            shutil.rmtree(world.root)
            shutil.copytree(sound, world.root, symlinks=True)
        await check_world(world)
    assert result.pull_request is not None


async def test_the_checker_complains_of_what_is_not_at_rest(world: World) -> None:
    """Runs without an end, starts without a history, processes without an owner, success without runs."""
    async with world.worker(quick(world)):
        handle = await world.start()
        await step_done(world, "preflight.json")
        with pytest.raises(Unsound, match="still active in Control's books"):
            await check_world(world, patience=0)
        await handle.result()
        with pytest.raises(Unsound, match="only 1 of at least 2 runs"):
            await check_world(world, at_least=2, patience=1)
        with pytest.raises(Unsound, match="the acknowledged start nobody is in no history"):
            await check_world(world, started=["nobody"], patience=1)
        orphan = await asyncio.create_subprocess_exec("tail", "-f", "/dev/null", str(world.root / "policies"))
        with pytest.raises(Unsound, match=f"process {orphan.pid} is left over"):
            await check_world(world, patience=1)
        orphan.kill()
        await orphan.wait()
        await check_world(world)
