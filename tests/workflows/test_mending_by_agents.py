"""What is red in the forge's CI, and what a tool's fix could not mend, are tasks of an agent (issue 14, line 8)."""

from __future__ import annotations

import json
from typing import Any

from ci_forge import ANY, CiResults, with_ci
from world import ScriptedAgent, World

from contracts.forge_facts import CheckState, CommitCheck
from contracts.modes import Role, RunStatus
from contracts.remediation import Remediation
from ports.agents import Brief
from tests.workflows.quick import Speller
from tests.workflows.test_asked_of_agents import GREEN, QUICK_TARGET, let_an_agent_code
from tests.workflows.test_remediation import REFUSES_ANY, backlog

CI = '\n[ci]\nrequired = ["ci/test"]\nminutes = 5\nevery_seconds = 1\n'
RED = CommitCheck(name="ci/test", state=CheckState.RED, detail="1 failed", log="E  assert 'Prices' in page @all\n")
GREEN_THERE = CommitCheck(name="ci/test", state=CheckState.GREEN)


def editing(name: str, text: str, told: list[Brief]) -> Any:
    """A coder that writes one file, whatever it is asked for."""

    def code(brief: Brief) -> str:
        told.append(brief)
        assert brief.tree is not None
        (brief.tree / name).write_text(text)
        return json.dumps({"summary": "done"})

    return lambda real: ScriptedAgent(Speller(real), answers={Role.CODING: code})


async def test_a_red_ci_of_the_base_is_the_one_task_and_ci_judges_it(world: World) -> None:
    """Without an agent the run is refused; with one, CI of the pull request says whether it is mended."""
    results, told = CiResults(world.root / "ci.json"), list[Brief]()
    world.add_target("shop", GREEN, CI + QUICK_TARGET)
    results.report(world.refs("shop")["refs/heads/main"], RED)
    results.report(ANY, GREEN_THERE)
    bench = world.bench(editing("page.txt", "Prices\n", told), forges=with_ci(world.bench().forges, results))
    async with world.worker(bench):
        nobody = await world.run("shop")
        let_an_agent_code(world)
        done = await world.run("shop", again=True)
        again = await world.run("shop", again=True)
    assert (RunStatus.REFUSED, True) == (nobody.status, "red: ci/test" in nobody.reason)
    assert RunStatus.PR_OPENED is done.status, done.reason
    (brief,) = told
    assert brief.contract is not None
    assert brief.contract.asked is not None
    assert ("in_ci", "ci", True) == (
        brief.contract.measure.value, brief.contract.rule, "assert 'Prices' in page" in brief.contract.asked.text
    )  # fmt: skip
    [pull] = world.pulls("shop")
    assert "because CI was red" in pull["body"]
    assert "Nothing here measures whether CI is green again" in pull["body"]
    # Its pull request waits, so the task is not taken anew; and on a red base nothing else is.
    assert RunStatus.NOTHING_TO_DO is again.status
    reasons = {each["reason"] for each in world.artifact(again.run_id, "candidate_tasks.json")["suppressed"]}
    assert {True} == {"open for the same idea" in each or "first Make CI pass again" in each for each in reasons}


async def test_a_ci_that_stays_red_closes_it_and_it_is_not_tried_anew_each_day(world: World) -> None:
    """A rejection like any other, and no remediation of it: no part could be tried alone."""
    results = CiResults(world.root / "ci.json")
    let_an_agent_code(world)
    world.add_target("shop", GREEN, CI + QUICK_TARGET)
    results.report(ANY, RED)
    bench = world.bench(editing("page.txt", "Nothing\n", []), forges=with_ci(world.bench().forges, results))
    async with world.worker(bench):
        first = await world.run("shop")
        again = await world.run("shop", again=True)
        booked = await backlog(world, "shop")
    assert (RunStatus.REJECTED, RunStatus.NOTHING_TO_DO) == (first.status, again.status), first.reason
    assert list[Remediation]() == booked
    reasons = {each["reason"] for each in world.artifact(again.run_id, "candidate_tasks.json")["suppressed"]}
    assert any(each.startswith("rejected on ") for each in reasons)


async def test_what_a_tools_fix_could_not_mend_an_agent_is_asked_for(world: World) -> None:
    """Once it is down to one file: the finding is gone, the check that the fix broke is green."""
    told: list[Brief] = []

    def code(brief: Brief) -> str:
        told.append(brief)
        assert brief.tree is not None
        assert brief.contract is not None
        word = "get" if brief.contract.asked else "receive"
        (brief.tree / "pkg/d.py").write_text(f'"""You {word} d."""\n\nVALUE = 1\n')
        return json.dumps({"summary": "done"})

    let_an_agent_code(world)
    files: dict[str, str | bytes] = {
        "pkg/__init__.py": '"""Names."""\n',
        "pkg/d.py": '"""You recieve d."""\n\nVALUE = 1\n',
    }
    world.add_target("flow", files, REFUSES_ANY)
    async with world.worker(world.bench(lambda real: ScriptedAgent(real, answers={Role.CODING: code}))):
        first = await world.run("flow")
        second = await world.run("flow", again=True)
    assert (RunStatus.REJECTED, RunStatus.PR_OPENED) == (first.status, second.status), second.reason
    contract = told[-1].contract
    assert contract is not None
    assert contract.asked is not None
    assert ("findings", ("pkg/d.py",), 1) == (
        contract.measure.value,
        contract.scope.allowed_paths,
        contract.metric_before,
    )
    assert "Mend codespell" in contract.title
    assert f"unit was red with it in {first.run_id}" in contract.asked.text
    listed = world.artifact(second.run_id, "candidate_tasks.json")["candidates"]
    assert [False] == [each["needsPerson"] for each in listed]
