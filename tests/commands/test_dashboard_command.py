"""``dashboard``: the ticket as the forge shows it, a look now, ``--json``, exit statuses."""

from __future__ import annotations

from shell import Shell, shell_of
from world import World

from tests.workflows.conversation import open_target
from tests.workflows.quick import add_target, quick


async def test_the_ticket_is_shown_refreshed_and_explained(world: World) -> None:
    """Before anything ran, after a refresh, and when the forge cannot be read."""
    add_target(world, "quick")
    shell = shell_of(world)
    async with world.worker(quick(world)):
        early = await shell.typed("dashboard", "quick")
        unopened = await shell.typed("dashboard", "quick", "--refresh")
        await open_target(world, "quick")
        fresh = await shell.typed("dashboard", "quick", "--refresh")
        again = await shell.typed("dashboard", "quick", "--json")
        (world.root / "quick.git").rename(world.root / "away.git")
        (world.settings.policies / "targets" / "quick.toml").write_text("broken")
        broken = await shell.typed("dashboard", "quick")
    assert (0, "") == (early.status, early.out)
    assert "no look was made yet" in early.err
    assert (0, "") == (unopened.status, unopened.out)
    assert "not started: no Control of it is open" in unopened.err
    assert 0 == fresh.status
    assert "Dashboard of quick: ACTIVE in mode PR_ONLY" in fresh.out
    assert "| Mode | PR_ONLY |" in fresh.out
    assert "written" in fresh.err
    assert ("quick", True, "written") == (
        again.json["target"],
        again.json["on"],
        again.json["look"]["shown"]["outcome"],
    )
    assert "dashboard/quick" == again.json["ticket"]["runKey"]
    assert 16 == broken.status


async def test_a_dashboard_that_is_off(world: World) -> None:
    """Says so, also when asked for a look."""
    add_target(world, "quick")
    path = world.settings.policies / "targets" / "quick.toml"
    path.write_text("dashboard = false\n" + path.read_text())
    async with world.worker(quick(world)):
        off = await shell_of(world).typed("dashboard", "quick", "--refresh")
    assert (0, "") == (off.status, off.out)
    assert "is off" in off.err


def test_nobody_answers(nobody_there: Shell) -> None:
    """Exit status 20."""
    assert 20 == nobody_there.type("dashboard", "quick", "--json").status
