"""``alerts``, ``alerts test``, ``silence``: accepted or why not, ``--json``, exit statuses."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from alert_service import SECRET, AlertService, alert_service
from shell import Shell, shell_of
from world import World

import composition
from contracts.alert import Alert
from tests.workflows.alert_desk import begin, configure, settled

CHANNEL = '\n[[channels]]\nname = "oncall"\nurl_env = "TEST_ONCALL_URL"\nkinds = ["policy_violation"]\n'


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[AlertService]:
    """A service that the worker's environment names."""
    with alert_service() as running:
        monkeypatch.setenv("TEST_ONCALL_URL", running.url)
        yield running


async def ready(world: World, shell: Shell) -> None:
    """The workflow runs and has read its settings."""
    await begin(world)

    async def read() -> bool:
        return (await shell.typed("alerts", "--json")).json["watchedAt"] is not None

    await world.until(read)


async def test_every_channel_is_tried_and_its_receipt_printed(world: World, service: AlertService) -> None:
    """Also a channel that only takes other kinds; exit status 11 when one does not take the test."""
    configure(world, CHANNEL)
    shell = shell_of(world)
    async with world.worker():
        good = await shell.typed("alerts", "test")
        service.status = 503
        bad = await shell.typed("alerts", "test", "--json")
        listed = await shell.typed("alerts")

    assert (0, ["file took it", "terminal took it", "oncall took it"]) == (good.status, good.out.splitlines())
    assert ["[autonomy] test"] == [body["title"] for body in service.received]
    assert 11 == bad.status
    (receipt,) = [each for each in bad.json["receipts"] if not each["delivered"]]
    assert ("oncall", "the service refused: HTTP 503") == (receipt["channel"], receipt["detail"])
    assert 11 == listed.status
    assert "Undelivered" in listed.out
    assert SECRET not in good.out + good.err + bad.out + bad.err + listed.out + listed.err


async def test_silencing_is_accepted_or_refused_with_the_reason(world: World) -> None:
    """Issue, bad input: "silencing what cannot be silenced"; issue, item 6: `silence`."""
    configure(world)
    shell = shell_of(world)
    refused: dict[str, Any] = {}
    async with world.worker():
        await ready(world, shell)
        for kind in ("policy_violation", "protected_path_touched"):
            refused[kind] = await shell.typed("silence", kind, "--for", "2h", "--reason", "noisy", "--json")
        long = await shell.typed("silence", "run_failed", "--for", "30d", "--reason", "holidays")
        made = await shell.typed(
            "silence", "run_failed", "--target", "demo", "--for", "2h", "--reason", "known outage", "--json"
        )
        name = made.json["verdict"]["facts"]["id"]
        listed = await shell.typed("silence", "list")
        alert = Alert(kind="run_failed", target="demo", summary="x", fingerprint="f")
        answer = await composition.raise_alert(world.client, alert)
        quiet, everything = await shell.typed("alerts"), await shell.typed("alerts", "--all")
        lifted, again = await shell.typed("silence", "lift", name), await shell.typed("silence", "lift", name)
        await composition.raise_alert(world.client, alert)
        await settled_again(world)

    for kind, done in refused.items():
        assert (11, False) == (done.status, done.json["accepted"])
        assert f"{kind} can never be silenced" in done.json["verdict"]["reason"]
    assert (11, True) == (long.status, "at most 168 hours" in long.err)
    assert (0, "silenced") == (made.status, answer.fate)
    assert "known outage" in listed.out
    assert "silenced" not in quiet.out
    assert "silenced" in everything.out
    assert (0, 11) == (lifted.status, again.status)


async def settled_again(world: World) -> None:
    """The alert went out once its silence was lifted."""

    async def delivered() -> bool:
        return (world.settings.home / "alerts.jsonl").exists()

    await world.until(delivered)


USAGE = (
    (("silence", "run_faild", "--for", "2h", "--reason", "why"), 2, "no kind of alert"),
    (("silence", "run_failed", "--for", "soon", "--reason", "why"), 2, "write 30m, 2h or 1d"),
    (("silence", "run_failed", "--for", "99999999999d", "--reason", "why"), 2, "too long"),
    (("silence", "run_failed", "--for", "2h"), 2, "reason"),
    (("silence", "run_failed", "S1", "--for", "2h", "--reason", "why"), 2, "takes no id"),
    (("silence", "lift"), 2, "silence list"),
    (("silence", "run_failed", "--target", "dmo", "--for", "2h", "--reason", "why"), 16, "demo"),
)


@pytest.mark.parametrize(("argv", "status", "said"), USAGE)
async def test_what_was_typed_wrong_is_said(installation: World, argv: Any, status: int, said: str) -> None:
    """Before anything is asked of the server."""
    done = await shell_of(installation).typed(*argv)
    assert (status, True) == (done.status, said in done.err), done.err


@pytest.mark.parametrize("argv", [("alerts",), ("alerts", "test"), ("silence", "list")])
def test_without_a_server_one_sentence(nobody_there: Shell, argv: tuple[str, ...]) -> None:
    """Exit status 20."""
    done = nobody_there.type(*argv)
    assert (20, 1) == (done.status, len(done.err.strip().splitlines())), done.err


BROKEN = {
    'url = "json://secret"': ("unknown key", "url_env"),
    'url_env = "json://secret"': ("must match",),
    'url_env = "A"\ntimeout_seconds = 600.0': ("timeout_seconds",),
    'url_env = "A"\nkinds = ["run_faild"]': ("did you mean run_failed?",),
    'url_env = "A"\n[[channels]]\nname = "oncall"\nurl_env = "B"': ("channel names must differ",),
}


@pytest.mark.parametrize("more", BROKEN)
def test_a_wrong_alerts_file_is_named_by_line_and_nearest_key(nobody_there: Shell, policies: Path, more: str) -> None:
    """As any other policy file; `policy check` and `doctor` say it."""
    path = policies / "alerts.toml"
    path.write_text(f'{path.read_text()}\n[[channels]]\nname = "oncall"\n{more}\n')
    checked = nobody_there.type("policy", "check")
    looked = nobody_there.type("doctor")

    assert (16, 1) == (checked.status, looked.status)
    for said in ("alerts.toml", *BROKEN[more]):
        assert said in checked.out
        assert said in looked.out


def test_doctor_names_a_missing_variable_and_shows_no_url(nobody_there: Shell, policies: Path) -> None:
    """Issue, item 5: secrets only from the environment."""
    path = policies / "alerts.toml"
    more = '\n[[channels]]\nname = "a"\nurl_env = "A_URL"\n[[channels]]\nname = "b"\nurl_env = "B_URL"\n'
    path.write_text(path.read_text() + more)
    shell = Shell({**nobody_there.environment, "A_URL": f"json://{SECRET}"})
    done = shell.type("doctor", "--json")

    found = {each["name"]: each for each in done.json["findings"]}
    assert (True, False) == (found["channel a"]["ok"], found["channel b"]["ok"])
    assert "export B_URL=" in found["channel b"]["remedy"]
    assert SECRET not in done.out + done.err


async def test_doctor_looks_at_delivery_and_at_the_watch(world: World) -> None:
    """Nobody watches while the workflow does not run; then it says when it looked."""
    configure(world)
    shell = shell_of(world)
    async with world.worker():
        await world.run(mode="SELECTIVE_AUTO")
        before = await shell.typed("doctor", "--json")
        await ready(world, shell)
        await composition.raise_alert(world.client, Alert(kind="run_failed", summary="x", fingerprint="f"))
        await settled(world)
        after = await shell.typed("doctor", "--json")

    names = [{each["name"]: each["ok"] for each in done.json["findings"]} for done in (before, after)]
    assert (False, True, True) == (names[0]["alerts"], names[1]["alerts"], names[1]["watch"])
