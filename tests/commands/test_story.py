"""An operator's day: run, look, brake, resume, schedule, verify. One installation; each test stands alone."""

from __future__ import annotations

from shell import shell_of
from world import World

RUN = "run", "demo"


async def test_a_run_and_what_is_seen_of_it(installation: World):
    """`run --json` prints one object and nothing else; the same run again is not made twice but shown."""
    shell = shell_of(installation)
    async with installation.worker():
        dry = await shell.typed(*RUN, "--mode", "DRY_RUN")
        assert 0 == dry.status, dry.err
        assert "DRY_RUN_COMPLETE" in dry.out
        assert "✓ preflight" in dry.err
        opened = await shell.typed(*RUN, "--json")
        again = await shell.typed(*RUN, "--json")
        why = await shell.typed("why", opened.json["runId"])
        status = await shell.typed("status", "--json")
    assert 0 == opened.status, opened.err
    assert "PR_OPENED" == opened.json["status"]
    assert {"number", "branch", "headSha", "url"} == set(opened.json["pullRequest"])
    assert [f"refs/heads/{opened.json['pullRequest']['branch']}"] == installation.autonomy_branches()
    assert (0, "ALREADY_RAN") == (again.status, again.json["status"])
    assert f"{opened.json['runId']} ended PR_OPENED; `--again`" in again.json["reason"]
    assert opened.json["pullRequest"] == again.json["pullRequest"]
    assert "REQUIRES_HUMAN_REVIEW" in why.out
    assert "ACTIVE" == status.json["targets"]["demo"]["status"]
    assert opened.json["runId"] in shell.type("runs").out
    assert opened.json["runId"] == shell.type("report", opened.json["runId"], "--json").json["run"]["runId"]
    assert "run_report.html" in shell.type("report", "--html").out


async def test_the_brake_and_the_way_back(installation: World):
    """Paused: nothing runs; a late resume is void; a resume with evidence climbs the ladder to ACTIVE."""
    shell = shell_of(installation)
    async with installation.worker():
        paused = await shell.typed("pause", "demo", "--reason", "odd diff", "--wait", "--json")
        refused = await shell.typed(*RUN, "--again", "--json")
        late = await shell.typed(
            "resume", "demo", "--cause", "it was odd", "--evidence", "seen", "--expected-epoch", "1"
        )
        resumed = await shell.typed("resume", "demo", "--cause", "it was odd", "--evidence", "seen", "--wait", "--json")
        lowered = await shell.typed("mode", "demo", "DRY_RUN", "--reason", "a quiet week")
    assert 0 == paused.status, paused.err
    assert paused.json["inForce"] <= paused.json["quiescent"]
    # Refused, or queued by a Control that was just born and cancelled with the queue.
    assert (refused.status, refused.json["status"]) in {(11, "REFUSED"), (13, "CANCELLED")}
    assert 11 == late.status
    assert "newer pause" in late.err
    assert (0, {"demo": "ACTIVE"}) == (resumed.status, resumed.json["targets"]), resumed.err
    assert 0 == lowered.status, lowered.err


async def test_everything_pauses_and_comes_back(installation: World):
    """`--all` waits for every target, and the resume of all opens each by its own smoke."""
    shell = shell_of(installation)
    async with installation.worker():
        paused = await shell.typed("pause", "--all", "--reason", "incident 7", "--style", "drain", "--wait", "--json")
        seen = await shell.typed("status", "--json")
        resumed = await shell.typed(
            "resume", "--all", "--cause", "closed", "--evidence", "report 7", "--wait", "--json"
        )
    assert 0 == paused.status, paused.err
    assert "PAUSED" == seen.json["installation"]["status"]
    assert "PAUSED" == seen.json["targets"]["demo"]["status"]
    assert (0, {"demo": "ACTIVE"}) == (resumed.status, resumed.json["targets"]), resumed.err


async def test_a_schedule_is_made_once_and_changed_in_place(installation: World):
    """Applying twice leaves one schedule at the later time; a paused one stays paused."""
    shell = shell_of(installation)
    async with installation.worker():
        assert 0 == (await shell.typed("schedule", "apply", "demo", "--at", "06:30")).status
        assert {"target": "demo", "done": "paused"} == (await shell.typed("schedule", "pause", "demo", "--json")).json
        changed = await shell.typed("schedule", "apply", "demo", "--at", "07:45")
        as_json = await shell.typed("schedule", "apply", "demo", "--at", "07:45", "--json")
        handle = installation.client.get_schedule_handle("daily-run/demo")
        found = (await handle.describe()).schedule
        assert 2 == (await shell.typed("schedule", "apply", "demo", "--at", "25:00")).status
        assert 0 == (await shell.typed("schedule", "delete", "demo")).status
        assert 2 == (await shell.typed("schedule", "trigger", "demo")).status
    assert "updated" in changed.out
    assert ("demo", "updated", "07:45") == tuple(as_json.json[word] for word in ("target", "done", "at"))
    assert (7, 45) == (found.spec.calendars[0].hour[0].start, found.spec.calendars[0].minute[0].start)
    assert found.state.paused


async def test_a_tampered_log_is_named(installation: World):
    """`audit verify` passes on what was written, and names the first bad record of what was changed."""
    shell = shell_of(installation)
    async with installation.worker():
        run = await shell.typed(*RUN, "--mode", "DRY_RUN", "--again", "--json")
        good = await shell.typed("audit", "verify")
        assert 0 == good.status, good.out
        assert "mirror ref, temporal" in good.out
        log = installation.settings.artifacts / "runs" / run.json["runId"] / "audit_log.jsonl"
        log.write_bytes(b"".join(log.read_bytes().splitlines(keepends=True)[:-1]))
        cut = await shell.typed("audit", "verify", log.parent.name)
    assert 17 == cut.status
    assert "tail cut" in cut.out


async def test_names_nobody_knows_are_refused_with_the_nearest(installation: World):
    """A typing mistake starts nothing and pauses nobody else."""
    shell = shell_of(installation)
    async with installation.worker():
        for argv in (
            ("run", "demp"),
            ("pause", "demp", "--reason", "x"),
            ("schedule", "apply", "demp"),
            ("runs", "demp"),
            ("incident", "list", "demp"),
            ("audit", "verify", "demp"),
        ):
            done = await shell.typed(*argv)
            assert 16 == done.status, (argv, done.err)
            assert "demo" in done.err
        assert 2 == (await shell.typed("watch", "demo-2020-01-01-pr-1")).status
        no_day = await shell.typed("run", "demo", "--date", "2026-02-30")
    assert (2, True) == (no_day.status, "'2026-02-30' is no day: write it as YYYY-MM-DD" in no_day.err), no_day.err
