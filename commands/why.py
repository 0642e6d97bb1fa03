"""``why``: why a target works or not, why a run went as it did, what an incident is."""

from datetime import date
from typing import Annotated

import typer

from commands.conversations import (
    RUN_ID,
    ask,
    ended_by_force,
    installation_status,
    known_target,
    run_handle,
    run_view,
    target_status,
    waiting_runs,
)
from commands.exit_statuses import Exit
from commands.failures import CommandFailed, NoAnswer
from commands.home import client_of
from commands.incident import INCIDENTS, show_incident
from commands.report import ENDED, kept_verdicts, said_so, sentence_of, show_verdicts, since_then
from commands.rollback import follow_up_verdict, rollback_verdict
from commands.sights import ended
from commands.status import today_of
from commands.terminal import AsJson, emit, guarded, say, show
from composition import Adapters, ServerUnavailable, compose
from contracts.control import overdue
from contracts.modes import STEPS_OF_A_ROUND
from contracts.rollback import ROLLED_BACK
from contracts.verdict import Decision, Verdict
from policies.counted import in_rounds
from policies.verdicts import allow, deny, hold
from settings import Settings
from workflows import api

_WHAT_FOLLOWS = (
    "Control finds that within control.reap_seconds: it books the run as LOST, makes its report, looks for its open "
    "write on the remote, and follows its pull request if there is one"
)
_WAITING = "waiting for"
Explained = Annotated[
    str, typer.Argument(help="A target's name, a run id such as demo-2026-11-23-pr-1, or an incident's id.")
]


@guarded
async def why(
    what: Explained,
    full: Annotated[
        bool, typer.Option("--full", help="Print the whole tree: every rule, also those that were satisfied.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Why a target works, or does not; why a run went as it did; what an incident is: with the facts they used.

    In short: a line for each step, and below it what said no. `--full` prints all of it.
    """
    adapters = compose(Settings())
    if what.startswith(INCIDENTS):
        return await show_incident(adapters, what, as_json)
    is_run = RUN_ID.fullmatch(what) is not None
    verdicts = await (_why_run(adapters, what) if is_run else _why_target(adapters, what))
    if as_json:
        emit({name: verdict.model_dump(mode="json", by_alias=True) for name, verdict in verdicts.items()})
        return Exit.OK
    if is_run and (sentence := sentence_of(adapters, what)):
        show(sentence, "bold")
    show_verdicts(verdicts, full=full)
    return Exit.OK


async def _why_target(adapters: Adapters, target: str) -> dict[str, Verdict]:
    client = await client_of(adapters.settings, asking=True)
    installation = await installation_status(client)
    verdicts = {"installation": with_reviews(installation.why, today_of(adapters, None))} if installation else {}
    mine = await ask(client, api.control_id(target), api.WHY, Verdict)
    if mine is None:
        gone = await ended(
            client, target, installation is not None and any(seen.name == target for seen in installation.targets)
        )
        if gone is not None:
            raise CommandFailed(Exit.TROUBLE, f"{target}: its Control {gone.sentence()}")
        known_target(adapters, target)
        raise CommandFailed(Exit.TROUBLE, f"{target} has no open Control: its first run or command starts one")
    view = await target_status(client, target)
    waits = {run_id: _waits(reason) for run_id, reason in (await waiting_runs(client, view) if view else {}).items()}
    answers = {
        run_id: _answered(outcomes)
        for run_id, outcomes in adapters.index.outcomes().items()
        if outcomes.startswith(_WAITING) and (of := RUN_ID.fullmatch(run_id)) and of["target"] == target
    }
    return {**verdicts, target: with_reviews(mine, today_of(adapters, target)), **answers, **waits}


async def _why_run(adapters: Adapters, run_id: str) -> dict[str, Verdict]:
    kept = kept_verdicts(adapters, run_id)
    if kept:
        return kept | _became(adapters, run_id) | await _followed(adapters, run_id) | _since(adapters, run_id)
    try:
        client = await client_of(adapters.settings, asking=True)
        handle = await run_handle(client, run_id)
        view, forced = await run_view(handle), await ended_by_force(client, handle)
    except (ServerUnavailable, NoAnswer) as absent:
        message = f"{run_id} has no report in {adapters.settings.artifacts}, and it cannot be asked: {absent}"
        raise CommandFailed(Exit.NO_SERVER, message) from absent
    verdicts = dict(zip(in_rounds(view.steps, STEPS_OF_A_ROUND), view.verdicts, strict=False))
    if forced:
        return {ENDED: said_so(f"{forced}, in step {view.step or 'admission'}. {_WHAT_FOLLOWS}")} | verdicts
    say(f"{run_id} is {view.status} in step {view.step or 'admission'}: {view.reason or 'working'}")
    return verdicts | ({"now": _waits(view.reason)} if view.awaits else {})


def _became(adapters: Adapters, run_id: str) -> dict[str, Verdict]:
    """What a person made of its pull request since, as the lists have it."""
    outcome = adapters.index.outcomes([run_id]).get(run_id, "")
    # What was rolled back, its rollback tells.
    return {"pull request": _answered(outcome)} if outcome not in {"", ROLLED_BACK} else {}


def _since(adapters: Adapters, run_id: str) -> dict[str, Verdict]:
    """Its review since (runbook §10), with the rows that stand in ``post_run_review.json``."""
    later = since_then(adapters, run_id)
    if later is None:
        return {}
    # Imported here: a target's why needs none of it.
    from policies.after.later_review import objective_met, told_objective, went_badly  # noqa: PLC0415

    rows = [allow("risk score against outcome", later.risk_against_outcome)]
    if objective := later.objective:
        met = objective_met(objective)
        judge = hold if met is None else allow if met else deny
        rows.insert(0, judge("the objective is met on the base", told_objective(objective)))
    rows += [allow(f"what {comment.author} said", comment.text) for comment in later.said]
    judge = deny if went_badly(later) else allow
    rule = "its change was taken" if later.ended.startswith("closed") else "what it merged is kept"
    since = judge(rule, later.sentence)
    return {"since then": since.model_copy(update={"children": tuple(rows)})}


def _answered(report: str) -> Verdict:
    return (hold if report.startswith(_WAITING) else allow)("a person has answered its pull request", report)


def _waits(reason: str) -> Verdict:
    return hold("the run goes on", reason)


async def _followed(adapters: Adapters, run_id: str) -> dict[str, Verdict]:
    try:
        client = await client_of(adapters.settings, asking=True)
        verdicts = {"follow-up": await follow_up_verdict(client, run_id)}
        verdicts["rollback"] = await rollback_verdict(client, run_id)
    except (CommandFailed, ServerUnavailable, NoAnswer):
        # The report is here; what became of it later can only the server tell.
        say(f"what has become of {run_id} since cannot be asked: no server or no worker answers")
        return {}
    return {name: verdict for name, verdict in verdicts.items() if verdict}


def with_reviews(verdict: Verdict, today: date) -> Verdict:
    """The verdict, and below each pause whose review is overdue one that says so."""
    children = tuple(with_reviews(child, today) for child in verdict.children)
    review_on = verdict.facts.get("reviewOn")
    if isinstance(review_on, str) and overdue(review_on, today):
        late = Verdict(
            rule="the pause was looked at again in time",
            decision=Decision.HOLD,
            reason=f"its review was due on {review_on}: resume, or pause again with a new date",
            facts={"reviewOn": review_on, "today": today.isoformat()},
        )
        children = (*children, late)
    return verdict.model_copy(update={"children": children})
