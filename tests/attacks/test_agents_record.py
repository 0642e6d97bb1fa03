"""What an agent's work leaves: its record under ``agent/``, its cost in the audit log, its progress."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from temporalio.testing import ActivityEnvironment

from activities.heartbeat import heartbeating
from activities.run.checking import CheckRunner
from activities.run.coding import Coding
from contracts.exchange import AgentOutcome, AgentRecord, Ending, Exchange
from contracts.modes import Role
from ports.agents import Brief
from tests.attacks.stage import PATH, RIGHT, TYPO, PlayedAgent, Stage, done


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
