"""Reset ``alerts`` and an ``Incident``, as anybody can click it in the Temporal UI: nothing told or said is lost."""

from __future__ import annotations

import asyncio
import uuid
from typing import TYPE_CHECKING

from checker import check_world
from faulty import reset

import composition
from contracts.alert import Alert, AlertFate
from tests.workflows.alert_desk import alerts, begin, configure, handle, lines, settled
from tests.workflows.quick import quick
from tests.workflows.test_incident_flow import at_rest, fill_in, say, the_incident, tickets, touching, violated
from workflows import api

if TYPE_CHECKING:
    from world import World

    from contracts.alert import AlertsView


async def test_a_reset_incident_keeps_what_people_said_and_ends_once(world: World) -> None:
    """§12: rewound to its beginning it still has every fact, its one ticket, and goes on to its end."""
    async with world.worker(quick(world, touching(".env"))):
        result = await violated(world)
        incident, _ = await the_incident(world)
        assert (await fill_in(incident)).accepted
        before = await at_rest(world, incident)
        await reset(world, incident)

        async def recovered() -> bool:
            return (await at_rest(world, incident)).report.evidence is not None

        await world.until(recovered)
        after = await at_rest(world, incident)
        for update in (api.CLOSE, api.PREVENTED):
            assert (await say(incident, update)).accepted
        await asyncio.wait_for(incident.result(), 60)
        await check_world(world, at_least=0)

    said = ("impact", "root_cause", "remediation", "prevention", "owner", "due_on", "ticket")
    assert [getattr(before.report, name) for name in said] == [getattr(after.report, name) for name in said]
    assert () == after.missing
    (ticket,) = tickets(world)
    assert "closed" == ticket["state"]
    kept = world.artifact(before.report.incident, "post_incident_report.json")
    assert (result.run_id, "bob") == (kept["runId"], kept["preventionDoneBy"])


async def test_reset_alerts_deliver_what_they_had_and_what_comes(world: World) -> None:
    """P7: an alert goes out at least once; a reset may tell one again, and never forgets one that waits."""
    configure(world)
    async with world.worker():
        await begin(world)
        told = Alert(kind="run_failed", target="demo", summary="before", fingerprint=f"run_failed/{uuid.uuid4().hex}")
        await composition.raise_alert(world.client, told)
        await settled(world)
        first = (await handle(world).describe()).run_id
        await reset(world, handle(world))
        later = told.model_copy(update={"summary": "after", "fingerprint": "run_failed/after"})
        await composition.raise_alert(world.client, later)

        async def both() -> AlertsView | None:
            view = await alerts(world)
            return view if len(view.recent) == 2 and not view.undelivered else None

        view = await world.until(both)
        assert first != (await handle(world).describe()).run_id

    assert {told.fingerprint, later.fingerprint} == {record.alert.fingerprint for record in view.recent}
    assert {AlertFate.DELIVERED} == {record.fate for record in view.recent}
    assert {told.fingerprint, later.fingerprint} == {line["fingerprint"] for line in lines(world)}
