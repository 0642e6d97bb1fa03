"""The table of docs/performance.md, printed line by line; no line fails, as a machine's moods are no bug.

What can be told without noise is held by tests: tests/workflows/test_cost_of_a_run.py,
tests/commands/test_command_line.py, tests/adapters/git/test_cost.py, tests/adapters/git/test_upkeep.py.
"""

import asyncio
import ctypes
import hashlib
import itertools
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from temporalio.client import Client
from temporalio.worker import Worker
from world import World, make_world

import composition
from adapters.forges.local import LocalForge
from adapters.git.mirror import Mirror
from adapters.git.upkeep import tend
from adapters.store.chained_log import ChainedLog
from adapters.store.run_index import RunIndex
from adapters.temporal.embedded_server import find_server, free_port
from contracts.audit import AuditEvent
from contracts.modes import Mode, RunStatus
from contracts.pull_request import PullRequest
from contracts.rollback import Idea
from tests.adapters.git import conftest, test_cost
from tests.adapters.git.test_upkeep import grown
from tests.bench.raw import PlainSteps, Raw, RawWithGit, nothing
from tests.workflows.quick import add_target, quick
from workflows import api

clone = conftest.clone
ROOT = Path(__file__).parents[2]
ROUNDS = 3
_CHILD_SUBREAPER = 36
"""Of prctl(2)."""
_SMALL = (
    b"commit refs/heads/main\ncommitter P <p@localhost.invalid> 1700000000 +0000\ndata 1\nx\n"
    b"M 100644 inline README.md\ndata 2\nx\n\nM 100644 inline pkg/__init__.py\ndata 2\ny\n\n"
)
"""As many files as the target of a quick run."""


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


def line(what: str, ours: float, theirs: float, unit: str = "ms CPU") -> None:
    """One row."""
    print(f"{what:58} {ours:9.1f} {theirs:9.1f} {unit:8} {ours / theirs:6.2f} times", flush=True)


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in memory where there is one."""
    shared = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shared if os.access(shared, os.W_OK) else None) as folder:
        yield Path(folder)


@dataclass(frozen=True)
class Served:
    """A server of the bench's own, so that its CPU time counts."""

    address: str
    pid: int

    def __post_init__(self) -> None:
        """Whatever a jail's first process leaves to its parent's parent is ours to count."""
        ctypes.CDLL(None).prctl(_CHILD_SUBREAPER, 1, 0, 0, 0)

    async def cost(self, work: Callable[[], Awaitable[object]], times: int) -> float:
        """Milliseconds of CPU of this process, its children and the server for one of ``times`` in a row."""
        began = cpu() + self._cpu()
        for _ in range(times):
            await work()
        # What the server does behind an answer belongs to it.
        await asyncio.sleep(0.3)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:  # noqa: ASYNC222  # it does not wait
                pass
        return (cpu() + self._cpu() - began) / times * 1000

    def _cpu(self) -> float:
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    """It keeps its books in a file, as the product's does."""
    running = await composition.start_embedded_server(tmp_path / "temporal.db", tmp_path / "server.log")
    yield Served(running.address, running.process.pid)
    await running.stop()


async def test_a_run(served: Served, tmp_path: Path, environments: Path) -> None:
    """With the server's share, against raw steps, and against those with artifacts and plain git; and its events."""
    world = await make_world(tmp_path / "world", served.address, environments)
    world.jailed = True
    place = tmp_path / "plain"
    test_cost.plain("init", "--quiet", "--bare", "-b", "main", str(place / "remote.git"))
    test_cost.plain("fast-import", "--quiet", stdin=_SMALL, GIT_DIR=str(place / "remote.git"))
    names = itertools.count()
    costs: dict[str, list[float]] = defaultdict(list)
    counts: list[tuple[int, int]] = []

    async def raw(workflow: str, *given: object) -> object:
        handle = await world.client.start_workflow(
            workflow, args=given, id=f"raw-{next(names)}", task_queue="raw", execution_timeout=timedelta(seconds=60)
        )
        return await handle.result()

    async def events(workflow_id: str) -> int:
        return len((await world.client.get_workflow_handle(workflow_id).fetch_history()).events)

    for turn in range(ROUNDS):
        with ThreadPoolExecutor(8) as threads:
            steps = {"activities": [nothing, PlainSteps(test_cost.plain).work], "activity_executor": threads}
            async with Worker(world.client, task_queue="raw", workflows=[Raw, RawWithGit], **steps):
                await raw("RawWithGit", str(place), True)
                costs["raw"].append(await served.cost(lambda: raw("Raw"), 4))
                for mode in ("DRY_RUN", "PR_ONLY"):
                    work = partial(raw, "RawWithGit", str(place), mode == "PR_ONLY")
                    costs[f"plain {mode}"].append(await served.cost(work, 4))
        name = f"quick{turn}"
        add_target(world, name)
        bench = quick(world)
        # All that a run costs as shipped: effects in their jail, and what words do compared in the sandbox.
        bench = replace(bench, measures=replace(bench.measures, words_alone=False))
        async with world.worker(bench):
            await world.run(name, mode="DRY_RUN")
            costs["DRY_RUN"].append(await served.cost(lambda: world.run(name, mode="DRY_RUN", again=True), 2))  # noqa: B023
            before = await events(api.control_id(name))
            costs["PR_ONLY"].append(await served.cost(lambda: world.run(name, workflow_id=name), 1))  # noqa: B023
            counts.append((await events(name), await events(api.control_id(name)) - before))
    best = {what: min(found) for what, found in costs.items()}
    for mode in ("DRY_RUN", "PR_ONLY"):
        line(f"{mode}, server included, to 13 raw steps", best[mode], best["raw"])
        line(f"{mode}, to raw steps with artifacts and plain git", best[mode], best[f"plain {mode}"])
    line("PR_ONLY, events of run and Control, to the raw run's", min(map(sum, counts)), await events("raw-1"), "events")


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


async def test_runs_in_long_books(served: Served, tmp_path: Path, environments: Path) -> None:
    """Whole runs where 10,000 of the target have ended, to one where 100 have, in turns."""
    costs: dict[tuple[str, int], list[float]] = defaultdict(list)
    for turn, ended in itertools.product(range(ROUNDS), (100, 10_000)):
        world = await make_world(tmp_path / f"{turn}-{ended}", served.address, environments)
        add_target(world, "quick")
        async with world.worker(quick(world)):
            first = await world.run("quick", mode="DRY_RUN")
            lengthen(world, first.run_id, ended)
            # A worker reads each record once.
            await world.run("quick", mode="DRY_RUN", again=True)
            for mode, workflow_id in (("DRY_RUN", "dry"), ("PR_ONLY", "pr")):
                work = partial(world.run, "quick", workflow_id=workflow_id, mode=mode, again=True)
                costs[mode, ended].append(await served.cost(work, 1))
    for mode in ("DRY_RUN", "PR_ONLY"):
        line(f"{mode} in the books of 10,000 ended runs, to 100", min(costs[mode, 10_000]), min(costs[mode, 100]))


def lengthen(world: World, run_id: str, ended: int) -> None:
    """As if so many runs had ended since, each with a pull request about a file of its own, closed or merged."""
    runs, pulls = world.settings.home / "artifacts" / "runs", world.settings.home / "forge" / "quick" / "pulls"
    pulls.mkdir(parents=True, exist_ok=True)
    index = RunIndex(runs.parent)
    (like,) = index.latest(1, "quick")
    (base,) = (sha for ref, sha in world.refs("quick").items() if ref == "refs/heads/main")
    lines, anchors = [], []
    # As of a month ago: what was written today, a run reads to tell strangers by.
    kept = shutil.copytree(runs / run_id, world.root / "kept")
    for file in kept.rglob("*"):
        os.utime(file, (0, 0))
    for number in range(1, ended + 1):
        name = f"quick-2026-01-01-pr-{number}"
        idea = Idea(task_id=f"t{number}", title="t", tool="codespell", rule="docs", paths=(f"docs/{number}.md",))
        changes = {"status": RunStatus.PR_OPENED, "pull_request": number, "idea": idea, "task_id": f"t{number}"}
        lines.append(like.model_copy(update=changes | {"run_id": name, "mode": Mode.PR_ONLY}).model_dump_json())
        (runs / name).mkdir()
        for file in ("audit_log.jsonl", "run_report.json", "run_report.html", "policy.json", "history.json.gz"):
            (runs / name / file).hardlink_to(kept / file)
        pull = PullRequest(
            number=number,
            branch=f"autonomy/quick/{number}",
            base_branch="main",
            head_sha=base if number % 2 else hashlib.sha1(name.encode(), usedforsecurity=False).hexdigest(),
            title="t",
            body="b" * 1500,
            state="merged" if number % 2 else "closed",
            url="u",
            run_key=f"{name}/open_pull_request",
        )
        (pulls / f"{number}.json").write_text(pull.model_dump_json())
        anchors.append(f"update refs/autonomy/anchors/run/{name} {base}\n")
    log = ChainedLog(runs.parent)
    of_a_run = list(log.records("target/quick"))
    events = (
        AuditEvent(key=f"{number}/{each.key}", role=each.role, event=each.event, facts=each.facts)
        for number in range(1, ended + 1)
        for each in of_a_run
    )
    log.append("target/quick", tuple(events), datetime(2026, 1, 1, tzinfo=UTC))
    with (runs / "index.jsonl").open("a") as file:
        file.writelines(f"{each}\n" for each in lines)
    (mirror,) = world.settings.mirrors.glob("quick-*.git")
    for command in (("update-ref", "--stdin"), ("pack-refs", "--all")):
        test_cost.plain(*command, stdin="".join(anchors).encode(), GIT_DIR=str(mirror))


@pytest.mark.parametrize("words", [["--help"], ["status", "--help"], ["report", "--help"], ["worker"]])
def test_a_command(words: list[str]) -> None:
    """To the interpreter alone."""
    program = ["-c", "import composition.worker"] if words == ["worker"] else ["starter.py", *words]

    def typed(*argv: str) -> Callable[[], object]:
        return lambda: subprocess.run([sys.executable, *argv], cwd=ROOT, capture_output=True, check=True)

    line(f"starter {' '.join(words)}, to python alone", cost(typed(*program)), cost(typed("-c", "")))


def test_up(tmp_path: Path) -> None:
    """From the command to ready on a fresh home, to the bare server on a fresh database until it answers a client."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TEMPORAL_", "AUTONOMY_"))}
    ours, bare = [], []
    for number in range(ROUNDS):
        began, home = time.monotonic(), tmp_path / str(number)
        ports = ["--port", str(free_port()), "--ui-port", str(free_port())]
        argv, given = [sys.executable, "starter.py", "up", *ports], environment | {"AUTONOMY_HOME": str(home)}
        up = subprocess.Popen(argv, cwd=ROOT, env=given, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        with ended(up):
            any(b"a worker runs" in said for said in up.stderr or ())
            ours.append(time.monotonic() - began)
        began, port = time.monotonic(), free_port()
        argv = [str(find_server()), "server", "start-dev", "--port", str(port), "--ui-port", str(free_port())]
        server = subprocess.Popen([*argv, "--db-filename", str(tmp_path / f"{number}.db")], stdout=subprocess.DEVNULL)
        with ended(server):
            asyncio.run(answers(f"127.0.0.1:{port}"))
            bare.append(time.monotonic() - began)
    line("up to ready, to the bare server", min(ours) * 1000, min(bare) * 1000, "ms wall")


@contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """In order, whatever came of it."""
    try:
        yield
    finally:
        process.terminate()
        process.communicate(timeout=30)


async def answers(address: str) -> None:
    """A server that has just begun listens before it answers."""
    for _ in range(1_000):
        with suppress(RuntimeError):
            await Client.connect(address)
            return
        await asyncio.sleep(0.02)
