"""A source that refreshes a data file, by an ordinary run (runbook §5): asked once, recorded, proven in Review."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from shell import shell_of
from world import ScriptedAgent, World, git

from activities.governance.kept_proposals import KeptProposals
from adapters.store.local_store import LocalStore
from contracts.admission import RunResult
from contracts.modes import Role, RunStatus
from ports.agents import Agent, Brief
from tests.adapters.sources.conftest import answering

FILES = {
    "pkg/__init__.py": '"""Names."""\n',
    "data/notes.json": '[{"id": "n1", "file": "pkg/__init__.py", "says": "no tests", "how": "major"}]\n',
    "data/days.json": '[\n  {"day": "2026-01-01", "id": "new year"}\n]\n',
}
CHECK = """
[environment]
build = false
[[checks]]
name = "data"
kind = "schema"
argv = ["python", "-m", "json.tool", "data/days.json"]
"""
SOURCE = """
[[sources]]
name = "days"
state = "PRODUCTION"
licence = "CC0-1.0"
compliance = "approved"
compliance_reference = "legal #7"
fallback = "spare"
[sources.thresholds]
sustained = 1
[sources.http]
url = "URL"
[sources.file]
path = "data/days.json"

[[sources]]
name = "spare"
state = "PRODUCTION"
licence = "CC0-1.0"
compliance = "approved"
compliance_reference = "legal #2"
[sources.repository]
path = "data/days.json"
[sources.file]
path = "data/days.json"

[[sources]]
name = "notes"
state = "PRODUCTION"
licence = "CC0-1.0"
compliance = "approved"
compliance_reference = "legal #8"
[sources.repository]
path = "data/notes.json"
[sources.candidates]
path = "file"
message = "says"
severity = "how"
"""
WANTED = '[\n  {"day": "2026-12-25", "id": "christmas"},\n  {"day": "2026-01-01", "id": "new year"}\n]\n'


@contextmanager
def served(world: World) -> Iterator[list[object]]:
    """The source on a server; what it says may be changed, and nothing is no answer."""
    says: list[object] = [{"id": "new year", "day": "2026-01-01"}, {"id": "christmas", "day": "2026-12-25"}]

    def answer(handler) -> None:
        handler.send_response(200 if says else 503)
        handler.send_header("Content-Type", "application/json")
        handler.end_headers()
        handler.wfile.write(json.dumps(says).encode())

    with answering(answer) as url:
        (world.settings.policies / "sources.toml").write_text(SOURCE.replace("URL", url))
        yield says


async def test_a_data_file_is_refreshed_by_a_pull_request(world: World) -> None:
    """Its records, no more; what was recorded is what was written. The same answer again is nothing to do."""
    world.add_target("days", FILES, CHECK)
    with served(world) as says:
        async with world.worker():
            run = await world.run("days")
            assert RunStatus.PR_OPENED is run.status, run.reason
            (pull,) = world.pulls("days")
            assert "Refresh the records in `days.json`: days" == pull["title"]
            assert (
                "Refreshes the records in `data/days.json`. They are what the source days says now (CC0-1.0)"
                in pull["body"]
            )
            assert WANTED.strip() == git("show", f"{pull['headSha']}:data/days.json", cwd=world.root / "days.git")
            contract = world.artifact(run.run_id, "task_contract.json")
            assert ("source", "days") == (contract["tool"], contract["rule"])
            reading = world.artifact(run.run_id, "sources/days/reading.json")
            assert ("good", 2) == (reading["grade"], reading["quality"]["records"])
            git("push", "--quiet", ".", f"{pull['branch']}:refs/heads/main", cwd=world.root / "days.git")
            again = await world.run("days", again=True)
            assert RunStatus.NOTHING_TO_DO is again.status, again.reason
            assert again.reason.endswith("1 waits for a person: Look into a high report of notes in `__init__.py`")
            (listed,) = world.artifact(again.run_id, "candidate_tasks.json")["candidates"]
            assert (True, ["pkg/__init__.py:1 notes/high no tests"]) == (listed["needsPerson"], listed["evidence"])
            says.clear()
            await _a_silent_source_is_told(world, await world.run("days", again=True))
            says.append({"id": "new year", "day": "2026-01-01"})
            await _and_stays_lowered(world, await world.run("days", again=True))


async def _a_silent_source_is_told(world: World, run: RunResult) -> None:
    """Its fallback stands in; somebody hears of it, and the day's work goes on."""
    assert RunStatus.NOTHING_TO_DO is run.status, run.reason
    reading = world.artifact(run.run_id, "sources/days/reading.json")
    assert ("breach", ["status 503"]) == (reading["grade"], reading["reasons"])
    assert (Path(world.settings.artifacts) / "runs" / run.run_id / "sources/days/used.jsonl").exists()
    assert "spare stands in for days: status 503" in _sensed(world, run)
    told = world.settings.home / "alerts.jsonl"

    async def alerted() -> bool:
        return told.exists() and "a breach: status 503" in told.read_text()

    await world.until(alerted)
    status = (await shell_of(world).typed("status", "days")).out
    said = "source days is DEGRADED since"
    assert said in " ".join(status.split()), status


async def test_a_breach_without_a_fallback_is_no_good_day(world: World) -> None:
    """The run ends well, and says in `status` and `report` what it could not look at."""
    world.add_target("days", FILES, CHECK)
    with served(world) as says:
        says.clear()
        file = world.settings.policies / "sources.toml"
        file.write_text(file.read_text().replace('fallback = "spare"\n', "").replace("sustained = 1", "sustained = 3"))
        async with world.worker():
            run = await world.run("days")
            shell = shell_of(world)
            status = (await shell.typed("status", "days")).out
            as_json = (await shell.typed("status", "days", "--json")).json
            report = (await shell.typed("report", run.run_id)).out
    assert RunStatus.NOTHING_TO_DO is run.status, run.reason
    assert "Found nothing worth doing, but could not look everywhere: source: days: status 503" in " ".join(
        report.split()
    )
    for said in ("could not look: source: days: status 503", f"source days is not usable, as {run.run_id} found"):
        assert said in " ".join(status.split()), status
    assert {"days": {"days": f"is not usable, as {run.run_id} found"}} == as_json["sources"]


async def _and_stays_lowered(world: World, run: RunResult) -> None:
    """It speaks again, and is not asked: a trial and a person bring it back. That it stays so is proposed."""
    assert RunStatus.NOTHING_TO_DO is run.status, run.reason
    assert "spare stands in for days: DEGRADED since" in _sensed(world, run)
    assert not (Path(world.settings.artifacts) / "runs" / run.run_id / "sources/days/answer").exists()
    (proposal,) = KeptProposals(LocalStore(world.settings.artifacts)).open()
    assert ("source_demotion", "sources.days.state", "DEGRADED") == (
        proposal.kind,
        proposal.edits[0].name,
        proposal.edits[0].after,
    )


def _sensed(world: World, run: RunResult) -> str:
    report = world.artifact(run.run_id, "run_report.json")
    (reason,) = [step["verdict"]["reason"] for step in report["steps"] if step["step"] == "sense"]
    return str(reason)


async def test_what_was_not_recorded_is_no_refresh(world: World) -> None:
    """A coder that writes something else into the very file brings no count down; Review: test_source_files.py."""

    def careless(real: Agent) -> Agent:
        def code(brief: Brief) -> str:
            answer = real.answer(brief)
            file = (brief.tree or Path()) / "data/days.json"
            file.write_text(file.read_text().replace("2026-12-25", "2026-12-24"))
            return answer

        return ScriptedAgent(real, answers={Role.CODING: code})

    world.add_target("days", FILES, CHECK)
    with served(world):
        async with world.worker(world.bench(agent=careless)):
            run = await world.run("days")
    assert RunStatus.REJECTED is run.status, run.reason
    assert "source days findings did not improve" == run.reason
    assert [] == world.pulls("days")
