"""What earlier runs tell of a target's tests, over two of them: kept by the first, listed by the second."""

from __future__ import annotations

from world import World

from contracts.modes import RunStatus
from tests.workflows.auto import person_commits

TARGET = """
[[checks]]
name = "tests"
kind = "tests"
argv = ["sh", "-c", "printf 'SF:/work/pkg/a.py\\\\nDA:1,1\\\\nDA:2,0\\\\n' > lcov.info; echo 1 passed"]
"""
FILES: dict[str, str | bytes] = {
    "pyproject.toml": '[project]\nname = "pkg"\nversion = "1"\nrequires-python = ">=3.9"\n',
    "pkg/a.py": "one = 1\n",
    "README.md": "# pkg\n\nYou recieve it.\n",
    "test_a.py": "def test_a():\n    pass\n",
}


async def test_what_a_check_left_is_listed_by_the_next_run(world: World) -> None:
    """A person sees it, with its place; no run takes it, and its paper is kept with both."""
    world.add_target("auto", FILES, TARGET)
    person_commits(world, "pkg/a.py", "one = 1\ntwo = 2\n")
    async with world.worker(world.bench()):
        first = await world.run("auto")
        assert RunStatus.PR_OPENED is first.status, first.reason
        second = await world.run("auto", again=True)
    assert RunStatus.NOTHING_TO_DO is second.status, second.reason
    kept = world.settings.artifacts / "runs" / first.run_id / "checks" / "tests-coverage.txt"
    assert kept.read_bytes().startswith(b"SF:/work/pkg/a.py")

    def listed(run_id: str) -> dict[str, str]:
        found = world.artifact(run_id, "state_snapshot.json")["findings"]
        return {
            each["rule"]: f"{each['path']}:{each['line']} {each['message']}"
            for each in found
            if each["tool"] == "tests"
        }

    empty = {"no-assertion": "test_a.py:1 test_a: its body is empty"}
    assert empty == listed(first.run_id)
    line = "pkg/a.py:2 1 line of the last 1 commit not run by tests: 2"
    assert empty | {"uncovered": line} == listed(second.run_id)
    assert first.run_id == world.artifact(second.run_id, "lookups/coverage.json")["runId"]
    candidates = world.artifact(second.run_id, "candidate_tasks.json")["candidates"]
    assert [True, True] == [each["needsPerson"] for each in candidates]
