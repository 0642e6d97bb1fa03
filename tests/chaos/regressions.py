"""Regressions made from a seed: what lands, what it does to checks and probes, and what must come of it (P11).

Each kind is one world: a run, our merge, ``FollowUp``, and Control's own decision. The probe is a URL of this process,
so that it can flap and hang; checks, git, sandbox, Control and writes are the real ones.
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from aftermath import BROKEN, CHECK, Aftermath, after_a_run, hasten
from rollback_checker import check_rollbacks
from world import World

from contracts.modes import Mode
from contracts.rollback import Merged, RollbackOutcome

KINDS = (
    "failing test",
    "failing probe",
    "flaky probe",
    "slow probe",
    "later human commit",
    "conflict",
    "failure that was there before us",
    "remote down",
)
SEED = int(os.environ.get("REGRESSION_SEED", "20261123"))
Answer = Callable[[str], int]
"""SHA to HTTP status; it may sleep."""


@contextmanager
def probe_server(answer: list[Answer]) -> Iterator[str]:
    """A service whose health is what ``answer[0]`` says of a SHA; its URL with the place for the SHA."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status = answer[0](self.path.strip("/"))
            try:
                self.send_response(status)
                self.end_headers()
            except OSError:
                # Whoever asked has gone: that is what a slow probe is about.
                return

        def log_message(self, *given: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/{{sha}}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def prepared(world: World, dice: random.Random, url: str = "", seconds: float = 20) -> str:
    """Policy and target of one generated case; the chosen strategy. Only what is meant to be late may be late."""
    hasten(world, confirmations=3, write_seconds=30)
    strategy = dice.choice(["revert_commit", "revert_pr"])
    probe = f'\n[[probes]]\nname = "service"\nurl = "{url}"\nseconds = {seconds}\n' if url else ""
    quick = "\n[environment]\nbuild = false\n"
    world.write_target("demo", quick + CHECK + probe, rollback_strategy=strategy)
    return strategy


async def regress(world: World, kind: str, dice: random.Random) -> None:
    """One case from beginning to end; raises when it is answered wrongly. A worker must be running."""
    answer: list[Answer] = [lambda sha: 200]
    probing = kind.endswith("probe")
    with probe_server(answer) as url:
        prepared(world, dice, url if probing else "", 1 if kind == "slow probe" else 20)
        after = await after_a_run(world)
        if kind == "failure that was there before us":
            after.commit(dict(BROKEN), "Broken by a person, before ours")
        before = after.tree()
        merged = await after.merge(_harm(dice, harmless=probing or kind == "failure that was there before us"))
        answer[0] = _service(kind, merged, dice)
        if kind == "conflict":
            after.commit({"pkg/__init__.py": f'def names():\n    return ["{dice.random()}"]\n'}, "The same lines")
        if kind == "later human commit":
            for number in range(dice.randint(1, 3)):
                after.commit({f"notes/{number}.txt": f"{dice.random()}\n"}, "Later, elsewhere")
        ours = kind in {"failing test", "failing probe", "later human commit", "conflict", "remote down"}
        if kind == "remote down":
            await _down_in_the_middle(after, merged)
        else:
            end = await after.follow(merged)
            assert ("regression" == end.outcome) is ours, (kind, end)
        if not ours:
            view = await world.status()
            assert ((), Mode.PR_ONLY) == (view.rollbacks, view.mode), kind
            assert after.head() == merged.merge_sha, "nothing may have been written"
            return
        result = await after.rolled_back()
        if kind == "conflict":
            assert RollbackOutcome.ESCALATED is result.outcome, result
            assert "same lines" in result.reason
        else:
            assert RollbackOutcome.RESTORED is result.outcome, result
            assert after.tree() == result.expected_tree == result.restored_tree
            assert (after.tree() == before) is (kind != "later human commit")
            assert after.without_ours(merged) == after.tree()
        assert Mode.DRY_RUN is (await world.status()).mode
        await check_rollbacks(world)


def _harm(dice: random.Random, *, harmless: bool) -> dict[str, str]:
    if harmless:
        return {f"docs/{dice.randint(0, 99)}.md": f"{dice.random()}\n"}
    wrong = dice.choice(['["a"]', '["b", "a"]', "None", "1 / 0", f'["{dice.random()}"]'])
    more = {f"docs/{dice.randint(0, 99)}.md": "more\n"} if dice.random() < 0.5 else {}
    return {"pkg/__init__.py": f"def names():\n    return {wrong}\n", **more}


def _service(kind: str, merged: Merged, dice: random.Random) -> Answer:
    if kind == "failing probe":
        return lambda sha: 500 if sha == merged.merge_sha else 200
    if kind == "flaky probe":
        share = dice.uniform(0.3, 0.7)
        return lambda sha: 500 if dice.random() < share else 200
    if kind == "slow probe":

        def slow(sha: str) -> int:
            time.sleep(dice.uniform(1.5, 3))
            return 200

        return slow
    return lambda sha: 200


async def _down_in_the_middle(after: Aftermath, merged: Merged) -> None:
    """The remote goes away once the rollback is ordered, and comes back."""
    place = after.world.remote
    gone = place.with_name("gone.git")
    handle = await after.following(merged)

    async def ordered() -> bool:
        return bool((await after.world.status()).rollbacks)

    await after.world.until(ordered)
    place.rename(gone)
    await asyncio.sleep(2)
    gone.rename(place)
    end = await asyncio.wait_for(handle.result(), 120)
    assert "regression" == end.outcome
