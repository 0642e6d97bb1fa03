"""What checks of the base tell of a target's tests: listed by the first run, and by one that reuses their results."""

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


async def test_what_a_check_of_the_base_left_is_listed(world: World) -> None:
    """A person sees it, with its place, from the first run on; no run takes it, and its paper is kept with it."""
    world.add_target("auto", FILES, TARGET)
    person_commits(world, "pkg/a.py", "one = 1\ntwo = 2\n")
    async with world.worker(world.bench()):
        first = await world.run("auto")
        assert RunStatus.PR_OPENED is first.status, first.reason
        # The base's checks are not run again; what they left is shown all the same.
        second = await world.run("auto", again=True)
    assert RunStatus.NOTHING_TO_DO is second.status, second.reason
    line = "pkg/a.py:2 1 line of the last 1 commit not run by tests: 2"
    for run_id in (first.run_id, second.run_id):
        kept = world.settings.artifacts / "runs" / run_id / "checks" / "base-tests-coverage.txt"
        assert kept.read_bytes().startswith(b"SF:/work/pkg/a.py")
        listed = {
            each["rule"]: f"{each['path']}:{each['line']} {each['message']}"
            for each in world.artifact(run_id, "state_snapshot.json")["findings"]
            if each["tool"] == "tests"
        }
        assert {"no-assertion": "test_a.py:1 test_a: its body is empty", "uncovered": line} == listed
        assert run_id == world.artifact(run_id, "lookups/coverage.json")["runId"]
    candidates = world.artifact(second.run_id, "candidate_tasks.json")["candidates"]
    assert [True, True] == [each["needsPerson"] for each in candidates]
