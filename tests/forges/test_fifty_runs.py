"""Whole runs through a forge that fails at every call, before and after it acts (issue 6, "Done when").

Fifty runs: each call of a run fails once before it acted, in the first half of them, and once after it acted.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from faulty_proxy import Call, Fault, FaultyProxy
from gitea_server import GiteaServer
from gitea_world import host, point, set_policy
from world import World, git

from adapters.store.chained_log import ChainedLog
from contracts.clearance import WriteAnswerKind, WriteRequest
from contracts.messages import BEGIN_WRITE, SETTLE_WRITE, Message
from contracts.modes import RunStatus, WriteAction
from tests.workflows.quick import CHECK, quick

RUNS, SEED = 50, 20260806
BEFORE, AFTER = ("cut_before", "fail_before"), ("cut_after", "fail_after", "half")
FURTHEST = 400
WRITE_SECONDS = 15
WRITES = {
    WriteAction.PUSH_BRANCH: re.compile(r"POST .*/git-receive-pack$"),
    WriteAction.OPEN_PULL_REQUEST: re.compile(r"POST .*/pulls$"),
}


def faults(run: int) -> list[Fault]:
    """Every twenty-fifth call of this run, each with a kind of its own."""
    dice, half = random.Random(SEED + run), RUNS // 2  # noqa: S311  # to be repeated
    kinds = BEFORE if run < half else AFTER
    return [Fault(dice.choice(kinds), at=call) for call in range(run % half, FURTHEST, half)]


@dataclass
class Window:
    """From the moment Control cleared a write until its end is told, or its child must be dead."""

    target: str
    asked: WriteRequest
    opened: float
    closed: float


@dataclass
class Books:
    """The real Control desk; what it cleared, and when, on the clock that the proxy uses."""

    real: Any
    windows: list[Window] = field(default_factory=list)

    def ask(self, target: str, message: Message[Any, Any], request: Any) -> Any:
        """A GO opens a window; telling the end closes it."""
        sent = time.monotonic()
        for window in self.windows if message is SETTLE_WRITE else ():
            if (window.asked.key, window.asked.attempt) == (request.key, request.attempt):
                window.closed = min(window.closed, sent)
        answer = self.real.ask(target, message, request)
        if message is BEGIN_WRITE and answer.answer is WriteAnswerKind.GO:
            self.windows.append(Window(target, request, time.monotonic(), sent + request.seconds))
        return answer

    def __getattr__(self, name: str) -> Any:
        """Everything else as it is."""
        return getattr(self.real, name)

    def uncleared(self, target: str, calls: list[Call]) -> Iterator[str]:
        """Requests that would write, outside every window for just that write."""
        for call in calls:
            what = f"{call.method} {call.path}"
            if call.method == "GET" or call.path.endswith("/git-upload-pack"):
                continue
            fitting = [
                window
                for window in self.windows
                if window.target == target
                and WRITES[window.asked.action].match(what)
                and window.opened <= call.at <= window.closed
            ]
            if not fitting:
                yield what


@pytest.fixture
def world(beside_gitea: World) -> World:
    """Short leases."""
    set_policy(beside_gitea, write_seconds=WRITE_SECONDS)
    return beside_gitea


async def one_run(world: World, gitea: GiteaServer, books: Books, number: int) -> int:
    """One whole DailyRun of a target of its own; how many of its faults happened."""
    name = f"fault{number}"
    hosted = host(world, gitea, name)
    with FaultyProxy(gitea.address, faults=faults(number)) as proxy:
        point(world, hosted, CHECK, name, remote=f"{proxy.address}/{hosted.repository}.git")
        result = await asyncio.wait_for((await world.start(name)).result(), 500)
        calls = list(proxy.calls)
        happened = sum(fault.times == 0 for fault in proxy.faults)
    assert RunStatus.PR_OPENED is result.status, (number, result.reason)
    [pull] = hosted.pulls()
    [branch] = [each for each in hosted.branches() if each != "main"]
    assert (branch, hosted.head(branch)) == (pull["head"]["ref"], pull["head"]["sha"]), number
    assert [] == list(books.uncleared(name, calls)), number
    assert any(call.path.endswith("/git-receive-pack") for call in calls)
    # What was cleared is in both logs: Control's books, and the run's own, before anything was written (P10).
    log = ChainedLog(world.settings.artifacts)
    begun = {str(each.facts["key"]) for each in log.records(f"target/{name}") if each.event == "write begun"}
    cleared = [each.key for each in log.records(f"run/{result.run_id}") if each.event == "write cleared"]
    for window in books.windows:
        if window.target == name:
            assert window.asked.key in begun
            assert any(key.startswith(f"{window.asked.key}/cleared/{window.asked.attempt}") for key in cleared)
    git("fsck", "--no-dangling", cwd=hosted.folder)
    print(f"run {number}: seed {SEED + number}, {happened} faults in {len(calls)} calls")
    return happened


async def all_of(world: World, gitea: GiteaServer, numbers: list[int], side_by_side: int) -> int:
    """Runs with faults; how many faults there were."""
    books, gate = Books(world.bench().control), asyncio.Semaphore(side_by_side)

    async def one(number: int) -> int:
        async with gate:
            return await one_run(world, gitea, books, number)

    async with world.worker(quick(world, control=books)):
        return sum(await asyncio.gather(*(one(number) for number in numbers)))


@pytest.mark.timeout(900)
async def test_some_of_the_fifty(world: World, gitea: GiteaServer) -> None:
    """A few of them, at other calls each; exactly one pull request, and no write without a clearance."""
    assert await all_of(world, gitea, [9, 28, 46], side_by_side=3) >= 3


@pytest.mark.sweep
@pytest.mark.timeout(7200)
async def test_fifty_runs_each_with_one_pull_request(world: World, gitea: GiteaServer) -> None:
    """Every call fails once before it acted and once after it acted: one pull request each, 0 writes uncleared."""
    assert await all_of(world, gitea, list(range(RUNS)), side_by_side=4) >= RUNS
