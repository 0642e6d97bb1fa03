"""``rollback``: a person undoes a merge of ours; and what follow-ups and rollbacks show of themselves."""

import asyncio
import time
from typing import Annotated, Any

import typer
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowQueryRejectedError
from temporalio.common import QueryRejectCondition
from temporalio.service import RPCError, RPCStatusCode

from commands.conversations import RUN_ID, command, ended_by_force, target_status
from commands.exit_statuses import Exit
from commands.failures import CommandFailed, NoWorker
from commands.home import client_of
from commands.terminal import AsJson, answered, emit, guarded, operator_name, say, show
from composition import compose
from contracts.merging import Health
from contracts.rollback import WAITING, FollowUpView, RollbackOutcome, RollbackRequest, RollbackResult
from contracts.verdict import Decision, Fact, Verdict
from settings import Settings
from workflows import api

EPILOG = (
    "Example: `starter.py rollback demo-2026-11-23-auto-1 --reason 'breaks the importer' --wait`. Exit statuses: 0 "
    "accepted, with --wait restored; 11 refused, with the reason; 12 escalated: a person goes on; 18 it still goes on."
)
ROLLBACK = "RB-"
"""How the audit log of a rollback is named: this and the run's id."""
_LOOK_EVERY = 0.5
_LOOK_PATIENCE = 15
"""Seconds: a forge that does not answer by then is asked by the follow-up again, and the refusal stands."""


@guarded
async def rollback(
    run_id: Annotated[str, typer.Argument(help="The run whose merge to undo, for example demo-2026-11-23-auto-1.")],
    reason: Annotated[str, typer.Option(help="Why; kept for the record, and stated in the incident.")],
    wait: Annotated[
        bool, typer.Option("--wait", help="Wait until it is restored, or a person must take over.")
    ] = False,
    within: Annotated[float, typer.Option("--timeout", min=0, help="How many seconds --wait waits at most.")] = 3600,
    as_json: AsJson = False,
) -> int:
    """Undo the merge of a run's change, once: mode DRY_RUN first, then the exact revert, then health confirmed.

    Whoever merged it: the run itself, or a person its pull request.

    Afterwards `resume` names cause and evidence, and a green smoke leads back to PR_ONLY. A rollback that a pause
    holds goes on with the same command.
    """
    match = RUN_ID.fullmatch(run_id)
    if match is None:
        raise CommandFailed(Exit.USAGE, f"{run_id!r} is no run id; `starter.py runs` lists them")
    settings = compose(Settings()).settings
    client = await client_of(settings)
    if await target_status(client, match["target"]) is None:
        raise CommandFailed(Exit.REFUSED, f"no Control of {match['target']} is open: nothing is known to be merged")
    request = RollbackRequest(run_id=run_id, reason=reason, actor=operator_name())
    answer = await command(client, api.control_id(match["target"]), api.ROLL_BACK, request)
    if not answer.accepted and await _seen_merged(client, run_id):
        answer = await command(client, api.control_id(match["target"]), api.ROLL_BACK, request)
    if not answer.accepted:
        return answered(answer, as_json)
    say(answer.verdict.reason)
    if not wait:
        return answered(answer, as_json, f"accepted; follow it: starter.py status {match['target']}")
    result = await _ended(client, match["target"], run_id, within)
    if result is None:
        say("stopped waiting; it continues")
        return Exit.WAITING
    if as_json:
        emit(result)
    else:
        _show(result)
    return Exit.OK if result.outcome is RollbackOutcome.RESTORED else Exit.ESCALATED


async def _seen_merged(client: Client, run_id: str) -> bool:
    """Have the follow-up of an open pull request look now; returns whether it found that a person merged it."""
    handle = client.get_workflow_handle(api.follow_up_id(run_id))
    until, looks = time.monotonic() + _LOOK_PATIENCE, None
    while time.monotonic() < until:
        try:
            view: FollowUpView = await handle.query(
                api.VIEW, result_type=FollowUpView, reject_condition=QueryRejectCondition.NOT_OPEN
            )
            if view.state != WAITING or (looks is not None and looks < view.pull_looks):
                return looks is not None
            if looks is None:
                say("checking whether a person merged its pull request")
                await handle.signal(api.REFRESH)
                looks = view.pull_looks
        except (RPCError, WorkflowQueryRejectedError):
            return looks is not None
        await asyncio.sleep(_LOOK_EVERY)
    return False


def rollback_handle(client: Client, run_id: str) -> WorkflowHandle[Any, RollbackResult]:
    """The workflow of a run's rollback, whether there is one or not."""
    return client.get_workflow_handle(api.rollback_id(run_id), result_type=RollbackResult)


async def rollback_view(client: Client | None, run_id: str) -> RollbackResult | None:
    """A rollback as it is, also when it has ended; None: there is none, or nobody answers."""
    if client is None:
        return None
    try:
        view: RollbackResult = await rollback_handle(client, run_id).query(api.VIEW, result_type=RollbackResult)
    except RPCError:
        return None
    return view


async def rollback_verdict(client: Client, run_id: str) -> Verdict | None:
    """How a run's rollback ended, or what it is doing; None: there is none, or nobody answers."""
    view = await rollback_view(client, run_id)
    if view is None:
        return None
    forced = await ended_by_force(client, rollback_handle(client, run_id))
    if forced and view.outcome is RollbackOutcome.RUNNING:
        reason = f"{forced}, while {view.reason}. A person goes on: look whether the base holds the expected tree"
        view = view.model_copy(update={"outcome": RollbackOutcome.ESCALATED, "reason": reason})
    decisions = {RollbackOutcome.RESTORED: Decision.ALLOW, RollbackOutcome.ESCALATED: Decision.DENY}
    return Verdict(
        rule="what it merged was undone, exactly",
        decision=decisions.get(view.outcome, Decision.ASK),
        reason=f"{view.outcome}: {view.reason}",
        facts={
            "incident": view.incident,
            "expectedTree": view.expected_tree,
            "restoredTree": view.restored_tree,
            "revert": view.revert_sha,
            "looks": len(view.observations),
        },
    )


async def follow_up_verdict(client: Client, run_id: str) -> Verdict | None:
    """What became of a run's merge or pull request; None: nothing follows it."""
    try:
        handle = client.get_workflow_handle(api.follow_up_id(run_id))
        view: FollowUpView = await handle.query(api.VIEW, result_type=FollowUpView)
        forced = await ended_by_force(client, handle)
    except RPCError as absent:
        if absent.status is RPCStatusCode.NOT_FOUND:
            return None
        raise NoWorker from absent
    bad = view.outcome.startswith(("regression", "red", "unknown", "gone", "someone")) or "regression" in view.outcome
    facts: dict[str, Fact] = {"state": view.state, "looks": len(view.observations)}
    for seen in view.observations[-3:]:
        facts[f"at {seen.commit[:12] or 'the base'}"] = seen.health + "".join(f" {name}" for name in seen.failing)
    if forced:
        again = "Control finds that when it next looks, and starts it again a few times; then it alerts"
        view = view.model_copy(update={"outcome": f"not followed: {forced}, while {view.state}. {again}"})
    return Verdict(
        rule="what it left behind is well",
        decision=Decision.DENY if bad or forced else Decision.ALLOW if view.outcome else Decision.ASK,
        reason=view.outcome or view.state,
        facts=facts,
        children=(view.verdict,) if view.verdict else (),
    )


async def _ended(client: Client, target: str, run_id: str, within: float) -> RollbackResult | None:
    handle = rollback_handle(client, run_id)
    until, told = time.monotonic() + within, ""
    while time.monotonic() < until:
        view = await target_status(client, target)
        going = view is not None and any(one.merged.run.run_id == run_id for one in view.rollbacks)
        if not going:
            try:
                ended: RollbackResult = await handle.result()
            except WorkflowFailureError as lost:
                reason = f"its workflow ended without a result ({lost.cause}); a person goes on"
                raise CommandFailed(Exit.ESCALATED, f"ESCALATED  {run_id}: {reason}") from lost
            return ended
        seen = await rollback_view(client, run_id)
        if seen is not None and seen.reason != told:
            told = seen.reason
            say(told)
        await asyncio.sleep(_LOOK_EVERY)
    return None


def _show(result: RollbackResult) -> None:
    show(f"{result.outcome.upper()}  {result.run_id}: {result.reason}", "bold")
    show(f"  incident       {result.incident}")
    show(f"  expected tree  {result.expected_tree or '-'}")
    show(f"  restored tree  {result.restored_tree or '-'}")
    show(f"  took           {result.seconds:.0f} s; {result.impact}")
    greens = sum(seen.health is Health.GREEN for seen in result.observations)
    show(f"  looks          {len(result.observations)}, {greens} green")
