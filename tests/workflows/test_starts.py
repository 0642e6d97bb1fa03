"""Starts from anywhere: a good one needs only a target, a bad one fails at once and says how to do it."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import WorkflowFailureError
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from world import World

from contracts.admission import RunRequest
from contracts.modes import Mode
from tests.workflows.quick import add_target, quick
from tests.workflows.raw import payload, start
from workflows.messages.starts import read_start

MISTYPED: dict[str, tuple[list[Payload] | None, str]] = {
    "nothing": (None, "the input must be a JSON object"),
    "null": ([payload(b"null")], "the input must be a JSON object"),
    "a number": ([payload(b"7")], "the input must be a JSON object"),
    "a list": ([payload(b'["quick"]')], "the input must be a JSON object"),
    "not JSON": ([payload(b"{target: quick}")], "the input is not JSON: '{target: quick}'"),
    "not UTF-8": ([payload(b"\xff\xfe\x00")], "the input is not JSON"),
    "half a character": ([payload(b'{"target": "quick", "actor": "\\ud800"}')], "the input is not JSON"),
    "unknown encoding": ([payload(b"\x00", b"binary/encrypted")], "the input is not JSON"),
    "empty object": ([payload(b"{}")], "`target` is missing"),
    "mistyped key": ([payload(b'{"taget": "quick"}')], "`target` is missing (did you mean it by 'taget'?)"),
    "unknown key": ([payload(b'{"target": "quick", "mod": "DRY_RUN"}')], "mod: Extra inputs are not permitted"),
    "unknown mode": ([payload(b'{"target": "quick", "mode": "YOLO"}')], "mode: Input should be 'DRY_RUN'"),
    "wrong date": ([payload(b'{"target": "quick", "date": "tomorrow"}')], "date: String should match pattern"),
    "wrong attempt": ([payload(b'{"target": "quick", "attempt": 0}')], "attempt: Input should be greater than"),
    "a path": ([payload(b'{"target": "../quick"}')], "target: String should match pattern"),
    "two arguments": ([payload(b'"quick"'), payload(b'"DRY_RUN"')], "one input is needed, 2 were given"),
}


def raw(value: Any) -> RawValue:
    """An input as it arrives."""
    return RawValue(payload(json.dumps(value).encode()))


@pytest.mark.parametrize(
    ("given", "request_"),
    [
        ({"target": "demo"}, RunRequest(target="demo")),
        ("demo", RunRequest(target="demo")),
        (
            {"target": "demo", "mode": "DRY_RUN", "actor": "ann", "again": True},
            RunRequest(target="demo", mode=Mode.DRY_RUN, actor="ann", again=True),
        ),
    ],
)
def test_what_is_enough_to_start(given: Any, request_: RunRequest) -> None:
    """An object, or the bare name."""
    assert request_ == read_start(raw(given))


def test_a_huge_input_is_not_echoed() -> None:
    """The message stays readable whatever was sent."""
    with pytest.raises(ApplicationError) as refused:
        read_start(RawValue(payload(b"x" * 1_900_000)))
    assert len(str(refused.value)) < 300


# The SDK leaves a coroutine behind when a workflow cannot even be made; that is not ours to mend.
@pytest.mark.filterwarnings("ignore:coroutine '_WorkflowInstanceImpl:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_mistyped_starts_fail_at_once_and_show_the_right_form(world: World) -> None:
    """None hangs, none is retried, each tells what is wrong; a good start still works afterwards."""
    add_target(world, "quick")
    messages = {}
    async with world.worker(quick(world)):
        for name, (form, _) in MISTYPED.items():
            await start(world, name, form)
        for name in MISTYPED:
            with pytest.raises(WorkflowFailureError) as refused:
                await asyncio.wait_for(world.client.get_workflow_handle(name).result(), 10)
            messages[name] = str(refused.value.cause)
        gc.collect()

    for name, (_, message) in MISTYPED.items():
        assert messages[name].startswith(f"BadStart: {message}")
        assert messages[name].endswith('start DailyRun with {"target": "demo"}')


async def test_an_unknown_target_fails_at_once_with_the_nearest_name(world: World) -> None:
    """Before any Control is made for it."""
    add_target(world, "payments")
    async with world.worker(quick(world)):
        with pytest.raises(WorkflowFailureError) as refused:
            await world.run("paymnets")

    cause = refused.value.cause
    assert "payments" in str(cause.__cause__ if cause else "")
    with pytest.raises(RPCError, match="not found"):
        await world.control("paymnets").describe()


async def test_a_broken_policy_fails_the_start_with_file_line_and_key(world: World) -> None:
    """P13: unreadable is refused, and says where."""
    add_target(world, "quick", head="\n[environment]\nbiuld = false\n")
    async with world.worker(quick(world)):
        with pytest.raises(WorkflowFailureError) as refused:
            await world.run("quick")

    told = str(refused.value.cause.__cause__ if refused.value.cause else "")
    assert "targets/quick.toml:" in told
    assert "biuld" in told
    assert "build" in told
