"""Quiescent is true even after Terminate: a Control without books counts what the audit logs show in flight (P1)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from world import World

from activities.control.lost_books import cleared_facts, in_flight_before
from adapters.store.chained_log import ChainedLog
from contracts.audit import AuditEvent
from contracts.clearance import Clearance, WriteOutcome, WriteRecord
from contracts.control import CheckupResult
from contracts.messages import BEGIN_WRITE, Message
from contracts.modes import Role, RunStatus, TargetStatus, WriteAction, WriteClass
from contracts.verdict import Fact
from tests.workflows.books import BIRTH, FIRST, Books
from tests.workflows.conversation import pause
from tests.workflows.quick import Turnstile, add_target, quick, stopping
from tests.workflows.raw import reset
from workflows import api
from workflows.control import reaping

KEY = f"{FIRST}/push_branch"


def clearance(attempt: str = "a1", key: str = KEY, seconds: int = 60) -> Clearance:
    """What a Control of before let begin at ``BIRTH``."""
    return Clearance(
        key=key,
        attempt=attempt,
        action=WriteAction.PUSH_BRANCH,
        write_class=WriteClass.ADVANCE,
        branch="autonomy/x",
        head_sha="h" * 40,
        base_sha="b" * 40,
        policy_digest="policy-1",
        epoch=1,
        seconds=seconds,
        deadline=BIRTH + timedelta(seconds=seconds),
    )


def record(attempt: str = "a1", key: str = KEY) -> WriteRecord:
    """The same, as books hold it."""
    return WriteRecord(key=key, run_id=key.partition("/")[0], clearance=clearance(attempt, key), began_at=BIRTH)


def test_what_was_in_flight_before_counts_until_it_is_settled_or_looked_up() -> None:
    """Blank: not quiescent, nothing is known. Registered: what the logs show, until its attempt or a look ends it."""
    settled, looked, quiet = Books(), Books(), Books()
    assert [False] * 3 == [books.state.view().quiescent for books in (settled, looked, quiet)]
    settled.register(fresh=False, in_flight=(record(),))
    looked.register(fresh=False, in_flight=(record(),))
    quiet.register(fresh=False)
    assert [False, False, True] == [books.state.view().quiescent for books in (settled, looked, quiet)]
    assert ((KEY,), False) == (
        tuple(write.key for write in settled.state.view().writes),
        settled.resume().accepted,
    )

    assert not settled.settle(FIRST, "another").accepted
    assert settled.settle(FIRST).accepted
    assert settled.state.view().quiescent

    looked.wait(59)
    assert () == reaping.due(looked.state, looked.now).writes
    looked.wait(1)
    due = reaping.due(looked.state, looked.now)
    assert [KEY] == [write.key for write in due.writes]
    found = looked.looked_up(WriteOutcome.NOT_DONE)
    reaping.apply(looked.state, CheckupResult(runs=(), settled=(found,)), looked.now)
    assert looked.state.view().quiescent


def test_a_fresh_target_and_known_books_take_nothing_over() -> None:
    """What the books know better stays as it is, and a settled one is not opened again."""
    books = Books()
    books.register(fresh=False, in_flight=(record(),))
    books.settle(FIRST)
    books.register(fresh=False, in_flight=(record(),))
    assert books.state.view().quiescent


def test_cleared_and_not_settled_is_what_counts(tmp_path: Path) -> None:
    """By key and attempt, of this target, from the logs that somebody wrote to within a day."""
    log = ChainedLog(tmp_path)

    def cleared(run: str, attempt: str, key: str, target: str = "demo") -> None:
        facts: dict[str, Fact] = {"attempt": attempt} | cleared_facts(target, record(attempt, key))
        event = AuditEvent(key=f"{key}/cleared/{attempt}", role=Role.RELEASE, event="write cleared", facts=facts)
        log.append(f"run/{run}", (event,), BIRTH)

    def settled(attempt: str, key: str) -> None:
        facts: dict[str, Fact] = {"key": key, "attempt": attempt}
        event = AuditEvent(key=f"{key}/{attempt}", role=Role.ORCHESTRATOR, event="write settled", facts=facts)
        log.append("target/demo", (event,), BIRTH)

    cleared("demo-1", "a1", "demo-1/push_branch")
    settled("a1", "demo-1/push_branch")
    cleared("demo-1", "a1", "demo-1/merge")
    settled("a1", "demo-1/merge")
    # Settled as not done, and begun again.
    cleared("demo-1", "a2", "demo-1/merge")
    cleared("RB-demo-0", "a1", "RB-demo-0/revert")
    cleared("demo-2-1", "a1", "demo-2-1/push_branch", target="demo-2")
    cleared("demo-old", "a1", "demo-old/push_branch")
    found = in_flight_before(log, "demo", BIRTH)
    keys = ["RB-demo-0/revert", "demo-1/merge", "demo-old/push_branch"]
    assert keys == sorted(write.key for write in found)
    assert record("a2", "demo-1/merge") == next(write for write in found if write.key == "demo-1/merge")
    touched = (tmp_path / "runs/demo-old/audit_log.jsonl").stat().st_mtime
    tomorrow = BIRTH.fromtimestamp(touched, BIRTH.tzinfo) + timedelta(days=1, seconds=5)
    assert () == in_flight_before(log, "demo", tomorrow)


@pytest.mark.parametrize("force", ["terminate", "reset"])
async def test_ended_by_force_in_the_middle_of_a_push_quiescent_waits_for_it(world: World, force: str) -> None:
    """The next Control shows the old one's write, and is quiescent only when it is settled: then the ref is there."""
    add_target(world, "quick")
    turnstile = Turnstile({"pushing": "effect"})
    async with world.worker(stopping(world, turnstile)):
        run = await world.start("quick", "pushing")
        await world.until(turnstile.all_reached())
        if force == "terminate":
            await world.control("quick").terminate("lab")
        else:
            await reset(world, api.control_id("quick"), 2, given_again=False)
        await pause(world, "quick")

        async def registered() -> bool:
            view = await world.status("quick")
            return view.registered and any(known.scope == "start" for known in view.pauses)

        await world.until(registered)
        during, refs = await world.status("quick"), world.autonomy_branches("quick")
        turnstile.open()

        async def quiet() -> bool:
            return (await world.status("quick")).quiescent

        await world.until(quiet)
        after = world.autonomy_branches("quick")
        # After a reset it is known, and held.
        await (run.result() if force == "terminate" else run.terminate("the test is over"))

    assert (TargetStatus.PAUSED, False, ["push_branch"]) == (
        during.status,
        during.quiescent,
        [write.clearance.action for write in during.writes],
    )
    assert (0, 1) == (len(refs), len(after))


@dataclass
class AfterGo:
    """The real desk of Control; a turnstile behind its first go, before the log has it."""

    real: Any
    turnstile: Turnstile

    def ask(self, target: str, message: Message[Any, Any], request: Any) -> Any:
        """Ask, and stand still."""
        answer = self.real.ask(target, message, request)
        if message is BEGIN_WRITE:
            self.turnstile.passing("go")
        return answer

    def __getattr__(self, name: str) -> Any:
        """Everything else as it is."""
        return getattr(self.real, name)


async def test_terminated_between_its_go_and_the_log_nothing_is_written_any_more(world: World) -> None:
    """The next Control cannot know of that go, says quiescent, and is right: who acts asks once more after the log."""
    add_target(world, "quick")
    turnstile = Turnstile({"pushing": "go"})
    plain = quick(world)
    async with world.worker(replace(plain, control=AfterGo(plain.control, turnstile))):
        run = await world.start("quick", "pushing")
        await world.until(turnstile.all_reached())
        await world.control("quick").terminate("lab")
        await pause(world, "quick")

        async def quiet() -> bool:
            return (await world.status("quick")).quiescent

        await world.until(quiet)
        turnstile.open()
        ended = await run.result()
        assert [] == world.autonomy_branches("quick")
    assert (RunStatus.REJECTED, True) == (ended.status, "not open in Control's books" in ended.reason), ended.reason
