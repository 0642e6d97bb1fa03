"""P14: a malformed update ends at its sender, changes nothing and stops nothing; the brake works afterwards."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from world import World

import composition
from contracts.alert import Alert
from contracts.control import InstallationView, StatusView
from contracts.incident import IncidentReport
from contracts.modes import RunStatus, TargetStatus
from tests.workflows.alert_desk import alerts, configure, settled
from tests.workflows.conversation import edit, open_target, pause
from tests.workflows.quick import add_target, quick
from tests.workflows.raw import payload, update
from tests.workflows.test_decide import ASK, ended, until
from tests.workflows.test_incident_flow import at_rest, the_incident
from workflows import api
from workflows.after.incident import Incident
from workflows.control.control import Control
from workflows.installation.alerts import Alerts
from workflows.installation.installation import Installation
from workflows.run.daily_run import DailyRun

STATED = {"cause": "it was a drill", "evidence": "the plan", "actor": "bob"}
GOOD: dict[str, dict[str, Any]] = {
    api.RESUME: {"expectedEpoch": 0, **STATED},
    api.SET_MODE: {"expectedEpoch": 0, "mode": "DRY_RUN", "reason": "a quiet week", "actor": "bob"},
    api.SET_CAPS: {
        "expectedEpoch": 0,
        "period": "day",
        "measure": "usd",
        "cap": 30,
        "reason": "release week",
        "actor": "bob",
    },
    api.STATE_COST: {"key": "quick-1/code", "cost": {"usd": 1.2}, "evidence": "the bill", "actor": "bob"},
    api.GRANT: {
        "expectedEpoch": 0,
        "runId": "quick-1",
        "headSha": "a" * 40,
        "paths": [".env"],
        "expiresAt": "2099-01-01T00:00:00Z",
        "reason": "read line by line",
        "actor": "bob",
    },
    api.DECIDE: {"approve": True, "actor": "bob", "reason": "scope is fine", "subject": "held"},
    api.EDIT: {"actor": "bob", "impact": "none"},
    api.CLOSE: {"actor": "bob", "reason": "all is said"},
    api.PREVENTED: {"actor": "bob", "reason": "see commit 7"},
    api.RAISE: {"kind": "run_failed", "summary": "a drill", "fingerprint": "drill"},
    api.SILENCE: {"kind": "run_failed", "owner": "bob", "reason": "a drill", "expiresAt": "2099-01-01T00:00:00Z"},
    api.LIFT: {"id": "S1", "actor": "bob"},
}


def _said(data: Any) -> list[Payload]:
    return [payload(json.dumps(data).encode())]


Form = Callable[[dict[str, Any]], list[Payload] | None]
FORMS: dict[str, Form] = {
    "nothing": lambda _good: None,
    "empty list of arguments": lambda _good: [],
    "null": lambda _good: [payload(b"null")],
    "binary null": lambda _good: [payload(b"", b"binary/null")],
    "a list": lambda good: _said([good]),
    "an empty list": lambda _good: _said([]),
    "a word": lambda _good: _said("resume"),
    "a number": lambda _good: _said(7),
    "true": lambda _good: _said(True),  # the payload
    "NaN": lambda _good: [payload(b"NaN")],
    "an empty object": lambda _good: _said({}),
    "two arguments": lambda good: _said(good) * 2,
    "an argument too many": lambda good: [*_said(good), payload(b"null")],
    "an extra field": lambda good: _said(good | {"force": True}),
    "not JSON": lambda _good: [payload(b"{expectedEpoch: 0}")],
    "cut JSON": lambda good: [payload(json.dumps(good).encode()[:-1])],
    "not UTF-8": lambda good: [payload(json.dumps(good).encode("utf-16"))],
    "bad bytes": lambda _good: [payload(b'{"actor": "\xff\xfe"}')],
    "half a character": lambda good: [payload(json.dumps(good | {"actor": "\ud800"}).encode())],
    "unknown encoding": lambda good: [payload(json.dumps(good).encode(), b"binary/encrypted")],
    "no encoding": lambda good: [payload(json.dumps(good).encode(), None)],
    "protobuf": lambda _good: [payload(b"\x08\x01", b"binary/protobuf")],
    "deep": lambda _good: [payload(b"[" * 100_000)],
    "huge": lambda good: _said(good | {"force": "x" * 1_900_000}),
    "every value null": lambda good: _said(dict.fromkeys(good)),
    "every value NaN": lambda good: _said(dict.fromkeys(good, float("nan"))),
    "every value a list": lambda good: _said({key: [] for key in good}),
    "every value an object": lambda good: _said({key: {} for key in good}),
}
STATEMENTS: dict[str, dict[str, Any]] = {
    "no cause": {"evidence": "the plan", "actor": "bob", "expectedEpoch": 0},
    "no evidence": {"cause": "a drill", "actor": "bob", "expectedEpoch": 0},
    "nobody": {"cause": "a drill", "evidence": "the plan", "expectedEpoch": 0},
    "no epoch": STATED,
    "empty cause": {"expectedEpoch": 0, **STATED, "cause": ""},
    "blank cause": {"expectedEpoch": 0, **STATED, "cause": " \t\n "},
    "blank evidence": {"expectedEpoch": 0, **STATED, "evidence": "     "},
    "blank actor": {"expectedEpoch": 0, **STATED, "actor": " "},
    "endless cause": {"expectedEpoch": 0, **STATED, "cause": "c" * 4001},
    "epoch in words": {"expectedEpoch": 0, **STATED} | {"expectedEpoch": "soon"},
    "half an epoch": {"expectedEpoch": 0, **STATED} | {"expectedEpoch": 0.5},
    "infinite epoch": {"expectedEpoch": 0, **STATED} | {"expectedEpoch": float("inf")},
}
LONGEST_SENTENCE = 700
STATED_FIELDS = ("cause", "evidence", "reason", "actor", "owner")
"""What a person says for the record; `edit` refuses its blank facts itself, with the reason."""


PLAIN: dict[str, str] = {
    "nothing": "it came with nothing",
    "null": "it is no JSON object",
    "binary null": "it is no JSON object",
    "a list": "it is no JSON object",
    "two arguments": "it has 2 arguments instead of one",
    "an extra field": "force is not known",
    "not JSON": "it is not JSON",
    "not UTF-8": "it is not JSON",
    "unknown encoding": "it is encoded as binary/encrypted, not as json/plain",
    "no encoding": "it does not say that it is json/plain",
    "deep": "it is not JSON",
    "every value an object": " must be ",
    "an empty object": " is missing",
}
"""What the sentence says of some forms, whichever update it is."""


def unplain(answers: dict[tuple[str, str, str], str]) -> list[tuple[tuple[str, str, str], str]]:
    """Answers that are not one plain sentence saying what is wrong with which update, and what to send."""
    return [
        (asked, why)
        for asked, why in answers.items()
        if asked[2] in FORMS
        and not (
            why.startswith(f"{asked[1]} was not understood: ")
            and "; send one JSON object with " in why
            and (asked[1] not in GOOD or PLAIN.get(asked[2], "") in why)
            and len(why) < LONGEST_SENTENCE
        )
    ]


def blanks(name: str) -> dict[str, list[Payload]]:
    """An update with one of its statements blank: nobody said so, for no reason."""
    good = GOOD.get(name, {})
    return {f"blank {field}": _said(good | {field: " \t"}) for field in STATED_FIELDS if field in good}


def updates_of(defined: type) -> list[str]:
    """Every update a workflow takes: one that is added later is tried, too."""
    return sorted(str(name) for name in workflow._Definition.must_from_class(defined).updates)


async def everything(world: World) -> tuple[StatusView, InstallationView]:
    """What operators see; the log's head moves by itself."""
    return (await world.status("quick")).model_copy(update={"log_head": ""}), await world.installation()


async def wedged(world: World, workflow_id: str) -> list[Any]:
    """Workflow tasks that failed."""
    return [
        event
        async for event in world.client.get_workflow_handle(workflow_id).fetch_history_events()
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    ]


async def test_malformed_updates_of_every_kind_fail_at_the_sender_and_change_nothing(world: World) -> None:
    """Every form to every update of Control and of the Installation, straight to the server."""
    add_target(world, "quick")
    answered = {}
    async with world.worker(quick(world)):
        await open_target(world, "quick")
        before = await everything(world)
        for workflow_id, defined in ((api.control_id("quick"), Control), (api.INSTALLATION_ID, Installation)):
            for name in updates_of(defined):
                for form, make in FORMS.items():
                    why = await update(world, workflow_id, name, make(GOOD.get(name, GOOD[api.RESUME])))
                    answered[workflow_id, name, form] = why
                for form, said in blanks(name).items():
                    answered[workflow_id, name, form] = await update(world, workflow_id, name, said)
            for form, stated in STATEMENTS.items():
                answered[workflow_id, api.RESUME, form] = await update(world, workflow_id, api.RESUME, _said(stated))
        half = GOOD[api.SET_CAPS] | {"measure": "runs", "cap": 1.5}
        why = await update(world, api.control_id("quick"), api.SET_CAPS, _said(half))
        answered[api.control_id("quick"), api.SET_CAPS, "half a run"] = why
        after = await everything(world)
        failed = [await wedged(world, each) for each in (api.control_id("quick"), api.INSTALLATION_ID)]
        paused = await pause(world, "quick")

    assert len(FORMS) >= 20
    assert [] == [key for key, why in answered.items() if not why]
    assert [] == unplain(answered)
    assert before == after
    assert [[], []] == failed
    assert TargetStatus.PAUSED is paused.status
    assert ["drill"] == [each.reason for each in paused.pauses]


async def test_malformed_updates_of_incidents_and_alerts_fail_at_the_sender_too(world: World) -> None:
    """Every form to every update of ``alerts`` and of an ``Incident``: no fact, alert or silence comes of it."""
    add_target(world, "quick")
    run = "quick-2026-03-02-pr-1"
    said = IncidentReport(
        incident=f"INC-{run}-policy-violation", run_id=run, trigger="policy_violation", reason=".env touched"
    )
    configure(world)
    answered = {}
    async with world.worker(quick(world)):
        await open_target(world, "quick")
        await world.control("quick").execute_update(api.REPORT, said)
        incident, before = await the_incident(world)
        await composition.raise_alert(world.client, Alert(kind="run_stuck", summary="a drill", fingerprint="stuck"))
        told = await settled(world)
        for workflow_id, defined in ((incident.id, Incident), (api.ALERTS_ID, Alerts)):
            for name in updates_of(defined):
                said = {form: make(GOOD[name]) for form, make in FORMS.items()} | blanks(name)
                for form, data in said.items():
                    answered[workflow_id, name, form] = await update(world, workflow_id, name, data)
        after = await at_rest(world, incident)
        heard, silences = await settled(world), (await alerts(world)).silences
        failed = [await wedged(world, each) for each in (incident.id, api.ALERTS_ID)]

    assert {api.EDIT, api.CLOSE, api.PREVENTED, api.RAISE, api.SILENCE, api.LIFT} == {name for _, name, _ in answered}
    assert [] == [key for key, why in answered.items() if not why]
    assert [] == unplain(answered)
    assert (before.report, told, ()) == (after.report, heard, silences)
    assert [[], []] == failed


async def test_malformed_decisions_leave_a_run_waiting(world: World) -> None:
    """Every form to ``decide``, the one update of a run: it waits as before, and a real decision still ends it."""
    add_target(world, "quick")
    edit(world, *ASK)
    async with world.worker(quick(world)):
        run = await world.start("quick", "waits")
        before = await until(world, run, RunStatus.WAITING)
        good = GOOD[api.DECIDE] | {"approve": False, "subject": before.subject}
        said = {form: make(good) for form, make in FORMS.items()}
        said |= {f"blank {field}": _said(good | {field: " "}) for field in ("actor", "reason")}
        answered = {form: await update(world, run.id, api.DECIDE, data) for form, data in said.items()}
        after, failed = await world.state(run), await wedged(world, run.id)
        real = await update(world, run.id, api.DECIDE, _said(good))
        result = await ended(run)

    assert [api.DECIDE] == updates_of(DailyRun)
    assert [] == [form for form, why in answered.items() if not why]
    assert (before, [], "") == (after, failed, real)
    assert (RunStatus.REJECTED, "rejected by bob: scope is fine") == (result.status, result.reason)
