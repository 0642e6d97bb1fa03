"""A source expansion (runbook §5): candidates to a proposed promotion, or to rejections with every reason."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from shell import Shell, shell_of
from temporalio.api.workflowservice.v1 import ListScheduleMatchingTimesRequest
from temporalio.client import WorkflowFailureError, WorkflowHandle
from world import World

import composition
from activities.governance.kept_proposals import KeptProposals
from contracts.admission import RunResult, RunView
from contracts.modes import PauseStyle, RunStatus, TargetStatus
from tests.adapters.sources.conftest import answering
from tests.workflows.conversation import pause, resume_when_quiescent, until_status
from workflows import api

DAYS = '[\n  {"day": "2026-01-01", "id": "new year"}\n]\n'
FILES = {
    "pkg/__init__.py": '"""Names."""\n',
    "README.md": "# pkg\n\nDays are from <https://days.example/feeds/days.json>.\n",
    "data/days.json": DAYS,
    "data/kept.json": DAYS,
}
CHECK = "\n[environment]\nbuild = false\n[[checks]]\nname = 'no'\nkind = 'schema'\nargv = ['true']\n"
KEPT = """
[trial]
fetches = 3
hours_between = 0
at_least = 3

[[sources]]
name = "kept"
state = "PRODUCTION"
licence = "CC0-1.0"
compliance = "approved"
compliance_reference = "legal #1"
[sources.repository]
path = "data/days.json"
[sources.file]
path = "data/kept.json"
"""
SPARE = """
[[sources]]
name = "spare"
state = "PRODUCTION"
licence = "CC0-1.0"
compliance = "approved"
compliance_reference = "legal #2"
[sources.repository]
path = "data/kept.json"
[sources.file]
path = "data/spare.json"
"""
ENTRY = """
[[sources]]
name = "NAME"
licence = "CC0-1.0"
compliance = "approved"
compliance_reference = "legal #7"
fallback = "kept"
compared = ["day"]
[sources.http]
url = "URL/NAME"
[sources.thresholds]
conflict_rate = { warn = 0.1, breach = 0.5 }
[sources.file]
path = "data/days.json"
"""


@contextmanager
def served(
    world: World, *names: str, edit: Any = lambda text: text, asked: list[str] | None = None
) -> Iterator[dict[str, list[object]]]:
    """Candidates of a catalogue, on a server; what each says may be changed."""
    says: dict[str, list[object]] = {
        name: [{"id": "new year", "day": "2026-01-01"}, {"id": "christmas", "day": "2026-12-25"}] for name in names
    }

    def answer(handler) -> None:
        if asked is not None:
            asked.append(handler.path)
        handler.send_response(200)
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        handler.wfile.write(json.dumps(says[handler.path[1:]]).encode())

    with answering(answer) as url:
        (world.settings.policies / "sources.toml").write_text(KEPT)
        entries = "".join(ENTRY.replace("NAME", name).replace("URL", url.rstrip("/")) for name in names)
        (world.settings.policies / "catalogue.toml").write_text(edit(entries))
        yield says


async def start(world: World, **more: str) -> WorkflowHandle[Any, RunResult]:
    """Of the target ``days``."""
    return await world.client.start_workflow(
        api.SOURCE_EXPANSION,
        {"target": "days", **more},
        id=f"{api.source_expansion_id('days')}/{more.get('source', '')}",
        task_queue=api.TASK_QUEUE,
        result_type=RunResult,
    )


async def test_5_a_catalogue_is_tried_one_by_one(world: World) -> None:
    """A good source ends as a proposal, a conflicting one and one without a licence with every reason.

    Of the last nothing is fetched. Then nothing is left to try, and that is said in words, too.
    """
    world.add_target("days", FILES, CHECK)
    shell = shell_of(world)
    old, store = "20200101T000000000000/sources/feast/reading.json", world.bench().store
    store.put("SRC-days-S-feast", old, b"{}")
    with served(world, "feast", "fool", "pirate", edit=_pirate) as says:
        says["fool"] = [{"id": "new year", "day": "1999-01-01"}]
        async with world.worker():
            good = await (await start(world)).result()
            # What was asked for by hand long ago is not kept for ever.
            assert old not in store.names("SRC-days-S-feast")
            tried = await shell.typed("sources", "trial", "days", "fool", "--json")
            bad = RunResult.model_validate(tried.json)
            assert 10 == tried.status
            await _a_person_promotes(world, shell, good, bad)
            barred = await (await start(world, source="pirate", actor="ann")).result()
            nothing = await (await start(world)).result()
            unknown = await (await start(world, source="nobody")).result()
    assert [RunStatus.DRY_RUN_COMPLETE, *[RunStatus.REJECTED] * 2, RunStatus.NOTHING_TO_DO, RunStatus.REJECTED] == [
        each.status for each in (good, bad, barred, nothing, unknown)
    ], [each.reason for each in (good, bad, barred, nothing, unknown)]
    _the_good_one(world, good)
    report = world.artifact(bad.run_id, "source_trial_report.json")
    assert "fool-" in bad.reason
    assert "conflict rate is 1.00; at most 0.5" in bad.reason
    (conflict, *_) = report["differences"]["listed"]
    assert ("new year", "day", '"1999-01-01"', '"2026-01-01"') == tuple(
        conflict[name] for name in ("key", "field", "ours", "theirs")
    )
    report = world.artifact(barred.run_id, "source_trial_report.json")
    assert "the licence of pirate is unknown: nothing of it may be kept" in barred.reason
    assert [] == report["fetches"]
    assert "pirate: its licence is unknown, so nothing of it may be kept" in nothing.reason
    assert "fool: it did not pass fool-" in nothing.reason
    assert "no source 'nobody' can be tried; there are: fool, pirate" in unknown.reason
    _reviewed(world)


def _reviewed(world: World) -> None:
    """What the weekly review says of them (runbook §11): each trial once, and whether a person promoted it."""
    review = shell_of(world).type("review", "--json").json
    trials = {each["source"]: each for each in review["trials"]}
    assert {"feast": True, "fool": False, "pirate": False} == {name: each["passed"] for name, each in trials.items()}
    assert "conflict rate is 1.00; at most 0.5" in trials["fool"]["reason"]
    assert ["feast"] == [name for name, each in trials.items() if each["promoted"]]
    counts = {each["name"]: (each["count"], each["of"]) for each in review["groups"][0]["metrics"]}
    assert ((1, 3), (1, 1)) == (counts["source trial success"], counts["source promotions"])
    # Who was demoted since was promoted all the same.
    file = world.settings.policies / "sources.toml"
    text = file.read_text()
    file.write_text(text[: (place := text.index("feast"))] + text[place:].replace("PRODUCTION", "DEGRADED"))
    assert {True, False} == {each["promoted"] for each in shell_of(world).type("review", "--json").json["trials"]}


def _pirate(entries: str) -> str:
    head, name, rest = entries.partition('name = "pirate"')
    return head + name + rest.replace('licence = "CC0-1.0"\n', "", 1)


def _the_good_one(world: World, result: RunResult) -> None:
    assert result.run_id.startswith("days-")
    assert result.run_id.endswith("-source-1")
    found = world.artifact(result.run_id, "candidate_sources.json")
    assert [("feast", "CC0-1.0"), ("fool", "CC0-1.0"), ("pirate", "unknown")] == [
        (each["name"], each["licence"]) for each in found["candidates"]
    ]
    assert [("https://days.example/feeds/days.json", "README.md", "unknown")] == [
        (each["url"], each["path"], each["licence"]) for each in found["leads"]
    ]
    contract = world.artifact(result.run_id, "task_contract.json")
    assert ("source_trial", 3, "legal #7") == (
        contract["type"],
        contract["trial"]["fetches"],
        contract["trial"]["complianceReference"],
    )
    assert world.artifact(result.run_id, "run_report.json")["review"]["achieved"] == result.reason
    report = world.artifact(result.run_id, "source_trial_report.json")
    assert [{"day": "text", "id": "text"}] * 3 == [each["shape"] for each in report["fetches"]]
    assert (3, 3) == (report["metrics"]["fetches"], report["metrics"]["good"])
    assert (6, [], "") == tuple(report["replay"][name] for name in ("answers", "different", "problem"))
    told = "1 finding more (1 line is new, 0 are gone), at place 1 of 1: Refresh the records in `days.json`: feast"
    assert told == report["triage"]["sentence"]
    proposal, *_ = KeptProposals(world.bench().store).open()
    assert report["proposalId"] == proposal.proposal_id
    assert ("kept", "source_trial_report.json") == (proposal.fallback, proposal.evidence[0].name.rsplit("/")[-1])
    # Nothing was written anywhere: what it is for is a person's, and a run's of another day.
    assert [] == world.pulls("days")
    page = world.settings.artifacts / "runs" / result.run_id / "source_trial.html"
    assert "feast passed its trial" in page.read_text()
    assert f"proposed as {proposal.proposal_id}" in result.reason


async def _a_person_promotes(world: World, shell: Shell, good: RunResult, bad: RunResult) -> None:
    """By the trial's name: the policy folder gets the entry, and a trial that did not pass gets nothing."""
    trial, other = (f"{name}-{run.run_id[5:15]}-1" for name, run in (("feast", good), ("fool", bad)))
    refused = await shell.typed("sources", "promote", "days", other)
    assert (11, True) == (refused.status, f"{other} did not pass" in refused.err)
    assert 2 == (await shell.typed("sources", "promote", "days", "nothing-2026-01-01-1")).status
    file = world.settings.policies / "sources.toml"
    holder = world.settings.policies / "targets" / "rules.toml"
    world.add_target("rules", FILES, f"{CHECK}\n[policy_folder]\n")
    told = await shell.typed("sources", "promote", "days", trial)
    assert (0, True) == (told.status, "starter.py run rules" in told.out), told.err
    holder.unlink()
    assert "feast" not in file.read_text()
    done = await shell.typed("sources", "promote", "days", trial)
    assert 0 == done.status, done.err
    assert f'trial = "{trial}"' in file.read_text()
    listed = (await shell.typed("sources", "list", "days", "--json")).json["sources"]
    assert [("kept", "PRODUCTION"), ("feast", "PRODUCTION")] == [(each["name"], each["inForce"]) for each in listed]
    again = await shell.typed("sources", "promote", "days", trial)
    assert "says so already" in again.out
    shown = (await shell.typed("sources", "show", "days", "feast")).out
    assert f"trial {trial}: passed" in " ".join(shown.split())


async def _what_was_lowered_comes_back_by_a_trial_and_a_person(world: World, result: RunResult) -> None:
    """Switched off by Control's books alone; its fallback's lowering counts at the gate, as the file's state does."""
    shell = shell_of(world)
    first = await shell.typed("sources", "promote", "days", result.reason.partition(" passed")[0])
    assert 0 == first.status, first.err
    for source in ("feast", "kept"):
        off = await shell.typed("sources", "disable", "days", source, "--reason", "a drill")
        assert 0 == off.status, off.err
    refused = await shell.typed("sources", "trial", "days", "feast", "--json")
    assert (10, True) == (
        refused.status,
        "its fallback kept may not stand in: DISABLED since" in refused.json["reason"],
    )
    # A person's own word about the fallback is not lifted by anybody's trial of another source.
    file = world.settings.policies / "sources.toml"
    file.write_text(file.read_text().replace('fallback = "kept"', 'fallback = "spare"') + SPARE)
    passed = await shell.typed("sources", "trial", "days", "feast", "--json")
    assert 0 == passed.status, passed.json["reason"]
    trial = passed.json["reason"].partition(" passed")[0]
    done = await shell.typed("sources", "promote", "days", trial, "--json")
    assert (0, True) == (done.status, done.json["lifted"]), done.err
    listed = (await shell.typed("sources", "list", "days", "--json")).json["sources"]
    assert {"kept": "DISABLED", "feast": "PRODUCTION"}.items() <= {e["name"]: e["inForce"] for e in listed}.items()


async def test_5_it_is_made_every_week_in_the_targets_own_time(world: World) -> None:
    """Once for each target that has something to try; a person's change stays, and no week of a DST change has two."""
    world.add_target("days", FILES, CHECK)
    with served(world, "feast"):
        assert "days" in composition.expanding(composition.compose(world.settings))
        # Made by a worker when it starts, and with the daily one.
        assert 0 == (await shell_of(world).typed("schedule", "apply", "days")).status
        handle = world.client.get_schedule_handle(api.source_expansion_id("days"))
        assert not (await handle.describe()).schedule.state.paused
        await handle.delete()
    (world.settings.policies / "sources.toml").unlink()
    (world.settings.policies / "catalogue.toml").unlink()
    assert {} == composition.expanding(composition.compose(world.settings))
    await composition.schedule_expansions(world.client, {"days": "Europe/Berlin"})
    asked = ListScheduleMatchingTimesRequest(namespace=world.namespace, schedule_id=handle.id)
    asked.start_time.FromDatetime(datetime(2027, 3, 15, tzinfo=UTC))
    asked.end_time.FromDatetime(datetime(2027, 4, 6, tzinfo=UTC))
    found = (await world.client.workflow_service.list_schedule_matching_times(asked)).start_time
    times = [each.ToDatetime(tzinfo=UTC).astimezone(ZoneInfo("Europe/Berlin")) for each in found]
    assert [(3, 15, 5), (3, 22, 5), (3, 29, 5), (4, 5, 5)] == [(each.month, each.day, each.hour) for each in times]
    await handle.pause(note="on leave")
    await composition.schedule_expansions(world.client, {"days": "Europe/Berlin"})
    assert "on leave" == (await handle.describe()).schedule.state.note


async def test_5_a_pause_between_two_fetches_loses_nothing(world: World) -> None:
    """A second one is refused by name; a drain ends it in order, and the next goes on with the same trial."""
    world.add_target("days", FILES, CHECK)
    file = world.settings.policies / "sources.toml"
    with served(world, "feast"):
        file.write_text(file.read_text().replace("hours_between = 0", "hours_between = 24"))
        async with world.worker():
            first = await start(world)
            await world.until(lambda: _waits(first))
            beside = await (await start(world, source="feast")).result()
            assert f"{(await state(first)).run.run_id} is RUNNING" in beside.reason
            await pause(world, "days", PauseStyle.DRAIN)
            ended = await asyncio.wait_for(first.result(), 30)
            assert RunStatus.PAUSED is ended.status, ended.reason
            refused = await (await start(world)).result()
            assert "the target is PAUSED" in refused.reason
            file.write_text(file.read_text().replace("hours_between = 24", "hours_between = 0"))
            await resume_when_quiescent(world, "days")
            await until_status(world, "days", TargetStatus.ACTIVE)
            result = await (await start(world)).result()
            await _what_was_lowered_comes_back_by_a_trial_and_a_person(world, result)
    assert RunStatus.DRY_RUN_COMPLETE is result.status, result.reason
    report = world.artifact(result.run_id, "source_trial_report.json")
    assert [(1, ended.run_id), (2, result.run_id), (3, result.run_id)] == [
        (each["number"], each["runId"]) for each in report["fetches"]
    ]


async def test_5_a_new_policy_ends_it_and_the_next_goes_on(world: World) -> None:
    """It waits for no old policy to come back; a wrong start says what is right."""
    world.add_target("days", FILES, CHECK)
    file = world.settings.policies / "sources.toml"
    with served(world, "feast"):
        file.write_text(file.read_text().replace("hours_between = 0", "hours_between = 0.001"))
        async with world.worker():
            handle = await start(world)
            await world.until(lambda: _waits(handle))
            file.write_text(file.read_text().replace("at_least = 3", "at_least = 2"))
            ended = await asyncio.wait_for(handle.result(), 60)
            assert RunStatus.PAUSED is ended.status, ended.reason
            assert "the policy changed under the run" in ended.reason
            for wrong, told in (({"source": "x"}, "`target` is missing"), ({"target": "days", "x": 1}, "x: ")):
                with pytest.raises(WorkflowFailureError) as refused:
                    await world.client.execute_workflow(
                        api.SOURCE_EXPANSION, wrong, id="wrong", task_queue=api.TASK_QUEUE
                    )
                assert told in str(refused.value.cause)
                assert "start SourceExpansion with" in str(refused.value.cause)


async def state(handle: WorkflowHandle[Any, Any]) -> RunView:
    """As a person sees it."""
    view: RunView = await handle.query(api.STATE, result_type=RunView)
    return view


async def _waits(handle: WorkflowHandle[Any, Any], made: int = 0) -> bool:
    view = await state(handle)
    said = f"{made} of 3 fetches made" if made else "fetch 1 of 3: good"
    return view.awaits.startswith(f"waits for the next fetch; {said}")


async def test_5_money_and_force_end_it_and_the_next_goes_on(world: World) -> None:
    """§6.4, and Terminate in the UI: nothing that was fetched is lost, what a fetch costs is booked."""
    world.add_target("days", FILES, CHECK)
    file, autopilot = (world.settings.policies / name for name in ("sources.toml", "autopilot.toml"))
    caps = autopilot.read_text()
    with served(world, "feast", edit=lambda text: text.replace("fallback", "cost_usd = 2\nfallback")):
        file.write_text(file.read_text().replace("hours_between = 0", "hours_between = 0.0003"))
        autopilot.write_text(caps.replace("usd_per_run = 5.0", "usd_per_run = 3.0"))
        async with world.worker():
            poor = await (await start(world)).result()
            assert RunStatus.PAUSED is poor.status, poor.reason
            assert "usd_per_run: 2 spent + 0 reserved + 2 at worst is more than 3" in poor.reason
            assert "the next expansion goes on with the same trial" in poor.reason
            file.write_text(file.read_text().replace("hours_between = 0.0003", "hours_between = 24"))
            autopilot.write_text(caps)
            waits = await start(world)
            await world.until(lambda: _waits(waits, 1))
            await waits.terminate()
            file.write_text(file.read_text().replace("hours_between = 24", "hours_between = 0"))
            result = await (await start(world)).result()
    assert RunStatus.DRY_RUN_COMPLETE is result.status, result.reason
    report = world.artifact(result.run_id, "source_trial_report.json")
    assert [(1, poor.run_id), (2, result.run_id), (3, result.run_id)] == [
        (each["number"], each["runId"]) for each in report["fetches"]
    ]
    assert 4.0 == world.artifact(result.run_id, "run_report.json")["review"]["costUsd"]
