"""``python -m demo.incident``: an agent touches a protected path; everything stops, is explained, and comes back.

Runbook §6.1, §7, §9, §12 in one go, on a real package. Whatever an operator would type is typed, in its own process.
"""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.home import embedded
from commands.leaving import leave
from commands.run import start
from commands.terminal import say
from commands.watch import follow, show_result
from contracts.admission import RunRequest, RunResult
from contracts.modes import GREEN_STATUSES, Mode, RunStatus
from demo.careless_agent import PLANTED, careless_bench
from demo.operator import Operator
from demo.staging import chosen, ended, prepare, tell
from settings import Settings

_PATIENCE = 120.0
_TOLD = (
    "run issued",
    "paused",
    "policy violation escalated",
    "incident opened",
    "evidence collected",
    "ticket opened",
    "run closed",
    "facts stated",
    "incident closed",
    "installation resumed",
    "resume begun",
    "resumed",
    "write settled",
)


async def perform(settings: Settings, target: str) -> None:
    """First with the careless agent, then, its cause closed, without it."""
    operator = Operator(settings)
    async with embedded(settings, bench=careless_bench) as running:
        say(f"Temporal server at {running.server.address}, its UI at {running.server.ui}", "bold")
        say(f"a run whose agent also plants {PLANTED}", "bold")
        request = RunRequest(target=target, mode=Mode.PR_ONLY, actor="make demo-incident")
        handle = await start(running.client, f"daily-run/{target}/demo-incident", request)
        result, status = await follow(running.client, handle, _PATIENCE)
        show_result(result, status, as_json=False)
        _expect(result, RunStatus.ESCALATED)
        incident = f"INC-{result.run_id}-policy-violation"
        await operator.until(("incident", "show", incident), _explained, _PATIENCE)
        await operator.types("status")
        await operator.types("run", target, "--mode", "PR_ONLY", "--again", wanted=Exit.REFUSED)
        await operator.types("alerts")
        await operator.types("incident", "list")
        await _review(operator, incident)
    say("the careless agent is taken out: the worker starts again without it", "bold")
    async with embedded(settings) as running:
        await operator.types(
            *("resume", "--all", "--cause", "a backend that writes outside its contract"),
            *("--evidence", f"the worker runs without it; see {incident}", "--wait"),
        )
        say(
            "the ladder's last rung: PR_ONLY works again (the idea of the escalated run stays suppressed for a while)",
            "bold",
        )
        request = RunRequest(target=target, mode=Mode.PR_ONLY, actor="make demo-incident", again=True)
        handle = await start(running.client, f"daily-run/{target}/demo-incident/again", request)
        result, status = await follow(running.client, handle, _PATIENCE)
        show_result(result, status, as_json=False)
        if result.status not in GREEN_STATUSES:
            raise CommandFailed(Exit.FAILED, f"{result.run_id} ended {result.status}: {result.reason}")
        await operator.types("incident", "show", incident)
        await operator.types("audit", "verify", "--all")


async def _review(operator: Operator, incident: str) -> None:
    """A half-filled report cannot be closed; a complete one can."""
    await operator.types("incident", "close", incident, "--reason", "looks fine", wanted=Exit.REFUSED)
    due = datetime.now(UTC).date() + timedelta(days=14)
    await operator.types(
        *("incident", "edit", incident),
        *("--impact", "no repository was changed; one daily run was lost"),
        *("--root-cause", "the coding backend writes files its contract does not name"),
        *("--remediation", "the backend was taken out of the worker"),
        *("--prevention", "try a new backend in DRY_RUN for two weeks first"),
        *("--owner", "the platform team", "--due", due.isoformat()),
    )
    await operator.types("incident", "close", incident, "--reason", "all seven parts are there")


def _explained(answer: Mapping[str, Any]) -> bool:
    report = answer.get("report", {})
    return bool(report.get("evidence") and report.get("ticket"))


def _expect(result: RunResult, status: RunStatus) -> None:
    if result.status is not status:
        raise CommandFailed(Exit.FAILED, f"{result.run_id} ended {result.status}, not {status}: {result.reason}")


def main() -> Exit:
    """Demo from start to end; its exit status."""
    settings, target, _ = prepare("demo-incident", chosen())
    asyncio.run(perform(settings, target))
    return tell(settings, _TOLD)


if __name__ == "__main__":
    leave(ended(main))
