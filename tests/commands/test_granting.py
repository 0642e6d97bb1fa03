"""``grant`` and ``run --grant`` as an operator types them; the reviewer is the production one."""

from __future__ import annotations

from shell import shell_of
from world import ScriptedAgent, World

from ports.agents import Agent, Brief

FILE = ".github/workflows/x.yml"
RESUME = "--cause", "the coder was corrected", "--evidence", "commit 7", "--wait", "--json"


async def test_an_escalated_run_is_granted_and_released(world: World) -> None:
    """Every no with its exit status and reason, the diff stat, `--json`, `status`, then the pull request."""

    def scripted(real: Agent) -> Agent:
        def coding(brief: Brief) -> str:
            assert brief.tree is not None
            said = real.answer(brief)
            (brief.tree / FILE).parent.mkdir(parents=True, exist_ok=True)
            (brief.tree / FILE).write_text("on: push\n")
            return said

        return ScriptedAgent(real, answers={"coding": coding})

    shell = shell_of(world)
    more = "--for", "24h", "--reason", "read line by line"
    async with world.worker(world.bench(scripted)):
        escalated = await shell.typed("run", "demo", "--json")
        run_id = escalated.json["runId"]
        paused = await shell.typed("grant", run_id, "--path", FILE, *more)
        # Mended: the smoke below must not touch what it must not.
    async with world.worker():
        resumed = await shell.typed("resume", "--all", *RESUME)
        wrong = [
            await shell.typed("grant", "nonsense", "--path", FILE, *more),
            await shell.typed("grant", run_id, "--path", ".github/**", *more),
            await shell.typed("grant", run_id, "--path", FILE, "--for", "soon", "--reason", "why not"),
            await shell.typed("grant", f"{run_id}7", "--path", FILE, *more),
            await shell.typed("grant", run_id, "--path", FILE, "--for", "8d", "--reason", "why not"),
            await shell.typed("grant", run_id, "--path", FILE, *more, "--expected-epoch", "1"),
            await shell.typed("run", "demo", "--grant", run_id, "--json"),
        ]
        granted = await shell.typed("grant", run_id, "--path", FILE, *more)
        as_json = await shell.typed("grant", run_id, "--path", FILE, *more, "--json")
        shown = await shell.typed("status", "demo")
        opened = await shell.typed("run", "demo", "--grant", run_id, "--json")
        after = await shell.typed("status", "demo", "--json")

    assert 12 == escalated.status, escalated.err
    assert (11, True) == (paused.status, "a grant comes after the resume" in paused.err)
    assert 0 == resumed.status, resumed.err
    assert [2, 2, 2, 11, 11, 11, 11] == [each.status for each in wrong], [each.err for each in wrong]
    reasons = [each.err + each.out for each in wrong]
    for part, told in zip(
        (
            "is no run id",
            "names exact paths",
            "is no time span",
            "no audit log",
            "7 days at most",
            "a newer pause",
            "no grant for",
        ),
        reasons,
        strict=True,
    ):
        assert part in told
    assert 0 == granted.status, granted.err
    for part in ("PROTECTED", FILE, "may take it once", f"run demo --grant {run_id}"):
        assert part in granted.out
    assert (True, run_id) == (as_json.json["accepted"], as_json.json["runId"])
    assert [FILE] == [each["path"] for each in as_json.json["paths"] if each["protected"]]
    assert f"grant for {run_id}" in shown.out
    assert (0, "PR_OPENED", "REQUIRES_HUMAN_REVIEW") == (
        opened.status,
        opened.json["status"],
        opened.json["outcome"],
    ), opened.err
    assert as_json.json["headSha"] == opened.json["pullRequest"]["headSha"]
    assert [] == after.json["targets"]["demo"]["grants"]
