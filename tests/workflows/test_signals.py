"""P1: pause always pauses, whatever the request's payload looks like; nothing else does anything."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue
from world import World

import composition
from contracts.control import PauseRecord, PauseRequest
from contracts.modes import PauseStyle, RunStatus, TargetStatus
from tests.workflows.books import BIRTH
from tests.workflows.conversation import open_target, resume, until_status
from tests.workflows.quick import add_target, quick
from tests.workflows.raw import payload, signal
from workflows import api
from workflows.messages import signals

HUGE = 1_900_000
LARGEST_RECORD = 8_000
FORMS: dict[str, list[Payload] | None] = {
    "none": None,
    "empty list": [],
    "null": [payload(b"null")],
    "binary null": [payload(b"", b"binary/null")],
    "several arguments": [payload(b'{"reason": "one"}'), payload(b'"two"'), payload(b"3")],
    "not JSON": [payload(b"stop it")],
    "no metadata": [payload(b'{"reason": "bare"}', None)],
    "unknown encoding": [payload(b"\x8a\x00\xff", b"binary/encrypted")],
    "huge": [payload(b'"' + b"x" * HUGE + b'"')],
    "huge reason": [payload(json.dumps({"reason": "x" * HUGE}).encode())],
    "wrong types": [payload(b'{"reason": 7, "style": ["abort"], "actor": null}')],
    "unknown style": [payload(b'{"reason": "r", "style": "gently"}')],
    "unknown key": [payload(b'{"reason": "kept", "urgency": "high"}')],
    "a word": [payload(b'"please"')],
    "not UTF-8": [payload(b'{"reason": "\xff\xfe"}')],
    "deep": [payload(b"[" * 100_000)],
    "a review date that is none": [payload(b'{"reason": "kept", "reviewOn": "next week"}')],
    "a review date of another type": [payload(b'{"reason": "kept", "reviewOn": [2026]}')],
    "NaN": [payload(b'{"reason": NaN, "reviewOn": NaN}')],
    "protobuf": [payload(b"\x08\x01", b"binary/protobuf")],
    "UTF-16": [payload('{"reason": "r"}'.encode("utf-16"))],
    "half a character": [payload(b'{"reason": "\\ud800"}')],
}


def read(data: bytes) -> PauseRecord:
    """What the handler makes of one payload."""
    return signals.read_pause([RawValue(payload(data))], "target", BIRTH)


@pytest.mark.parametrize("name", ["pause", "PAUSE", " Pause ", "\tpause\n"])
def test_the_name_is_matched_leniently(name: str) -> None:
    """A person typed it."""
    assert signals.is_pause(name)


@pytest.mark.parametrize("name", ["", "paus", "pause!", "unpause", "resume", "pause all"])
def test_other_names_are_not_pause(name: str) -> None:
    """Only the one word."""
    assert not signals.is_pause(name)


@pytest.mark.parametrize(
    ("data", "style", "reason", "actor", "raw"),
    [
        (
            b'{"style": "drain", "reason": "r", "actor": "ann", "reviewOn": "2026-04-01"}',
            PauseStyle.DRAIN,
            "r",
            "ann",
            "",
        ),
        (b'{"reason": "kept", "urgency": 9}', PauseStyle.CHECKPOINT, "kept", "unknown", ""),
        (b"{}", PauseStyle.CHECKPOINT, "", "unknown", ""),
        (
            b'{"reason": "kept", "reviewOn": "soon"}',
            PauseStyle.CHECKPOINT,
            "kept",
            "unknown",
            '{"reason": "kept", "reviewOn": "soon"}',
        ),
        (b"null", PauseStyle.CHECKPOINT, "(no readable reason)", "unknown", "null"),
        (b"", PauseStyle.CHECKPOINT, "(no readable reason)", "unknown", ""),
        (b"stop", PauseStyle.CHECKPOINT, "(unreadable request) stop", "unknown", "stop"),
        (
            b'{"style": "softly"}',
            PauseStyle.CHECKPOINT,
            '(unreadable request) {"style": "softly"}',
            "unknown",
            '{"style": "softly"}',
        ),
    ],
)
def test_what_can_be_read_is_kept_and_what_cannot_is_quoted(
    data: bytes, style: PauseStyle, reason: str, actor: str, raw: str
) -> None:
    """P12: the record says what was sent."""
    record = read(data)
    assert (style, reason, actor, raw) == (record.style, record.reason, record.actor, record.raw)


@pytest.mark.parametrize(
    ("given_date", "kept"),
    [
        ('"2026-12-01"', "2026-12-01"),
        ('" 2026-12-01 "', "2026-12-01"),
        ('"20261201"', "2026-12-01"),
        ('"2028-02-29"', "2028-02-29"),
        ('"2026-02-29"', None),
        ('"2026-13-01"', None),
        ('"2026-12-01T06:00:00"', None),
        ('"tomorrow"', None),
        ('""', None),
        ("null", None),
        ("20261201", None),
        ("NaN", None),
        ('{"year": 2026}', None),
        (f'"{"9" * 100_000}"', None),
    ],
)
def test_7_a_review_date_is_an_iso_date_or_left_out(given_date: str, kept: str | None) -> None:
    """A bad one costs only itself: the pause, its reason and its style hold."""
    record = read(f'{{"reason": "r", "style": "drain", "reviewOn": {given_date}}}'.encode())
    assert (kept, "r", PauseStyle.DRAIN) == (record.review_on, record.reason, record.style)
    assert bool(record.raw) == (kept is None and given_date != "null")


@given(
    st.one_of(
        st.binary(max_size=200),
        st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps).map(str.encode),
    )
)
def test_any_bytes_make_a_small_record(data: bytes) -> None:
    """No payload raises, none makes books that cannot be handed on."""
    assert len(read(data).model_dump_json()) < LARGEST_RECORD


async def _paused_by(world: World, workflow_id: str, name: str, form: list[Payload] | None) -> Any:
    """Send the signal, and wait until a higher epoch is in force."""
    before = (await world.status("quick")).epoch
    await signal(world, workflow_id, name, form)

    async def in_force() -> Any:
        view = await world.status("quick")
        return view if view.epoch > before else None

    return await world.until(in_force, 20)


async def test_every_form_of_pause_pauses(world: World) -> None:
    """Through the server's own interface, one target and the installation; Control goes on answering."""
    add_target(world, "quick")
    async with world.worker(quick(world)):
        await open_target(world, "quick")
        for workflow_id in (api.control_id("quick"), api.INSTALLATION_ID):
            for form in FORMS.values():
                view = await _paused_by(world, workflow_id, "pause", form)
                assert TargetStatus.PAUSED is view.status
            for name in ("PAUSE", " Pause ", "\tpause\n"):
                assert TargetStatus.PAUSED is (await _paused_by(world, workflow_id, name, None)).status
        scopes = {each.scope: len(each.model_dump_json()) for each in (await world.status("quick")).pauses}

    assert {"target", "installation"} == set(scopes)
    assert max(scopes.values()) < LARGEST_RECORD


async def test_no_other_signal_changes_anything_or_stops_a_conversation(world: World) -> None:
    """Unknown names, and malformed payloads of the names that Control, Installation and runs use among themselves."""
    add_target(world, "quick")
    async with world.worker(quick(world)):
        before = await open_target(world, "quick")
        for workflow_id in (api.control_id("quick"), api.INSTALLATION_ID):
            for name in ("resume", "unpause", "stop", "paused", "__pause", api.ORDER, api.INSTALLATION_NOTICE):
                for form in FORMS.values():
                    await signal(world, workflow_id, name, form)
        after = await world.status("quick")
        installation = await world.installation()
        run = await world.run("quick")

    same = ("status", "mode", "epoch", "pauses", "ladder")
    assert [getattr(before, name) for name in same] == [getattr(after, name) for name in same]
    assert TargetStatus.ACTIVE is installation.status
    assert RunStatus.PR_OPENED is run.status


async def test_a_pause_reaches_where_nothing_ran_before(world: World) -> None:
    """Signal-with-start: Control is made, wakes up paused and stays so when it registers."""
    add_target(world, "early")
    await composition.pause_target(world.client, "early", PauseRequest(reason="not yet", actor="ann"))
    async with world.worker(quick(world)):
        run = await world.run("early")
        view = await until_status(world, "early", TargetStatus.PAUSED)
        refused = await world.run("early", again=True)

    assert ["not yet"] == [each.reason for each in view.pauses]
    assert RunStatus.PR_OPENED is not run.status
    assert (RunStatus.REFUSED, True) == (refused.status, "not yet" in refused.reason)
    assert [] == world.autonomy_branches("early")


async def test_a_global_pause_before_the_first_run_holds_every_new_target(world: World) -> None:
    """An Installation that was born by its own pause."""
    add_target(world, "quick")
    await composition.pause_installation(world.client, PauseRequest(reason="nobody", actor="ann"))
    async with world.worker(quick(world)):
        run = await world.run("quick")
        view = await until_status(world, "quick", TargetStatus.PAUSED)
        answer = await resume(world, "quick")

    assert RunStatus.PR_OPENED is not run.status
    assert ["nobody"] == [each.reason for each in view.pauses]
    assert "the whole installation is paused; resume it first (--all)" == answer.verdict.reason
