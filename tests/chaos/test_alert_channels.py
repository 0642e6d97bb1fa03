"""Channels that are down or refuse, a full alert log, a worker that dies: nothing is lost."""

from __future__ import annotations

import asyncio
import subprocess
import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from alert_service import SECRET, AlertService, alert_service
from supervisor import Supervisor
from test_full_disk import fill

import composition
from contracts.alert import Alert, AlertFate, AlertRecord
from tests.workflows.alert_desk import alerts, configure, handle, lines

if TYPE_CHECKING:
    from pathlib import Path

    from world import World

CHANNEL = '\n[[channels]]\nname = "oncall"\nurl_env = "TEST_ONCALL_URL"\ntimeout_seconds = 20\n'


def raised(kind: str = "run_failed", summary: str = "a drill") -> Alert:
    return Alert(kind=kind, target="demo", summary=summary, fingerprint=f"{kind}/{uuid.uuid4().hex}")


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[AlertService]:
    """A service that the worker's environment names."""
    with alert_service() as running:
        monkeypatch.setenv("TEST_ONCALL_URL", running.url)
        yield running


async def until_fate(world: World, alert_id: str, fate: AlertFate) -> AlertRecord:
    async def reached() -> AlertRecord | None:
        view = await alerts(world)
        found = [each for each in (*view.recent, *view.undelivered) if each.id == alert_id]
        return found[0] if found and found[0].fate is fate else None

    record: AlertRecord = await world.until(reached)
    return record


async def test_9_delivery_failed_is_tried_again_and_told_of_on_the_others(world: World, service: AlertService) -> None:
    """§9, delivery failed: after N attempts the file and the terminal say so; when it works again, it has the alert.

    And its URL, which holds a secret, is nowhere: not in alerts.jsonl, not in a history, not in a log.
    """
    configure(world, CHANNEL, **{"failed_after = 5": "failed_after = 2"})
    service.status = 500
    async with Supervisor(world):
        answer = await composition.raise_alert(world.client, raised())
        failed = await until_fate(world, answer.id, AlertFate.FAILED)

        async def told() -> bool:
            return any(line["kind"] == "delivery_failed" for line in lines(world))

        await world.until(told)
        service.status = 200
        done = await until_fate(world, answer.id, AlertFate.DELIVERED)
        history = (await handle(world).fetch_history()).to_json()

    assert {("file", True), ("terminal", True), ("oncall", False)} == {
        (r.channel, r.delivered) for r in failed.receipts
    }
    assert "oncall: the service refused: HTTP 500" == failed.reason
    assert all(receipt.delivered for receipt in done.receipts)
    assert ["[autonomy] run_failed: demo"] == [body["title"] for body in service.received]
    assert ["run_failed", "delivery_failed"] == [line["kind"] for line in lines(world)]
    kept = [(world.settings.home / "alerts.jsonl").read_text(), (world.root / "worker.log").read_text(), history]
    assert "ALERT run_failed" in kept[1]
    assert not [text for text in kept if SECRET in text]


async def test_a_missing_variable_is_a_failed_receipt_and_holds_no_other_channel_up(world: World) -> None:
    """Secrets only from the environment: without the variable the worker lives, and the receipt names it."""
    configure(world, CHANNEL)
    async with world.worker():
        answer = await composition.raise_alert(world.client, raised())

        async def tried() -> AlertRecord | None:
            found = [each for each in (await alerts(world)).undelivered if each.id == answer.id and each.receipts]
            return found[0] if found else None

        record = await world.until(tried)

    assert "TEST_ONCALL_URL" in record.reason
    assert 1 == len(lines(world))


async def test_a_broken_alerts_file_stops_no_alert(world: World) -> None:
    """P13: file and terminal have it; it waits for the channels nobody can read, and has them when it is mended."""
    configure(world)
    path = world.settings.policies / "alerts.toml"
    good = path.read_text()
    path.write_text(good + "\n[watsh]\n")
    async with world.worker():
        answer = await composition.raise_alert(world.client, raised())

        async def tried() -> AlertRecord | None:
            found = [each for each in (await alerts(world)).undelivered if each.id == answer.id and each.receipts]
            return found[0] if found else None

        record = await world.until(tried)
        path.write_text(good)
        done = await until_fate(world, answer.id, AlertFate.DELIVERED)

    assert "did you mean watch?" in record.reason
    assert {"file", "terminal"} < {receipt.channel for receipt in record.receipts}
    assert done.attempts >= 1


@pytest.fixture
def small_home(world: World) -> Iterator[Path]:
    """The home as a file system of 1 MiB."""
    place = world.settings.home
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


async def test_a_full_alert_log_loses_nothing(world: World, small_home: Path, service: AlertService) -> None:
    """Issue, bad input: "a full alert log": the other channels have it and are told; later the file has it."""
    configure(world, CHANNEL, **{"failed_after = 5": "failed_after = 2"})
    async with world.worker():
        first = await composition.raise_alert(world.client, raised())
        await until_fate(world, first.id, AlertFate.DELIVERED)
        ballast = fill(small_home)
        answers = [await composition.raise_alert(world.client, raised(summary="x" * 700)) for _ in range(8)]
        failed = await until_fate(world, answers[-1].id, AlertFate.FAILED)

        async def told() -> bool:
            return any("delivery_failed" in body["title"] for body in service.received)

        await world.until(told)
        ballast.unlink()
        for answer in answers:
            await until_fate(world, answer.id, AlertFate.DELIVERED)

    assert "No space left on device" in failed.reason
    assert 9 == len({line["fingerprint"] for line in lines(world) if line["kind"] == "run_failed"})
    assert 9 == len([body for body in service.received if "run_failed" in body["title"]])


async def test_a_worker_that_dies_while_delivering_delivers(world: World) -> None:
    """P7: at least once, with the same fingerprint; before and after the effect."""
    configure(world)
    points = ("deliver.before_effect", "deliver.after_effect")
    async with Supervisor(world, points) as supervisor:
        answer = await composition.raise_alert(world.client, raised())
        await until_fate(world, answer.id, AlertFate.DELIVERED)
        assert [] == supervisor.missed
        assert [-9, -9] == supervisor.deaths

    assert [2, 1] == [len(lines(world)), len({line["fingerprint"] for line in lines(world)})]


async def test_the_watch_begins_with_the_worker(world: World) -> None:
    """A dead-man's switch that waited for a first alert would be none."""
    configure(world)
    async with Supervisor(world):

        async def looked() -> bool:
            return (await alerts(world)).watched_at is not None

        await world.until(looked)
        await asyncio.sleep(0.5)

    assert [] == lines(world)
    assert "Traceback" not in (world.root / "worker.log").read_text()
