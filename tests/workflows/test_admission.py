"""May this run start? The rules row by row, then live: queue, caps, runs and Controls that were ended by hand."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from shell import shell_of
from world import World

from contracts.admission import Admission, OrderState, RunRecord, RunResult
from contracts.modes import GREEN_STATUSES, Mode, RunKind, RunStatus, TargetStatus
from tests.workflows.books import DAY, FIRST, Books, on_the_ladder, running
from tests.workflows.conversation import edit, pause, resume, until_status
from tests.workflows.money import terms as money
from tests.workflows.quick import Turnstile, add_target, quick, stopping
from tests.workflows.raw import reset
from workflows import api


@pytest.mark.parametrize(
    ("spec", "answer", "run_id", "reason"),
    [
        ({}, Admission.ADMITTED, FIRST, "a slot was free"),
        ({"mode": Mode.DRY_RUN}, Admission.ADMITTED, f"demo-{DAY}-dry-1", "a slot was free"),
        ({"attempt": 7}, Admission.ADMITTED, f"demo-{DAY}-pr-7", "a slot was free"),
        (
            {"mode": Mode.SELECTIVE_AUTO},
            Admission.REFUSED,
            f"demo-{DAY}-refused-w1",
            "mode SELECTIVE_AUTO asked, but the target is in PR_ONLY and policy allows PR_ONLY",
        ),
        (
            {"kind": RunKind.SMOKE},
            Admission.REFUSED,
            f"demo-{DAY}-refused-w1",
            "a smoke run is started by the resume ladder only; use mode DRY_RUN instead",
        ),
    ],
)
def test_who_is_admitted_into_an_open_target(spec: dict[str, Any], answer: Admission, run_id: str, reason: str) -> None:
    """Each question has one answer, a run id and a reason."""
    said = Books().opened().admit(**spec)

    assert (answer, run_id, reason) == (said.answer, said.run_id, said.verdict.reason)


def test_5_an_expansion_takes_no_slot_and_no_run_of_the_day() -> None:
    """§5: under Control like any run, beside the daily ones; always DRY_RUN; a second one is refused by name."""
    books = Books(runs_per_day=1, terms=money(runs=1)).opened()
    first = books.admit()
    said = books.admit("w2", kind=RunKind.SOURCE, mode=Mode.DRY_RUN)
    assert (Admission.ADMITTED, f"demo-{DAY}-source-1", Mode.DRY_RUN) == (said.answer, said.run_id, said.mode)
    assert [first.run_id] == [run.run_id for run in books.state.occupying()]
    second = books.admit("w3", kind=RunKind.SOURCE)
    told = f"demo-{DAY}-source-1 is RUNNING: a target has one source expansion at a time"
    assert (Admission.REFUSED, told) == (second.answer, second.verdict.reason)
    books.finish(said.run_id, RunStatus.FAILED)
    assert [] == books.state.failed_in_a_row
    # Named anew by the logs, too, and still no run of the day.
    again = books.admit("w4", kind=RunKind.SOURCE, taken=(said.run_id, f"demo-{DAY}-source-2"))
    assert f"demo-{DAY}-source-3" == again.run_id
    books.finish(first.run_id, RunStatus.PR_OPENED)
    refused = books.admit("w5", again=True, taken=(said.run_id, again.run_id))
    assert "caps.runs_per_day: 1 of 1 runs" in refused.verdict.reason


def test_5_an_expansion_is_refused_like_any_run() -> None:
    """§5: paused, resuming, or without money."""
    paused = Books().opened()
    paused.pause()
    assert "the target is PAUSED" in paused.admit(kind=RunKind.SOURCE).verdict.reason
    assert "resuming" in on_the_ladder().admit("w9", kind=RunKind.SOURCE).verdict.reason
    poor = Books(terms=money(agent_minutes=0)).opened()
    assert "agent_minutes_per_day" in poor.admit(kind=RunKind.SOURCE).verdict.reason


def test_an_expansion_that_waits_for_control_to_register_waits_for_no_slot() -> None:
    """It is queued while nothing is known; a daily run before it in the queue does not keep it there."""
    books = Books(max_active=1)
    for number in (1, 2):
        books.admit(f"w{number}", attempt=number)
    assert Admission.QUEUED is books.admit("w3", kind=RunKind.SOURCE).answer
    books.register()
    assert {RunKind.DAILY: 1, RunKind.SOURCE: 1} == Counter(run.kind for run in books.state.active())


def test_a_smoke_is_never_admitted_by_a_control_that_is_not_registered() -> None:
    """P2: the ladder is the only way to a smoke run, whatever Control knows so far."""
    assert Admission.REFUSED is Books().admit(kind=RunKind.SMOKE).answer


def test_the_mode_is_never_more_than_policy_allows() -> None:
    """The policy's ceiling wins over the target's mode."""
    books = Books(maximum_mode=Mode.DRY_RUN).opened()

    assert Mode.DRY_RUN is books.admit().mode
    assert Admission.REFUSED is books.admit("w2", mode=Mode.PR_ONLY).answer


def test_the_second_run_waits_the_queue_is_first_come_first_served_and_has_a_limit() -> None:
    """One active run per target by default; nobody overtakes."""
    books = running(queue_limit=2)
    second, third, fourth = (books.admit(f"w{n}", attempt=n) for n in (2, 3, 4))
    books.finish(FIRST)
    late = books.admit("w5", attempt=5)

    assert [Admission.QUEUED, Admission.QUEUED, Admission.REFUSED] == [s.answer for s in (second, third, fourth)]
    assert "the queue is full (2); control.queue_limit raises it" == fourth.verdict.reason
    assert Admission.QUEUED is late.answer
    assert OrderState.PROCEED is books.state.runs[second.run_id].order.state
    assert [third.run_id, late.run_id] == books.state.queue


def test_the_same_workflow_run_gets_the_same_answer_and_another_one_learns_who_ran() -> None:
    """Admission is by business key; a retried question changes nothing."""
    books = running()
    again, other = books.admit(), books.admit("w2")

    assert (Admission.ADMITTED, FIRST) == (again.answer, again.run_id)
    assert (Admission.ALREADY_RAN, books.state.runs[FIRST]) == (other.answer, other.previous)
    assert f"{FIRST} is RUNNING; `--again` makes a new attempt" == other.verdict.reason


@pytest.mark.parametrize(
    ("taken", "run_id"),
    [
        ((), f"demo-{DAY}-pr-2"),
        ((f"demo-{DAY}-pr-7",), f"demo-{DAY}-pr-8"),
        ((f"demo-{DAY}-dry-7",), f"demo-{DAY}-pr-2"),
        ((f"demo-{DAY}-pr-7.bak", f"demo-{DAY}-pr-", f"demo-{DAY}-pr-x"), f"demo-{DAY}-pr-2"),
    ],
)
def test_again_takes_the_next_attempt_that_neither_books_nor_logs_know(taken: tuple[str, ...], run_id: str) -> None:
    """Stray files beside the audit logs are no attempts, and break nothing."""
    assert run_id == running(max_active=2).admit("w2", taken=taken, again=True).run_id


def test_a_control_that_lost_its_books_still_knows_what_ran_and_how_often() -> None:
    """The audit logs outlive Control: no second run of an attempt, no second daily allowance."""
    taken = (FIRST, f"demo-{DAY}-dry-1", f"demo-{DAY}-smoke-5")
    books = Books(runs_per_day=2).opened()
    same, more = books.admit(taken=taken), books.admit("w2", taken=taken, again=True)

    assert (Admission.ALREADY_RAN, None) == (same.answer, same.previous)
    assert f"caps.runs_per_day: 2 of 2 runs of {DAY} are used" == more.verdict.reason


def test_a_workflow_id_that_is_started_again_frees_the_slot_of_the_run_before() -> None:
    """A terminated run under the same id would look alive for ever to whoever describes that id."""
    books = running()
    again = books.admit("w2", workflow_id="run-w1", attempt=2)

    assert Admission.ADMITTED is again.answer
    assert RunStatus.LOST is books.state.runs[FIRST].status


def test_a_paused_target_admits_nothing_and_says_who_paused_it() -> None:
    """P1 and P12."""
    books = Books().opened()
    books.pause()
    said = books.admit()

    assert (Admission.REFUSED, OrderState.CANCELLED) == (said.answer, said.order.state)
    assert "the target is PAUSED: target pause by ann: smoke in the room" == said.verdict.reason
    assert (books.state.why(),) == said.verdict.children


def test_while_resuming_only_the_ladders_own_smoke_is_admitted() -> None:
    """No daily run, and no smoke that somebody else started."""
    books = on_the_ladder()
    daily, forged = books.admit(), books.admit("w2", kind=RunKind.SMOKE)

    wanted = (Admission.REFUSED, "resuming: only the ladder's own smoke run is admitted")
    assert [wanted, wanted] == [(said.answer, said.verdict.reason) for said in (daily, forged)]
    assert Admission.ADMITTED is books.smoke().answer


async def _ended(handle: Any) -> RunResult:
    result: RunResult = await asyncio.wait_for(handle.result(), 60)
    return result


async def _queued(world: World, *run_ids: str) -> None:
    async def as_asked() -> bool:
        return tuple(run.run_id for run in (await world.status("quick")).queued) == run_ids

    await world.until(as_asked)


async def test_one_target_works_on_one_run_and_leaves_the_others_alone(world: World) -> None:
    """The second run waits its turn and then goes on by itself; another target does not wait for it."""
    for name in ("quick", "other"):
        add_target(world, name)
    turnstile = Turnstile({"first": "plan"})
    async with world.worker(stopping(world, turnstile)):
        first = await world.start("quick", "first")
        await world.until(turnstile.all_reached())
        day = (await world.status("quick")).active[0].date
        second = await world.start("quick", "second", again=True)
        await _queued(world, f"quick-{day}-pr-2")

        async def waits() -> bool:
            # Control knows it before the answer has reached the run itself.
            return (await world.state(second)).status is RunStatus.QUEUED

        await world.until(waits)
        other = await world.run("other")
        turnstile.open()
        results = [await _ended(handle) for handle in (first, second)]

    assert RunStatus.PR_OPENED is other.status
    assert [RunStatus.PR_OPENED, RunStatus.NOTHING_TO_DO] == [result.status for result in results]


async def test_7_a_pause_cancels_the_queue_and_keeps_the_records(world: World) -> None:
    """Queued runs end CANCELLED, say why, and stay in the books."""
    add_target(world, "quick")
    turnstile = Turnstile({"first": "plan"})
    async with world.worker(stopping(world, turnstile)):
        await world.start("quick", "first")
        await world.until(turnstile.all_reached())
        day = (await world.status("quick")).active[0].date
        waiting = []
        for number in (2, 3):
            waiting.append(await world.start("quick", f"run-{number}", again=True))
            await _queued(world, *(f"quick-{day}-pr-{n}" for n in range(2, number + 1)))
        queue = await world.control("quick").query(api.QUEUE, result_type=list[RunRecord])
        await pause(world, "quick")
        results = [await _ended(handle) for handle in waiting]
        view = await world.status("quick")
        turnstile.open()

    ids = [f"quick-{day}-pr-2", f"quick-{day}-pr-3"]
    assert ids == [run.run_id for run in queue]
    assert [(run_id, RunStatus.CANCELLED, "cancelled by a pause while queued") for run_id in ids] == [
        (result.run_id, result.status, result.reason) for result in results
    ]
    assert set(ids) <= {run.run_id for run in view.recent}


async def test_caps_and_modes_refuse_with_the_reason(world: World) -> None:
    """P12, live: the result itself says which setting refused."""
    add_target(world, "quick")
    edit(world, "runs_per_day = 10", "runs_per_day = 1")
    async with world.worker(quick(world)):
        above = await world.run("quick", mode="SELECTIVE_AUTO")
        first = await world.run("quick", mode="DRY_RUN")
        second = await world.run("quick", mode="DRY_RUN", again=True)

    assert [RunStatus.REFUSED, RunStatus.DRY_RUN_COMPLETE, RunStatus.REFUSED] == [
        result.status for result in (above, first, second)
    ]
    assert "mode SELECTIVE_AUTO asked, but the target is in PR_ONLY and policy allows PR_ONLY" == above.reason
    assert "caps.runs_per_day: 1 of 1 runs of" in second.reason
    listed = {run["runId"]: run["refused"] for run in shell_of(world).type("runs", "quick", "--json").json["runs"]}
    assert {above.run_id: above.reason, first.run_id: "", second.run_id: second.reason} == listed


async def test_a_control_that_was_terminated_is_reborn_paused_and_its_run_writes_nothing(world: World) -> None:
    """Terminating is break-glass, never a way around the ladder; afterwards the day's attempts are still known."""
    add_target(world, "quick")
    turnstile = Turnstile({"first": "release"})
    async with world.worker(stopping(world, turnstile)):
        first = await world.start("quick", "first")
        await world.until(turnstile.all_reached())
        old = (await world.status("quick")).epoch
        await world.control("quick").terminate("by hand")
        turnstile.open()
        ended = await _ended(first)
        view = await until_status(world, "quick", TargetStatus.PAUSED)
        refused = await world.run("quick", again=True)
        assert (await resume(world, "quick")).accepted
        await until_status(world, "quick", TargetStatus.ACTIVE)
        branches = world.autonomy_branches("quick")
        again = await world.run("quick", again=True)

    assert (RunStatus.REJECTED, []) == (ended.status, branches)
    assert "the run is not open in Control's books" in ended.reason
    assert (["start"], True) == ([each.scope for each in view.pauses], view.epoch > old)
    assert RunStatus.REFUSED is refused.status
    assert (True, "2") == (again.status in GREEN_STATUSES, again.run_id[-1])


async def test_a_run_that_was_terminated_frees_its_slot(world: World) -> None:
    """Control reaps it: the record says LOST, the queue moves on; also when its id is started again at once."""
    add_target(world, "quick")
    edit(world, "reap_seconds = 60", "reap_seconds = 1")
    turnstile = Turnstile({"first": "sense", "same": "sense"})
    async with world.worker(stopping(world, turnstile)):
        lost = []
        for name, again in (("first", "second"), ("same", "same")):
            handle = await world.start("quick", name, again=True)

            async def reached(name: str = name) -> bool:
                return name in turnstile.reached

            await world.until(reached)
            lost.append((await world.state(handle)).run)
            await handle.terminate("by hand")
            turnstile.stops.pop(name)
            result = await _ended(await world.start("quick", again, again=True, mode="DRY_RUN"))
            assert RunStatus.DRY_RUN_COMPLETE is result.status
        records = {run.run_id: run.status for run in (await world.status("quick")).recent}
        turnstile.open()

    assert [RunStatus.LOST, RunStatus.LOST] == [records[run.run_id] for run in lost if run]


async def test_a_run_that_was_reset_is_still_the_same_run(world: World) -> None:
    """It asks again, gets its own run id back, and opens one pull request."""
    add_target(world, "quick")
    turnstile = Turnstile({"first": "check"})
    async with world.worker(stopping(world, turnstile)):
        handle = await world.start("quick", "first")
        await world.until(turnstile.all_reached())
        before = (await world.state(handle)).run
        await reset(world, "first", 0)
        turnstile.open()
        result = await _ended(world.client.get_workflow_handle("first", result_type=RunResult))
        view = await world.status("quick")

    assert before is not None
    assert (before.run_id, RunStatus.PR_OPENED) == (result.run_id, result.status)
    assert [before.run_id] == [run.run_id for run in view.recent]
    assert 1 == len(world.pulls("quick"))


def test_one_run_id_is_one_run() -> None:
    """A refused attempt has an id of its own, whoever asks again gets the same, and no run gets it."""
    books = Books().opened()
    books.pause()
    first, other, again = (books.admit(execution) for execution in ("e-1", "e-2", "e-1"))
    assert (f"demo-{DAY}-refused-e1", f"demo-{DAY}-refused-e2") == (first.run_id, other.run_id)
    assert (first.run_id, {}) == (again.run_id, books.state.runs)
    assert {Admission.REFUSED} == {first.answer, other.answer, again.answer}


def test_a_capped_attempt_leaves_its_number_to_the_next_run() -> None:
    """Runs of the day are used up: the attempt is refused under an id of its own."""
    books = Books(runs_per_day=1).opened()
    used = books.admit("e-1")
    books.finish(used.run_id)
    capped = books.admit("e-2", again=True)
    books.runs_per_day = 2
    later = books.admit("e-3", again=True)
    assert (Admission.REFUSED, f"demo-{DAY}-refused-e2") == (capped.answer, capped.run_id)
    assert (Admission.ADMITTED, f"demo-{DAY}-pr-2") == (later.answer, later.run_id)
