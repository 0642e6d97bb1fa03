"""The table of docs/performance.md, printed line by line; no line fails, as a machine's moods are no bug.

What can be told without noise is held by tests: tests/workflows/test_cost_of_a_run.py,
tests/commands/test_command_line.py, tests/adapters/git/test_cost.py, tests/adapters/git/test_upkeep.py.
"""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.worker import Worker
from world import World

from adapters.forges.local import LocalForge
from adapters.git.mirror import Mirror
from adapters.git.upkeep import tend
from adapters.store.chained_log import ChainedLog
from contracts.pull_request import PullRequest
from tests.adapters.git import conftest, test_cost
from tests.adapters.git.test_upkeep import grown
from tests.bench.raw import Raw, nothing
from tests.workflows.quick import add_target, quick
from workflows import api

clone = conftest.clone
ROOT = Path(__file__).parents[2]
ROUNDS = 3


def cpu() -> float:
    """Seconds of this process and of its children that have ended; the server is not among them."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def cost(work: Callable[[], object], times: int = 1) -> float:
    """Milliseconds of CPU, the best of three rounds."""
    rounds = []
    for _ in range(ROUNDS):
        began = cpu()
        for _ in range(times):
            work()
        rounds.append((cpu() - began) / times * 1000)
    return min(rounds)


async def awaited(work: Callable[[], Awaitable[object]]) -> float:
    """The same of something to await, once."""
    began = cpu()
    await work()
    return (cpu() - began) * 1000


def line(what: str, ours: float, theirs: float, unit: str = "ms CPU") -> None:
    """One row."""
    print(f"{what:58} {ours:9.1f} {theirs:9.1f} {unit:8} {ours / theirs:6.2f} times", flush=True)


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory where there is one."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else None) as folder:
        yield Path(folder)


async def test_a_run(world: World) -> None:
    """Worker and children, and events of the run and Control, against a raw workflow of as many steps."""
    add_target(world, "quick")
    # In a namespace of its own: at its end a world replays every history that is in its.
    client = await Client.connect(world.client.service_client.config.target_host)
    mark = f"raw-{os.getpid()}"
    runs: dict[str, list[float]] = {"raw": [], "DRY_RUN": []}

    async def raw() -> None:
        number = len(runs["raw"])
        await client.execute_workflow("Raw", id=f"{mark}-{number}", task_queue="raw")

    async def events(of: Client, workflow_id: str) -> int:
        return len((await of.get_workflow_handle(workflow_id).fetch_history()).events)

    with ThreadPoolExecutor(8) as threads:
        steps = {"activities": [nothing], "activity_executor": threads}
        async with Worker(client, task_queue="raw", workflows=[Raw], **steps):
            for _ in range(ROUNDS):
                runs["raw"].append(await awaited(raw))
            of_raw = await events(client, f"{mark}-0")
    async with world.worker(quick(world)):
        await world.run("quick", mode="DRY_RUN")
        for _ in range(ROUNDS):
            runs["DRY_RUN"].append(await awaited(lambda: world.run("quick", mode="DRY_RUN", again=True)))
        before = await events(world.client, api.control_id("quick"))
        handle = await world.start("quick")
        pr = await awaited(handle.result)
        of_run = len((await handle.fetch_history()).events)
        of_control = await events(world.client, api.control_id("quick")) - before
    line("DRY_RUN, worker and children, to 13 raw steps", min(runs["DRY_RUN"]), min(runs["raw"]))
    line("PR_ONLY, worker and children, to 13 raw steps", pr, min(runs["raw"]))
    line("PR_ONLY, events of run and Control, to the raw run's", of_run + of_control, of_raw, "events")


@pytest.mark.parametrize("files", [1_000, 10_000])
def test_git_work(memory: Path, monkeypatch: pytest.MonkeyPatch, files: int) -> None:
    """Fetch, work tree, commit, judge, carry, merge, fresh tree: to the same by plain commands."""
    monkeypatch.setattr(test_cost, "FILES", files)
    remote = memory / "remote.git"
    test_cost.make_remote(remote)

    def by(way: Callable[[Path, Path, int], None]) -> Callable[[], None]:
        def once() -> None:
            place = memory / "place"
            place.mkdir()
            way(remote, place, 1)
            shutil.rmtree(place)

        return once

    line(f"git work of a run, {files} files, to plain git", cost(by(test_cost.ours)), cost(by(test_cost.by_hand)))


def test_a_mirror_of_a_thousand_runs(clone: conftest.Clone, memory: Path) -> None:
    """Fetch, tree and anchor, to a fresh mirror; before and after upkeep."""
    mirror = Mirror(memory / "demo.git", str(clone.bare), "main")
    base = mirror.fetch_base()

    def work() -> None:
        mirror.fetch_base()
        mirror.tree_of(base)
        mirror.anchor("run/x", "head")

    fresh = cost(work, 5)
    grown(mirror)
    line("git in a mirror of 1,000 runs, to a fresh one", cost(work, 5), fresh)
    tend(mirror.path)
    line("the same after upkeep", cost(work, 5), fresh)


def test_ten_thousand_ended_runs(clone: conftest.Clone, memory: Path) -> None:
    """Looking for a run's own log and pull request."""
    look_ups = []
    for ended in (100, 10_000):
        place = memory / str(ended)
        mirror = Mirror(place / "demo.git", str(clone.bare), "main")
        mirror.fetch_base()
        pulls = place / "forge" / "pulls"
        pulls.mkdir(parents=True)
        for number in range(1, ended + 1):
            record = PullRequest(
                number=number,
                branch=f"autonomy/{number}",
                base_branch="main",
                head_sha=hashlib.sha1(str(number).encode(), usedforsecurity=False).hexdigest(),
                title="t",
                body="b" * 1500,
                state="closed",
                url="u",
                run_key=f"demo-{number}/open",
            )
            (pulls / f"{number}.json").write_text(record.model_dump_json())
            log = place / "runs" / f"demo-2026-01-01-pr-{number}"
            log.mkdir(parents=True)
            (log / "audit_log.jsonl").touch()
        look_ups.append(cost(partial(looked_up, place, mirror)))
    few, many = look_ups
    line("a run's look-ups in the books, 10,000 ended runs to 100", many, few)


def looked_up(place: Path, mirror: Mirror) -> None:
    """Its day's logs, and every pull request of the local forge in its state."""
    ChainedLog(place).logs(begins="run/demo-2026-11-26-")
    LocalForge(place / "forge", mirror, "main").pull_requests()


@pytest.mark.parametrize("words", [["--help"], ["status", "--help"], ["report", "--help"], ["worker"]])
def test_a_command(words: list[str]) -> None:
    """To the interpreter alone."""
    program = ["-c", "import composition.worker"] if words == ["worker"] else ["starter.py", *words]

    def typed(*argv: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, *argv], cwd=ROOT, capture_output=True, check=True)

    line(f"starter {' '.join(words)}, to python alone", cost(typed(*program)), cost(typed("-c", "")))
