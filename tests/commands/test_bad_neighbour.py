"""One Control that cannot be read blinds nobody else, and keeps no brake back (P1, P16)."""

from __future__ import annotations

from shell import Shell, shell_of
from world import World

from tests.workflows.conversation import open_target
from tests.workflows.quick import add_target, quick
from workflows import api
from workflows.installation.alert_rules import AlertsState


async def _stranger(world: World, workflow_id: str) -> None:
    """Another kind of workflow under that id: it takes any signal, and answers no `status`."""
    await world.client.start_workflow(api.ALERTS, AlertsState(), id=workflow_id, task_queue=api.TASK_QUEUE)


async def _signals(world: World, workflow_id: str) -> list[str]:
    history = await world.client.get_workflow_handle(workflow_id).fetch_history()
    return [
        event.workflow_execution_signaled_event_attributes.signal_name
        for event in history.events
        if event.HasField("workflow_execution_signaled_event_attributes")
    ]


async def test_each_target_answers_for_itself(world: World) -> None:
    """`status`, `doctor`, `pause`, `pause --all`: the sound one is seen and held, the other says what to do."""
    add_target(world, "odd")
    shell = shell_of(world)
    async with world.worker(quick(world)):
        await open_target(world, "demo")
        await _stranger(world, api.control_id("odd"))
        status = await shell.typed("status", "--json")
        shown = await shell.typed("status")
        doctor = await shell.typed("doctor", "--json")
        alone = await shell.typed("pause", "odd", "--reason", "x", "--json")
        everybody = await shell.typed("pause", "--all", "--reason", "x", "--wait", "--timeout", "60", "--json")
        # The target's own signal, although no look at it succeeded.
        signals = await _signals(world, api.control_id("odd"))
        after = await world.status("demo")

    assert (1, "ACTIVE", None) == (
        status.status,
        status.json["targets"]["demo"]["status"],
        status.json["targets"]["odd"],
    )
    assert "control/odd" in status.json["unseen"]["odd"]
    assert "it is a Alerts, not a Control" in status.json["unseen"]["odd"]
    assert "temporal workflow terminate --workflow-id control/odd" in status.json["unseen"]["odd"]
    assert "demo  ACTIVE" in shown.out
    assert "odd  not seen" in shown.out
    rows = {row["name"]: row["ok"] for row in doctor.json["findings"]}
    assert (True, True, False) == (rows["installation"], rows["control demo"], rows["control odd"])
    assert (1, True, False) == (alone.status, alone.json["recorded"], alone.json["inForce"])
    assert "pulled blindly" in alone.err
    assert "pause" in signals
    assert (1, ["installation", "demo"]) == (everybody.status, everybody.json["held"]), everybody.err
    assert ["odd"] == list(everybody.json["unseen"])
    assert (True, "PAUSED") == (after.quiescent, after.status)


async def test_an_installation_that_is_none_keeps_no_brake_back(world: World) -> None:
    """`pause --all`: what cannot tell the others is said, and each open target gets the signal itself."""
    shell = shell_of(world)
    async with world.worker(quick(world)):
        await open_target(world, "demo")
        await world.client.get_workflow_handle(api.INSTALLATION_ID).terminate("lab")
        await _stranger(world, api.INSTALLATION_ID)
        paused = await shell.typed("pause", "--all", "--reason", "x", "--wait", "--timeout", "60", "--json")
        after = await world.status("demo")

    assert (1, ["demo"]) == (paused.status, paused.json["held"]), paused.err
    assert "it is a Alerts, not a Installation" in paused.json["unseen"]["installation"]
    assert "paused one by one: demo" in paused.err
    assert (["target"], True) == ([pause.scope for pause in after.pauses], after.quiescent)


async def test_the_brake_of_an_open_target_does_not_depend_on_the_policy_folder(world: World) -> None:
    """Its file is gone, or broken: the pause is in force all the same."""
    shell: Shell = shell_of(world)
    async with world.worker(quick(world)):
        await open_target(world, "demo")
        (world.settings.policies / "targets" / "demo.toml").unlink()
        done = await shell.typed("pause", "demo", "--reason", "x", "--wait", "--json")
    assert 0 == done.status, done.err
    assert done.json["quiescent"]


async def test_a_terminated_control_says_that_it_wakes_up_paused(world: World) -> None:
    """`status`, `why` and `resume`; and `pause --all` wakes it, since what was in flight counts."""
    shell = shell_of(world)
    async with world.worker(quick(world)):
        await open_target(world, "demo")
        await world.control().terminate("lab")
        shown = await shell.typed("status")
        told = await shell.typed("status", "--json")
        resumed = await shell.typed("resume", "demo", "--cause", "a cause", "--evidence", "evidence")
        paused = await shell.typed("pause", "--all", "--reason", "x", "--wait", "--json")
        after = await world.status()

    assert "demo  its Control ended at" in shown.out
    assert "(terminated): the next run, worker or command wakes it up PAUSED" in shown.out
    assert ("Terminated", "PAUSED") == (
        told.json["ended"]["demo"]["how"],
        told.json["ended"]["demo"]["wakesUp"],
    )
    assert 0 == told.status
    assert 11 == resumed.status
    assert "PAUSED" in resumed.err
    assert 0 == paused.status, paused.err
    assert {"start", "installation"} == {pause.scope for pause in after.pauses}
