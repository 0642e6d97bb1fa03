"""A whole run in a language of nobody's: prepared by its own commands, mended by its own fixer, checked offline."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from world import World

from adapters.tools.fixers import FixersTool
from adapters.tools.source_tree import SourceTree
from adapters.tools.tool_runner import ToolRunner
from contracts.modes import RunStatus
from contracts.task import TaskContract
from policies.settings.schema import EffectivePolicy

TARGET = """
[environment]
prepare = [["sh", "-c", "mkdir -p /env/bin && cp tools/trim /env/bin/ && chmod 755 /env/bin/trim"]]
keyed_by = ["/tools/**"]
[[checks]]
name = "tests"
kind = "tests"
argv = ["sh", "-c", "trim && echo 1 passed && ! grep -q ' $' two.poem"]
[[fixers]]
name = "trim"
fix = ["trim"]
files = ["*.poem"]
"""
FILES: dict[str, str | bytes] = {
    "one.poem": "A line  \nand another\n",
    "two.poem": "Nothing to trim\n",
    "tools/trim": "#!/bin/sh\nexec sed -i 's/ *$//' one.poem two.poem\n",
}


async def test_the_owners_own_fixer_makes_a_pull_request(world: World) -> None:
    """What it makes is what lands; what was asked of the network is kept; a person merges."""
    world.add_target("poems", {**FILES}, TARGET)
    async with world.worker(world.bench()):
        result = await world.run("poems")
    assert RunStatus.PR_OPENED is result.status, result.reason
    diff = (world.settings.artifacts / "runs" / result.run_id / "change.diff").read_text()
    assert "-A line  \n+A line\n" in diff
    contract = world.artifact(result.run_id, "task_contract.json")
    assert ("fixer", "trim", "Fix a finding of trim in `one.poem`") == (
        contract["tool"],
        contract["rule"],
        contract["title"],
    )
    checks = world.artifact(result.run_id, "checks/checks.json")
    assert ([], "green") == (checks["preparedAgain"], checks["results"][0]["status"])
    kept = world.settings.artifacts / "runs" / result.run_id / "checks"
    assert b"sh -c mkdir" in (kept / "environment-prepare.txt").read_bytes()
    assert b"" == (kept / "environment-network.jsonl").read_bytes()


async def test_one_that_misbehaves_first_in_coding_ends_in_a_plain_no(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in an error that is tried again and fails: the reason is told, and the next run passes the idea over."""
    world.add_target("poems", {**FILES}, TARGET)
    well = FixersTool.fix

    def misbehaving(
        tool: FixersTool, tree: SourceTree, contract: TaskContract, policy: EffectivePolicy, bench: ToolRunner
    ) -> None:
        assert bench.environment is not None
        # What is kept is everybody's.
        with TemporaryDirectory() as folder:
            other = shutil.copytree(bench.environment.path, Path(folder, "env"))
            (other / "bin/trim").write_text("#!/bin/sh\necho '#' >> tools/trim\n")
            well(tool, tree, contract, policy, replace(bench, environment=replace(bench.environment, path=other)))

    monkeypatch.setattr(FixersTool, "fix", misbehaving)
    async with world.worker(world.bench()):
        result = await world.run("poems")
        again = await world.run("poems", date="2026-11-24")
    assert RunStatus.REJECTED is result.status, result.reason
    assert "the fixer trim is passed over: it changes what its `files` do not name: tools/trim" in result.reason
    assert RunStatus.NOTHING_TO_DO is again.status, again.reason
