"""``starter.py rollback``, typed: accepted, refused with the reason, escalated; what ``--json`` prints."""

from __future__ import annotations

import asyncio

from aftermath import BROKEN, CHECK, after_a_run, hasten
from shell import shell_of
from world import World, git

from contracts.rollback import TargetMemory
from tests.workflows.quick import Turnstile, quick, stopping
from workflows import api

WHY = ("--reason", "it hurts")


def prepared(world: World) -> None:
    """The target ``demo``, with windows of seconds."""
    hasten(world, write_seconds=30)
    world.write_target("demo", "\n[environment]\nbuild = false\n" + CHECK, rollback_strategy="revert_commit")


async def test_a_merge_is_rolled_back_once(world: World) -> None:
    """0 and the result; 11 with the reason for what merged nothing, is unknown, or was rolled back; 2 for a typo."""
    prepared(world)
    shell = shell_of(world)
    async with world.worker(quick(world)):
        after = await after_a_run(world)
        run_id = after.run.run_id
        before = after.tree()
        nothing = await shell.typed("rollback", run_id, *WHY)
        unknown = await shell.typed("rollback", "demo-2020-01-01-auto-1", *WHY)
        nobody = await shell.typed("rollback", "nobody-2020-01-01-auto-1", *WHY)
        typo = await shell.typed("rollback", "demo", *WHY)
        empty = await shell.typed("rollback", run_id)
        await after.merge(BROKEN)
        done = await shell.typed("rollback", run_id, *WHY, "--wait", "--json")
        again = await shell.typed("rollback", run_id, *WHY, "--json")
        why = await shell.typed("why", run_id, "--json")
    assert (11, True) == (nothing.status, "it merged nothing" in nothing.err)
    assert (11, True) == (unknown.status, "no such run is in Control's books" in unknown.err)
    assert (11, True) == (nobody.status, "no Control of nobody is open" in nobody.err)
    assert (2, 2) == (typo.status, empty.status)
    assert (0, "restored", before) == (done.status, done.json["outcome"], done.json["restoredTree"]), done.err
    assert before == after.tree()
    assert (11, False) == (again.status, again.json["accepted"])
    assert "it was rolled back already" == again.json["verdict"]["reason"]
    asked = why.json["rollback"]
    assert ("allow", before) == (asked["decision"], asked["facts"]["restoredTree"])
    assert "restored: health confirmed 2 times in a row" == asked["reason"]


async def test_a_persons_merge_of_its_pull_request_is_rolled_back(world: World) -> None:
    """By whoever orders it, and at once: the follow-up would have looked in five minutes only."""
    prepared(world)
    hasten(world, write_seconds=30, poll_first_minutes=5.0, poll_most_minutes=360.0)
    shell = shell_of(world)
    async with world.worker(quick(world)):
        after = await after_a_run(world)
        run_id, before = after.run.run_id, after.tree()
        still_open = await shell.typed("rollback", run_id, *WHY)
        (branch,) = (ref.removeprefix("refs/heads/") for ref in world.autonomy_branches())
        git("fetch", "--quiet", str(world.remote), branch, cwd=after.work)
        git("merge", "--quiet", "--no-ff", "--message=Yes", "FETCH_HEAD", cwd=after.work)
        after.push()
        done = await shell.typed("rollback", run_id, *WHY, "--wait", "--json")
        lists = [(await shell.typed(*words)).out for words in (("runs", "demo"), ("status", "demo"))]
        why = await shell.typed("why", run_id)
        pull = await shell.typed("pr", "show", "demo", "1")
    assert ("merged, then rolled back" in pull.out, "<!--" in pull.out) == (True, False), pull.out
    assert [(True, False)] * 2 == [("ROLLED BACK" in text, "MERGED by" in text) for text in lists], lists
    assert ("undone, exactly: restored" in why.out, "ROLLED BACK" in why.out) == (True, False), why.out
    assert (11, True) == (still_open.status, "seen nobody merge" in still_open.err), still_open
    assert (0, "restored", before) == (done.status, done.json["outcome"], done.json["restoredTree"]), done.err
    assert before == after.tree()
    told = [(record.event, record.facts.get("who")) for record in after.log() if "merged" in record.event]
    assert [("merged by a person", "name@example.invalid")] == told


async def test_what_needs_a_person_says_so(world: World) -> None:
    """12, escalated, with the reason; its one rollback is over then."""
    prepared(world)
    shell = shell_of(world)
    async with world.worker(quick(world)):
        after = await after_a_run(world)
        merged = await after.merge(BROKEN)
        git("reset", "--quiet", "--hard", merged.parent_sha, cwd=after.work)
        after.push("--force")
        escalated = await shell.typed("rollback", after.run.run_id, *WHY, "--wait")
        again = await shell.typed("rollback", after.run.run_id, *WHY)
    assert (12, True) == (escalated.status, "its history was replaced" in escalated.out), escalated
    assert (11, True) == (again.status, "a person goes on by hand" in again.err)


async def test_a_rollback_that_was_terminated_by_hand_is_a_persons(world: World) -> None:
    """Break-glass while --wait waits: 12 and one sentence; the idea is in quarantine all the same."""
    prepared(world)
    shell = shell_of(world)
    turnstile = Turnstile()
    async with world.worker(stopping(world, turnstile)):
        after = await after_a_run(world)
        await after.merge(BROKEN)
        turnstile.close(**{api.rollback_id(after.run.run_id): "effect"})
        waiting = asyncio.create_task(shell.typed("rollback", after.run.run_id, *WHY, "--wait"))
        await world.until(turnstile.all_reached())
        await after.rollback().terminate("break-glass")
        stopped = await waiting
        turnstile.open()
        kept: TargetMemory = await world.control().query(api.AFTERCARE, result_type=TargetMemory)
    assert (12, True) == (stopped.status, "its workflow ended without a result" in stopped.err), stopped
    assert ["escalated"] == [one.stage for one in kept.merges]
    assert ([after.task_id], 1) == ([one.idea.task_id for one in kept.quarantined], len(kept.hardening))
