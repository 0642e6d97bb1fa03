"""What an agent's work leaves: its record under ``agent/``, its cost in the audit log, its progress."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from temporalio.testing import ActivityEnvironment

from activities.heartbeat import heartbeating
from activities.run.agent_records import left_behind
from activities.run.checking import CheckRunner
from activities.run.coding import Coding
from activities.run.reading import Reader
from contracts.audit import AuditEvent
from contracts.budget import Amounts, BudgetView, Reservation, RunCost
from contracts.exchange import AgentOutcome, AgentRecord, Ending, Exchange
from contracts.modes import Role
from ports.agents import Brief
from tests.attacks.stage import PATH, RIGHT, TYPO, PlayedAgent, Stage, done
from tests.reporting.sample_run import INPUT


def exchange(number: int, ending: Ending) -> Exchange:
    return Exchange(number=number, at=datetime.now(UTC), model="small", dialect="chat", ending=ending, usd=0.25)


def record() -> AgentRecord:
    return AgentRecord(
        run_id="demo-run",
        role="coding",
        backend="command",
        agent="played",
        outcome=AgentOutcome.DONE,
        reason="it is done",
        exchanges=tuple(exchange(n, Ending.TOOL if n < 3 else Ending.SAID) for n in (1, 2, 3)),
        usd=0.75,
        tokens=3150,
    )


def test_what_an_agent_did_is_kept_and_told_by_digest(stage: Stage) -> None:
    """Whoever reads the audit log alone knows what it cost, how it ended, and which bytes say more."""

    def coding(brief: Brief) -> str:
        assert brief.tree is not None
        assert brief.purse is None, "tools ask no model"
        brief.keep("agent/code-1.json", record().model_dump_json().encode(), "application/json")
        brief.keep("code-1.jsonl", b'{"exchange": {}}\n', "application/jsonl")
        # What a program printed, who may print anything.
        forged = record().model_copy(update={"usd": 0.0, "exchanges": ()})
        brief.keep("code-1.output.txt", forged.model_dump_json().encode(), "text/plain")
        file = brief.tree / PATH
        file.write_text(file.read_text().replace(TYPO, RIGHT))
        return json.dumps({"summary": "mended"})

    bench = stage.with_agent(PlayedAgent({Role.CODING: coding}))
    step = Coding(bench, CheckRunner(bench.environments, bench.sandbox)).code
    result = done(step, stage.to_code(stage.contract))
    digests = {ref.name: ref.sha256 for ref in result.handover.output_artifacts}
    noted = [each for each in stage.bench.audit.records("run/demo-run") if each.event.startswith("agent")]
    [told] = [each.facts for each in noted if each.event == "agent exchanged"]
    assert told == {
        "artifact": "agent/code-1.json",
        "sha256": digests["agent/code-1.json"],
        "outcome": "done",
        "exchanges": 3,
        "usd": 0.75,
        "tokens": 3150,
        "bound": False,
        "endings": "said 1, tool 2",
    }
    names = ("agent/code-1.jsonl", "agent/code-1.output.txt")
    others = [each.facts for each in noted if each.event == "agent's work kept"]
    assert others == [{"artifact": name, "sha256": digests[name]} for name in names]


def view(stage: Stage, usd: float, tokens: int, *held: Amounts) -> BudgetView:
    """What Control says of the run's coding step: booked, and held by whoever never settled."""
    run_id, at = stage.run.run_id, datetime.now(UTC)
    booked = {f"{run_id}/code": Amounts(usd=usd, tokens=tokens), f"{run_id}/check": Amounts(usd=9)}
    lost = (
        Reservation(key=f"{run_id}/code-{n}", attempt="a", run_id=run_id, worst=each, at=at, periods=(), exchange=True)
        for n, each in enumerate(held)
    )
    runs = (RunCost(run_id=run_id, exchanges=booked), RunCost(run_id="other", exchanges={"other/code": Amounts(usd=9)}))
    return BudgetView.model_construct(runs=runs, reservations=tuple(lost))


def left(stage: Stage, seen: BudgetView | None) -> tuple[dict[str, AgentRecord], list[AuditEvent]]:
    """What the run's end finds: records by name, and the log's events."""
    given = INPUT.model_copy(update={"run": stage.run, "artifacts": ()})
    found, events = left_behind(stage.bench, Reader(stage.bench), given, seen)
    kept = {each.name: stage.bench.store.get(each) for each in found if each.name.endswith(".json")}
    return {name: AgentRecord.model_validate_json(body) for name, body in kept.items()}, list(events)


def test_what_a_dead_worker_paid_is_on_record(stage: Stage) -> None:
    """Control's books against all records; held or booked at the worst case, so an upper bound, marked; told once."""
    put = stage.bench.store.put
    put(stage.run.run_id, "agent/coding-20261127T101112131415Z.json", record().model_dump_json().encode())
    found, events = left(stage, view(stage, 1.0, 4000, Amounts(usd=0.5, tokens=100)))
    lost = found["agent/coding-unrecorded.json"]
    assert ({"agent/coding-20261127T101112131415Z.json"} | {"agent/coding-unrecorded.json"}) == set(found)
    assert (0.75, 950, True, AgentOutcome.CRASHED) == (lost.usd, lost.tokens, lost.bound, lost.outcome)
    assert ["coding", Ending.CUT] == [lost.role, lost.exchanges[0].ending]
    assert {"agent exchanged"} == {each.event for each in events}
    assert len(events) == 2
    # A second try of the run's end finds the same, and nothing more.
    again, _ = left(stage, view(stage, 1.0, 4000, Amounts(usd=0.5, tokens=100)))
    assert found == again


def test_where_every_cent_has_a_record_there_is_none_more(stage: Stage) -> None:
    """Also where Control does not answer, and where a person stated less than the worst case."""
    put = stage.bench.store.put
    put(stage.run.run_id, "agent/coding-20261127T101112131415Z.json", record().model_dump_json().encode())
    for seen in (view(stage, 0.75, 3150), view(stage, 0.5, 3000), None):
        found, _ = left(stage, seen)
        assert ["agent/coding-20261127T101112131415Z.json"] == list(found)


def test_progress_is_told_with_the_beats(monkeypatch: Any) -> None:
    """Whoever looks at the pending step sees the latest."""
    monkeypatch.setattr("activities.heartbeat._EVERY_SECONDS", 0.02)
    environment, seen = ActivityEnvironment(), list[Any]()

    def beat(*details: Any) -> None:
        seen.append(details)

    environment.on_heartbeat = beat

    def work() -> None:
        with heartbeating() as alive:
            while len(seen) < 2:
                alive()
            alive.tell(exchanges=3, usd=0.75, tool="bash")
            before = len(seen)
            while len(seen) < before + 2:
                alive()

    environment.run(work)
    assert seen[0] == ()
    assert seen[-1] == ({"exchanges": 3, "usd": 0.75, "tool": "bash"},)


def test_an_exchange_pays_for_itself_so_its_step_reserves_minutes_alone(stage: Stage) -> None:
    from policies.run.caps import held_for_step, worst_case

    charter = stage.policy.charter
    dear = {"usd": 5.0, "tokens": 900, "minutes": 7}
    for backend, usd in (("tools", 5), ("command", 0), ("model", 0)):
        role = charter.roles[Role.CODING].model_copy(update={"backend": backend, **dear})
        said = charter.model_copy(update={"roles": {**charter.roles, Role.CODING: role}})
        policy = stage.policy.model_copy(update={"charter": said})
        held = held_for_step(policy, Role.CODING)
        assert (held.usd, held.agent_minutes) == (usd, 7)
        assert worst_case(policy, Role.CODING).usd == 5
