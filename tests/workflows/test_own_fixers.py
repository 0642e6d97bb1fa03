"""A whole run in a language of nobody's: prepared by its own commands, mended by its own fixer, checked offline."""

from __future__ import annotations

from world import World

from contracts.modes import RunStatus

TARGET = """
[environment]
prepare = [["sh", "-c", "mkdir -p /env/bin && cp tools/trim /env/bin/trim && chmod 755 /env/bin/trim"]]
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
