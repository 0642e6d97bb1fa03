"""``grant``: a person releases the quarantined change of an escalated run, once, for a while."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from activities.run.quarantine import KeptChange, NotInQuarantine, open_quarantine
from commands.conversations import RUN_ID, command, target_status
from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.home import client_of
from commands.terminal import AsJson, emit, guarded, operator_name, show, time_span
from composition import Adapters, compose
from contracts.change import ChangedPath
from contracts.control import Answer
from contracts.grant import GrantRequest
from policies.counted import sized
from policies.paths.rules import protection, readable
from settings import Settings
from workflows import api

EPILOG = (
    "Example: `starter.py grant demo-2026-11-23-pr-1 --path .github/workflows/ci.yml --for 24h --reason 'reviewed by "
    "hand'`, then `starter.py run demo --grant demo-2026-11-23-pr-1`. Exit statuses: 0 granted, 2 not a path or time "
    "that can be granted, 11 refused (no such quarantined change, paused, newer epoch, too long)."
)


@guarded
async def grant(
    run_id: Annotated[str, typer.Argument(help="The escalated run, for example demo-2026-11-23-pr-1.")],
    path: Annotated[
        list[str], typer.Option("--path", help="A protected path that it may touch, exactly as named. Repeat for more.")
    ],
    span: Annotated[str, typer.Option("--for", metavar="SPAN", help="How long: 30m, 24h, 3d.")],
    reason: Annotated[str, typer.Option(help="Why; kept for the record and stated in the pull request.")],
    expected_epoch: Annotated[int | None, typer.Option(help="The epoch you saw; default: the current one.")] = None,
    as_json: AsJson = False,
) -> int:
    """Release a quarantined change: exactly its commit, exactly these protected paths, once, until a time.

    Shows what the change touches before it asks. The run that takes it (`run --grant`) is reviewed and checked like
    any other and ends in a person's review.
    """
    adapters = compose(Settings())
    match = RUN_ID.fullmatch(run_id)
    if match is None:
        raise CommandFailed(Exit.USAGE, f"{run_id!r} is no run id: `starter.py runs` lists them")
    target = match["target"]
    kept = _quarantined(adapters, target, run_id)
    expires_at = datetime.now(UTC) + time_span(span)
    protected = _protected(adapters, target, kept)
    if not as_json:
        _show_change(kept, protected)
    _all_touched(path, protected)
    client = await client_of(adapters.settings)
    view = await target_status(client, target)
    if view is None:
        raise CommandFailed(Exit.REFUSED, f"no Control of {target} is open: `starter.py run {target}` starts one")
    request = GrantRequest(
        expected_epoch=expected_epoch if expected_epoch is not None else view.epoch,
        run_id=run_id,
        head_sha=kept.change.head_sha,
        paths=tuple(path),
        expires_at=expires_at,
        escalated_record=kept.escalated_record,
        reason=reason,
        actor=operator_name(),
    )
    answer = await command(client, api.control_id(target), api.GRANT, request)
    if as_json:
        emit(_as_json(answer, kept, protected))
        return Exit.OK if answer.accepted else Exit.REFUSED
    if not answer.accepted:
        raise CommandFailed(Exit.REFUSED, f"refused: {answer.verdict.reason}")
    show(f"granted: {answer.verdict.reason}")
    if left := sorted(set(protected) - set(path)):
        show(f"not granted, so the run will be escalated again: {', '.join(map(readable, left))}", "bold")
    show(f"take it: starter.py run {target} --grant {run_id}")
    return Exit.OK


def _quarantined(adapters: Adapters, target: str, run_id: str) -> KeptChange:
    try:
        return open_quarantine(adapters.store, adapters.audit, target, run_id)
    except NotInQuarantine as problem:
        raise CommandFailed(Exit.REFUSED, f"no change of {run_id} can be granted: {problem}") from problem


def _protected(adapters: Adapters, target: str, kept: KeptChange) -> dict[str, str]:
    """Protected paths of the change, under the policy as it is now, and why each is protected."""
    policy = adapters.policies.effective(target)
    rules = {entry.path: protection(entry.path, policy, kept.contract.type) for entry in kept.change.paths}
    return {path: rule.reason for path, rule in rules.items() if rule is not None}


def _all_touched(paths: list[str], protected: dict[str, str]) -> None:
    for path in paths:
        if path not in protected:
            named = ", ".join(readable(each) for each in sorted(protected)) or "none"
            message = f"{path!r} is not a protected path of this change; a grant names exact paths. Protected: {named}"
            raise CommandFailed(Exit.USAGE, message)


def _show_change(kept: KeptChange, protected: dict[str, str]) -> None:
    change = kept.change
    show(f"{kept.contract.title}", "bold")
    show(f"commit {change.head_sha} on {change.base_sha[:12]}: {sized(len(change.paths), change.lines)}")
    for entry in change.paths:
        why = f"  PROTECTED: {protected[entry.path]}" if entry.path in protected else ""
        show(f"  {_stat(entry)}  {readable(entry.path)}{why}")


def _stat(entry: ChangedPath) -> str:
    return f"{entry.status} +{entry.added} -{entry.removed}"


def _as_json(answer: Answer, kept: KeptChange, protected: dict[str, str]) -> dict[str, object]:
    return answer.model_dump(mode="json", by_alias=True) | {
        "runId": kept.run_id,
        "headSha": kept.change.head_sha,
        "baseSha": kept.change.base_sha,
        "paths": [
            {
                "path": readable(entry.path),
                "status": entry.status,
                "added": entry.added,
                "removed": entry.removed,
                "protected": protected.get(entry.path),
            }
            for entry in kept.change.paths
        ],
    }
