"""``python -m demo``: fetch a real package, put it behind a bare remote, DRY_RUN it, open a pull request."""

import asyncio
from pathlib import Path

from commands.exit_statuses import Exit
from commands.home import embedded
from commands.leaving import leave
from commands.report import KeptRun, kept_run, sentence_of
from commands.run import start
from commands.terminal import say, show
from commands.watch import follow, show_result
from composition import Adapters, compose
from contracts.admission import RunRequest, RunResult
from contracts.modes import GREEN_STATUSES, Mode
from demo.repository import diffstat
from demo.staging import chosen, ended, prepare
from policies.counted import counted
from settings import Settings

_TIMEOUT = 600.0


async def perform(settings: Settings, target: str) -> list[RunResult]:
    """The two runs, on an embedded server with a worker."""
    results = []
    async with embedded(settings, ui_port=0) as running:
        say(f"Temporal server at {running.server.address}, its UI at {running.server.ui}", "bold")
        for mode in (Mode.DRY_RUN, Mode.PR_ONLY):
            say(f"run {mode}", "bold")
            request = RunRequest(target=target, mode=mode, actor="make demo")
            handle = await start(running.client, f"daily-run/{target}/demo/{mode}", request)
            result, status = await follow(running.client, handle, _TIMEOUT)
            show_result(result, status, as_json=False, sentence=sentence_of(compose(settings), result.run_id))
            results.append(result)
            if result.status not in GREEN_STATUSES:
                break
    return results


def conclude(adapters: Adapters, last: RunResult, remote: Path) -> None:
    """The pull request, where the report is, how to go on."""
    kept = kept_run(adapters, last.run_id)
    if last.pull_request and kept:
        show("")
        show(f"Pull request #{last.pull_request.number}, branch {last.pull_request.branch}", "bold")
        show(diffstat(remote, last.pull_request.branch))
        _contract(kept)
    settings = adapters.settings
    show("")
    show(f"report  file://{last.report}")
    show(f"remote  {remote}")
    show(
        f"UI      `make demo-up` starts server, worker and UI again, with these runs in it, at http://127.0.0.1:{settings.ui_port}"
    )


def _contract(kept: KeptRun) -> None:
    if kept.contract is None or kept.change is None or kept.checks is None or kept.decision is None:
        return
    contract, change = kept.contract, kept.change
    for name, value in (
        ("task", f"{contract.task_id}: {contract.title}"),
        ("outcome", kept.decision.outcome),
        ("risk", f"{kept.decision.risk.level} ({kept.decision.risk.total:.2f})"),
        ("measured", f"{change.metric}: {change.metric_before} → {change.metric_after}"),
        ("checks", ", ".join(f"{check.name} {check.status}" for check in kept.checks.results)),
        ("rollback", f"{contract.rollback.strategy}, at most {counted(contract.rollback.maximum_minutes, 'minute')}"),
        ("contract", kept.decision.contract_digest),
        ("policy", kept.decision.policy_digest),
    ):
        show(f"  {name:<9} {value}")


def main() -> Exit:
    """Demo from start to end; its exit status."""
    settings, target, remote = prepare("demo", chosen())
    results = asyncio.run(perform(settings, target))
    conclude(compose(settings), results[-1], remote)
    return Exit.OK if results[-1].status in GREEN_STATUSES else Exit.FAILED


if __name__ == "__main__":
    leave(ended(main))
