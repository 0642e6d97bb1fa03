"""A model in every role that a model may play, before one scripted server, through the gateway, paid by exchange."""

from __future__ import annotations

import json
import re
from typing import Any

from shell import shell_of
from world import World

from contracts.modes import Role, RunStatus
from demo.scripted_model import Move, ScriptedModel
from tests.workflows.test_source_expansion import CHECK, FILES, served, start

ROLES = """
[roles.ROLE]
backend = "model"
provider = "lab"
models = ["m-1"]
minutes = 5
usd = 0.5
tokens = 100_000
"""
PROVIDER = """
[providers.lab]
url = "URL"
retries = 0

[prices."m-1"]
input = 3
output = 15
"""
_TOLD = re.compile(r"<data (\w{16}) name='([^']+)'>\n(.*?)\n</data \1>", re.DOTALL)


def appointed(world: World, url: str, *roles: Role) -> None:
    """A model plays these roles."""
    place = world.settings.policies / "charter.toml"
    text = place.read_text()
    for role in roles:
        text = re.sub(rf"\[roles\.{role.value}\]\n(?:[^\[\n].*\n|\n)*", "", text)
    place.write_text(text + "".join(ROLES.replace("ROLE", role.value) for role in roles) + PROVIDER.replace("URL", url))


def told(body: dict[str, Any]) -> dict[str, str]:
    """What a question says beside its prompt, by name."""
    words = json.dumps([each["content"] for each in body["messages"] if each["role"] == "user"], ensure_ascii=False)
    return {name: text for _, name, text in _TOLD.findall(json.loads(f"[{words}]")[0][0])}


def answered(body: dict[str, Any], _number: int) -> Move:
    """Sound answers in every role; the reviewer blocks."""
    known = told(body)
    if "candidates.json" in known:
        found = json.loads(known["candidates.json"])
        # The last idea first: nobody else ranks so.
        return Move(call="final_result", arguments=found | {"candidates": found["candidates"][::-1]})
    if "contracts.json" in known:
        return Move(call="final_result", arguments=json.loads(known["contracts.json"])[0])
    if "leads.json" in known:
        lead = {"url": "https://new.example/days.json", "path": "", "licence": "CC0-1.0"}
        named = {"runId": "x", "target": "x", "baseSha": "x", "leads": [lead]}
        return Move(call="final_result", arguments=named)
    block = {"severity": "blocking", "path": None, "message": "the sign is wrong"}
    said = {"approve": False, "confidence": 0.9, "summary": "No.", "remarks": [block]}
    return Move(call="final_result", arguments=said)


def exchanges(world: World, run_id: str) -> list[dict[str, Any]]:
    """Every question's record."""
    folder = world.settings.artifacts / "runs" / run_id / "agent"
    return [json.loads(path.read_text()) for path in sorted(folder.glob("*.json"))]


async def test_a_model_triages_plans_and_blocks(world: World) -> None:
    """Three questions, three exchanges, each in the run's cost; what it blocked ends the run."""
    with ScriptedModel(decide=answered) as model:
        appointed(world, model.url, Role.TRIAGING, Role.PLANNING, Role.REVIEW)
        async with world.worker():
            result = await world.run()
    assert RunStatus.REJECTED is result.status, result.reason
    assert "the sign is wrong" in result.reason
    records = exchanges(world, result.run_id)
    assert {"triaging", "planning", "review"} == {each["role"] for each in records}
    assert ["done"] * 3 == [each["outcome"] for each in records]
    assert len(model.received) == 3
    report = world.artifact(result.run_id, "run_report.json")
    assert report["review"]["costUsd"] == round(sum(each["usd"] for each in records), 6) > 0
    review = world.artifact(result.run_id, "review_report.json")
    assert review["reviewer"] == "tools and m-1"
    (row,) = (await shell_of(world).typed("agents", "compare", "--json")).json["agents"]
    assert (row["who"], row["runs"], row["rejected"], row["usdPerAccepted"]) == ("tools", 1, 1, None)
    assert row["usd"] == report["review"]["costUsd"]
    assert "tools" in (await shell_of(world).typed("agents", "compare", "demo")).out
    # It was shown the change, and none of the coder's words.
    (asked,) = [told(each.body) for each in model.received if "change.diff" in told(each.body)]
    assert "+" in asked["change.diff"]


async def test_a_model_plays_the_source_roles(world: World) -> None:
    """It names a lead, which nobody fetches, and stops a promotion that every gate let through."""
    world.add_target("days", FILES, CHECK)
    with ScriptedModel(decide=answered) as model, served(world, "feast"):
        appointed(world, model.url, Role.SCOUT, Role.SOURCE_QA)
        async with world.worker():
            result = await (await start(world)).result()
    assert RunStatus.REJECTED is result.status, result.reason
    assert "the sign is wrong" in result.reason
    found = world.artifact(result.run_id, "candidate_sources.json")
    assert [("https://new.example/days.json", "CC0-1.0 (says m-1)")] == [
        (each["url"], each["licence"]) for each in found["leads"] if each["namedBy"]
    ]
    report = world.artifact(result.run_id, "source_trial_report.json")
    assert not report["proposalId"]
    assert {"scout", "source_qa"} == {each["role"] for each in exchanges(world, result.run_id)}
    assert "report.json" in told(model.received[-1].body)
