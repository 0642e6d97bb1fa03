"""Rollbacks that something stops, holds or forbids: each ends as the runbook wants, recorded (issue: bad input)."""

from __future__ import annotations

import asyncio
import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from aftermath import BROKEN, CHECK, Aftermath, after_a_run, hasten
from world import World, git

from contracts.control import PauseRequest
from contracts.handover import RunRef
from contracts.modes import Mode, TargetStatus
from contracts.rollback import RollbackOutcome, RollbackResult, TargetMemory
from tests.workflows.quick import Turnstile, quick, stopping
from workflows import api

QUICK = "\n[environment]\nbuild = false\n" + CHECK
HANGS = '\n[[probes]]\nname = "hangs"\nargv = ["sleep", "600"]\nseconds = 1\n'
ABSENT = '\n[[probes]]\nname = "absent"\nargv = ["no-such-program"]\n'


def prepared(world: World, more: str = QUICK, strategy: str = "revert_commit", write_seconds: int = 20) -> None:
    """The target ``demo``, with windows of seconds."""
    hasten(world, write_seconds=write_seconds)
    world.write_target("demo", more, rollback_strategy=strategy)


async def at_its_first_effect(world: World, turnstile: Turnstile, after: Aftermath) -> None:
    """A person's rollback stands between its first clearance and the push."""
    turnstile.close(**{api.rollback_id(after.run.run_id): "effect"})
    assert (await after.order()).accepted
    await world.until(turnstile.all_reached())


async def test_a_pause_in_the_middle_holds_the_next_write_until_a_person_commands_it(world: World) -> None:
    """P1: what was cleared ends; the next write waits for a command newer than the pause; the pause stays."""
    prepared(world, strategy="revert_pr")
    turnstile = Turnstile()
    async with world.worker(stopping(world, turnstile)):
        after = await after_a_run(world)
        before = after.tree()
        merged = await after.merge(BROKEN)
        await at_its_first_effect(world, turnstile, after)
        await world.control().signal(api.PAUSE, PauseRequest(reason="odd", actor="ann"))

        async def paused() -> bool:
            return (await world.status()).status is TargetStatus.PAUSED

        await world.until(paused)
        turnstile.open()

        async def held() -> bool:
            seen: RollbackResult = await after.rollback().query(api.VIEW, result_type=RollbackResult)
            return seen.reason.startswith("held before open_pull_request")

        await world.until(held)
        await asyncio.sleep(6)
        assert await held(), "it asked again meanwhile"
        assert merged.merge_sha == after.head()
        assert (await after.order()).accepted
        result = await after.rolled_back()
        assert (RollbackOutcome.RESTORED, before) == (result.outcome, after.tree()), result.reason
        assert await paused()
        landed = git("show", "--no-patch", "--format=%H %s", "main", cwd=world.remote)
        assert f"{result.revert_sha} Merge pull request #2: Roll back {after.run.run_id}" == landed
    pulls = sorted((world.settings.home / "forge" / "demo" / "pulls").glob("[0-9]*.json"))
    bodies = [json.loads(path.read_text())["body"] for path in pulls]
    (shown,) = [body for body in bodies if "Undoes pull request #" in body]
    assert f"INC-{after.run.run_id}-regression" in shown
    assert "Ordered by `" in shown


async def test_a_remote_that_goes_away_between_two_writes(world: World) -> None:
    """Could not find out is no answer: asked again until the remote is back, and then written once."""
    prepared(world, strategy="revert_pr", write_seconds=8)
    turnstile = Turnstile()
    gone = world.remote.with_name("gone.git")
    async with world.worker(stopping(world, turnstile)):
        after = await after_a_run(world)
        before = after.tree()
        merged = await after.merge(BROKEN)
        await at_its_first_effect(world, turnstile, after)
        world.remote.rename(gone)
        turnstile.open()

        async def asked_again() -> bool:
            now = (await after.rollback().describe()).raw_description.pending_activities
            return any(step.attempt > 1 for step in now)

        await world.until(asked_again)
        gone.rename(world.remote)
        result = await after.rolled_back(120)
        assert (RollbackOutcome.RESTORED, before) == (result.outcome, after.tree()), result.reason
        assert "1" == git("rev-list", "--first-parent", "--count", f"{merged.merge_sha}..main", cwd=world.remote)


async def test_a_person_merges_the_pull_request_that_a_rollback_had_to_leave(world: World) -> None:
    """Escalated on a protected base with its pull request open: that is followed, and its merge restores."""
    prepared(world, strategy="revert_pr")
    async with world.worker(quick(world)):
        after = await after_a_run(world)
        before = after.tree()
        await after.merge(BROKEN)
        protection = world.remote / "hooks" / "update"
        protection.write_text('#!/bin/sh\n[ "$1" != refs/heads/main ]\n')
        protection.chmod(0o755)
        assert (await after.order()).accepted
        result = await after.rolled_back()
        assert RollbackOutcome.ESCALATED is result.outcome, result.reason

        own = api.rollback_run_id(after.run.run_id)
        follow_up = world.client.get_workflow_handle(api.follow_up_id(own))
        await world.until(follow_up.describe)
        protection.unlink()
        (branch,) = (ref.removeprefix("refs/heads/") for ref in world.autonomy_branches() if "revert" in ref)
        git("fetch", "--quiet", str(world.remote), branch, cwd=after.work)
        git("merge", "--quiet", "--no-ff", "--message=By hand", "FETCH_HEAD", cwd=after.work)
        after.push()
        await follow_up.signal(api.REFRESH)
        ended = await asyncio.wait_for(follow_up.result(), 60)

        kept: TargetMemory = await world.control().query(api.AFTERCARE, result_type=TargetMemory)
        (incident,) = (await world.status()).incidents
    assert (before, ["restored"]) == (after.tree(), [merge.stage for merge in kept.merges])
    assert "merged by" in ended["outcome"], ended
    assert incident.rollback is not None
    assert ("restored", True) == (incident.rollback.outcome, "merged its pull request" in incident.rollback.reason)


async def test_a_base_renamed_in_the_middle_needs_a_person(world: World) -> None:
    """Between two writes: the revert is pushed, its pull request is not opened to a branch that is gone."""
    prepared(world, strategy="revert_pr")
    turnstile = Turnstile()
    async with world.worker(stopping(world, turnstile)):
        after = await after_a_run(world)
        await after.merge(BROKEN)
        await at_its_first_effect(world, turnstile, after)
        seen: RollbackResult = await after.rollback().query(api.VIEW, result_type=RollbackResult)
        assert RollbackOutcome.RUNNING is seen.outcome
        git("branch", "--move", "main", "trunk", cwd=world.remote)
        turnstile.open()
        result = await after.rolled_back()
        assert RollbackOutcome.ESCALATED is result.outcome
        assert "has no branch main any more" in result.reason
        view = await world.status()
        assert (Mode.DRY_RUN, "escalated") == (view.mode, view.incidents[0].rollback.outcome)
        kept: TargetMemory = await world.control().query(api.AFTERCARE, result_type=TargetMemory)
        assert [after.task_id] == [one.idea.task_id for one in kept.quarantined]


async def test_of_two_rollbacks_ordered_at_once_one_happens_first(world: World) -> None:
    """One at a time per target: the other is refused with the reason, and may be ordered when the first has ended."""
    prepared(world)
    async with world.worker(quick(world)):
        one = await after_a_run(world)
        before = one.tree()
        await one.merge({"docs/one.md": "1\n"})
        second = await world.run(again=True)
        run = RunRef.model_validate(world.artifact(second.run_id, "run_report.json")["run"])
        other = Aftermath(world, run, one.task_id)
        await other.merge({"docs/other.md": "2\n"})
        answers = await asyncio.gather(one.order(), other.order())
        assert [False, True] == sorted(answer.accepted for answer in answers)
        first, late = (one, other) if answers[0].accepted else (other, one)
        refused = next(answer for answer in answers if not answer.accepted)
        assert f"{first.run.run_id} is being rolled back; wait" == refused.verdict.reason
        assert RollbackOutcome.RESTORED is (await first.rolled_back()).outcome

        async def ordered() -> bool:
            return (await late.order()).accepted

        await world.until(ordered)
        assert RollbackOutcome.RESTORED is (await late.rolled_back()).outcome
        assert before == one.tree()


@pytest.mark.parametrize(
    ("deed", "reason"), [("force-pushed", "its history was replaced"), ("renamed", "has no branch main any more")]
)
async def test_a_base_that_is_not_what_it_was_needs_a_person(world: World, deed: str, reason: str) -> None:
    """Nothing is written to a branch that does not hold our merge; the incident says so, and DRY_RUN stays."""
    prepared(world)
    async with world.worker(quick(world)):
        after = await after_a_run(world)
        merged = await after.merge(BROKEN)
        if deed == "force-pushed":
            git("reset", "--quiet", "--hard", merged.parent_sha, cwd=after.work)
            git("commit", "--quiet", "--allow-empty", "--message=Another history", cwd=after.work)
            after.push("--force")
        else:
            git("branch", "--move", "main", "trunk", cwd=world.remote)
        refs = world.refs()
        assert (await after.order()).accepted
        result = await after.rolled_back()
        assert RollbackOutcome.ESCALATED is result.outcome
        assert reason in result.reason
        assert refs == world.refs()
        view = await world.status()
        assert (Mode.DRY_RUN, "escalated") == (view.mode, view.incidents[0].rollback.outcome)


@contextmanager
def babbling() -> Iterator[str]:
    """Something that listens and speaks no HTTP; a probe of it."""

    class Babble(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            """Read what is asked, answer nonsense."""
            self.request.recv(4096)
            self.request.sendall(b"\x00\xff 200 fine, really\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Babble) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}/{{sha}}"
        yield f'\n[[probes]]\nname = "babbles"\nurl = "{url}"\nseconds = 5\n'
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    "probes",
    [
        pytest.param((HANGS, ABSENT, ""), id="all"),
        *(pytest.param((each,), marks=pytest.mark.sweep) for each in (HANGS, ABSENT, "")),
    ],
)
async def test_a_probe_that_says_nothing_rolls_nothing_back(world: World, probes: tuple[str, ...]) -> None:
    """P13: hanging, missing, garbage: unknown, and an unknown is no regression. Each alone: test_probing.py, too."""
    with babbling() as garbage:
        prepared(world, QUICK + "".join(probe or garbage for probe in probes))
        async with world.worker(quick(world)):
            after = await after_a_run(world)
            merged = await after.merge({"docs/one.md": "1\n"})
            end = await after.follow(merged)
            assert "unknown" == end.outcome, end
            view = await world.status()
            assert ((), Mode.PR_ONLY, merged.merge_sha) == (view.rollbacks, view.mode, after.head())
