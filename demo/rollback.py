"""``python -m demo.rollback``: a change merges by itself, breaks production, is undone exactly, and is reviewed.

Runbook §2 (SELECTIVE_AUTO), §6.3, §7, §8 in one go, on a real package. The checks are green and so is the canary: only
production shows the harm (``production.py``). Nobody but the follow-up orders the rollback.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import tomlkit

from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.home import Running, embedded
from commands.leaving import leave
from commands.run import start
from commands.terminal import say, show
from commands.watch import follow, show_result
from contracts.admission import RunRequest, RunResult
from contracts.incident import Trigger, incident_id
from contracts.modes import Mode, RunStatus
from demo.operator import Operator
from demo.production import Production, served
from demo.repository import git
from demo.staging import chosen, ended, prepare, tell
from settings import Settings

_PATIENCE = 300.0
_TOLD = (
    "run issued",
    "run closed",
    "mode set",
    "merged",
    "incident opened",
    "rollback ordered",
    "rollback prepared",
    "repair done",
    "rollback ended",
    "idea quarantined",
    "hardening task queued",
    "ticket opened",
    "facts stated",
    "incident closed",
    "follow-up ended",
    "resume begun",
    "resumed",
    "write settled",
)
# A minute or two instead of hours.
_SHORT: Mapping[str, Mapping[str, object]] = {
    "modes": {"maximum": "SELECTIVE_AUTO"},
    "auto_merge": {"canary_minutes": 0.1, "canary_every_seconds": 2},
    "follow_up": {"observation_minutes": 2.0, "every_minutes": 0.05, "confirmations": 2},
    "rollback": {"health_every_seconds": 2},
}


async def perform(settings: Settings, target: str, remote: Path) -> None:
    """Merge, break, roll back, review."""
    operator = Operator(settings)
    before = _tree(remote)
    async with embedded(settings) as running:
        say(f"Temporal server at {running.server.address}, its UI at {running.server.ui}", "bold")
        say("a dry run opens the target; then a person lets it merge by itself", "bold")
        await _run(running, target, Mode.DRY_RUN, RunStatus.DRY_RUN_COMPLETE)
        await operator.types("mode", target, "SELECTIVE_AUTO", "--reason", "small changes may land by themselves")
        say("a run that merges: every check green, every probe of the canary green", "bold")
        merged = await _run(running, target, Mode.SELECTIVE_AUTO, RunStatus.MERGED)
        show(f"  the base's tree is {_tree(remote)}; it was {before}")
        say("production runs it, and is not well; the follow-up finds that out", "bold")
        incident = incident_id(merged.run_id, Trigger.REGRESSION)
        report = await operator.until(("incident", "show", incident), _explained, _PATIENCE)
        _identical(before, _tree(remote), report)
        await operator.types("status", target)
        say("once, and only upwards through a person", "bold")
        await operator.types("rollback", merged.run_id, "--reason", "once more", wanted=Exit.REFUSED)
        again = ("mode", target, "SELECTIVE_AUTO", "--reason", "it was nothing")
        await operator.types(*again, wanted=Exit.REFUSED)
        await _review(operator, target, incident)
        _expect_pr_only((await operator.asks("status", target))["targets"][target])
        await operator.types("status", target)
        await operator.types("incident", "show", incident)
        await operator.types("audit", "verify", "--all")


async def _run(running: Running, target: str, mode: Mode, wanted: RunStatus) -> RunResult:
    request = RunRequest(target=target, mode=mode, actor="make demo-rollback")
    handle = await start(running.client, f"daily-run/{target}/demo-rollback/{mode}", request)
    result, status = await follow(running.client, handle, _PATIENCE)
    show_result(result, status, as_json=False)
    if result.status is not wanted:
        raise CommandFailed(Exit.FAILED, f"{result.run_id} ended {result.status}, not {wanted}: {result.reason}")
    return result


async def _review(operator: Operator, target: str, incident: str) -> None:
    """A person says what happened; the ladder ends in PR_ONLY."""
    due = datetime.now(UTC).date() + timedelta(days=14)
    await operator.types(
        *("incident", "edit", incident),
        *("--impact", "production was not well until the rollback"),
        *("--root-cause", "somebody outside relies on the released bytes, and no check says so"),
        *("--remediation", "rolled back by itself; the idea is in quarantine"),
        *("--prevention", "a check that compares what outsiders rely on (the hardening task)"),
        *("--owner", "the platform team", "--due", due.isoformat()),
    )
    await operator.types("incident", "close", incident, "--reason", "all seven parts are there")
    await operator.types(
        *("resume", target, "--cause", "a change that no check saw through"),
        *("--evidence", f"production is well again; see {incident}", "--wait"),
    )


def _explained(answer: Mapping[str, Any]) -> bool:
    report = answer.get("report", {})
    return bool(report.get("evidence") and report.get("ticket") and report.get("rollback"))


def _identical(before: str, after: str, shown: Mapping[str, Any]) -> None:
    """P11, by plain git: the tree of the base is the one from before the merge, and the incident says so."""
    rollback = shown["report"]["rollback"]
    if rollback["outcome"] != "restored":
        raise CommandFailed(Exit.FAILED, f"the rollback ended {rollback['outcome']}: {rollback['reason']}")
    if not before == after == rollback["restoredTree"]:
        raise CommandFailed(Exit.FAILED, f"the base's tree is {after}, not {before}")
    show(f"  rolled back: the base's tree is {after} again, to the byte; {rollback['reason']}")


def _expect_pr_only(view: Mapping[str, Any]) -> None:
    if (view["status"], view["mode"]) != ("ACTIVE", Mode.PR_ONLY):
        raise CommandFailed(Exit.FAILED, f"the target is {view['status']} in {view['mode']}, not ACTIVE in PR_ONLY")


def _tree(remote: Path) -> str:
    return git(remote, "rev-parse", "main^{tree}").strip()


def permit(settings: Settings, target: str, probe: str) -> None:
    """The demo's own policy files: SELECTIVE_AUTO allowed, short windows, one probe."""
    place = settings.policies / "autopilot.toml"
    document: Any = tomlkit.parse(place.read_text(encoding="utf-8"))
    for section, wanted in _SHORT.items():
        document[section].update(wanted)
    place.write_text(tomlkit.dumps(document), encoding="utf-8")
    with (settings.policies / "targets" / f"{target}.toml").open("a", encoding="utf-8") as file:
        file.write(f'\n[[probes]]\nname = "production"\nurl = "{probe}"\nseconds = 10\n')


def main() -> Exit:
    """Demo from start to end; its exit status."""
    settings, target, remote = prepare("demo-rollback", chosen())
    with served(Production.of(remote)) as probe:
        permit(settings, target, probe)
        asyncio.run(perform(settings, target, remote))
    return tell(settings, _TOLD)


if __name__ == "__main__":
    leave(ended(main))
