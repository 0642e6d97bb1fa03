"""A whole run that updates one package: looked up, made again, checked on what it locks, for a person to merge."""

from __future__ import annotations

from pathlib import Path

from world import World

from contracts.modes import RunStatus
from tests.adapters.tools.scripted_registry import Registry, Release

TARGET = """
[environment]
prepare = [["sh", "-c", "cp -r tools/. /env && chmod a+rx /env/bin/* && cp uv.lock /env/was.lock"]]
keyed_by = ["/uv.lock", "/tools/**"]
hosts = ["HOST"]
[dependencies]
lock_files = ["uv.lock"]
[[checks]]
name = "tests"
kind = "tests"
argv = ["sh", "-c", "cmp uv.lock /env/was.lock && echo 1 passed"]
"""


async def test_an_update_is_a_pull_request_that_a_person_merges(world: World, tmp_path: Path) -> None:
    """Its checks run in what was prepared with the new lock file; what was asked and found out is kept."""
    with Registry({"leaky": {"1.0": Release(400), "1.1": Release(30)}}) as registry:
        registry.programs(tmp_path / "env", {"leaky==1.1": {"uv.lock": registry.lock(leaky="1.1")}}, None)
        tools = {f"tools/{each.relative_to(tmp_path / 'env')}": each.read_bytes() for each in _files(tmp_path / "env")}
        files: dict[str, str | bytes] = {"uv.lock": registry.lock(leaky="1.0"), "src/x.txt": "as it is\n"}
        world.add_target("locked", files | tools, TARGET.replace("HOST", registry.host))
        async with world.worker(world.bench()):
            result = await world.run("locked")
    assert RunStatus.PR_OPENED is result.status, result.reason
    runs = world.settings.artifacts / "runs" / result.run_id
    contract = world.artifact(result.run_id, "task_contract.json")
    assert "Update leaky from 1.0 to 1.1 in `uv.lock`" == contract["title"]
    assert ["uv.lock"] == contract["scope"]["allowedPaths"]
    checks = world.artifact(result.run_id, "checks/checks.json")
    assert (["uv.lock"], "green") == (checks["preparedAgain"], checks["results"][0]["status"])
    looked_up = world.artifact(result.run_id, "lookups/dependencies.json")
    assert "1.1" == looked_up["updates"][0]["after"]
    assert registry.host in (runs / "network/sense.txt").read_text()
    assert "uv lock" in (runs / "network/review.txt").read_text()
    body = (runs / "pull_request.md").read_text()
    for words in (
        "Could not look: known vulnerabilities of uv.lock",
        "leaky: 1.0 → 1.1, released",
        "Licence: MIT before, MIT after",
        "Mends a leak",
        "leaky 1.0 → 1.1, by 'uv lock --no-python-downloads --upgrade-package leaky==1.1'",
        "Checked on the exact merge result, in an environment prepared anew for it (`uv.lock`): `tests` is green",
        "decides what the checks run with, which was prepared again",
    ):
        assert words in body, body


def _files(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if each.is_file()]
