"""The backend as the steps see it: proposals as JSON, measured, bounded, and errors that never mean yes."""

from __future__ import annotations

import json

import pytest

from adapters.agents.tools_backend import ToolsBackend
from adapters.tools.measures import ToolMeasures
from contracts.modes import Role
from contracts.task import CandidateTasks, OpenPullRequest, TaskContract
from contracts.verdict import Verdict
from ports.agents import AgentError
from ports.measures import Look, MeasureError
from ports.sandbox import SandboxUnavailable

PROJECT = '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.8"\n'
OLD = "class A(object):\n    pass\n"


class NoSandbox:
    """A machine without one."""

    name = "none"

    def run(self, command, alive):
        raise SandboxUnavailable("bubblewrap was not found")

    def self_test(self) -> Verdict:
        raise SandboxUnavailable("bubblewrap was not found")


def triage(made, **more):
    snapshot = made.snapshot(made.detect()[0]).model_copy(update=more)
    return CandidateTasks.model_validate_json(made.backend.answer(made.brief(Role.TRIAGING, snapshot=snapshot)))


def test_the_whole_loop_by_json(repo):
    """Findings become candidates, the best a contract, the contract a change that review approves."""
    made = repo({"pyproject.toml": PROJECT, "p.py": OLD, "README.md": "We recieve it.\n"})
    candidates = triage(made)
    plan = made.backend.answer(made.brief(Role.PLANNING, candidates=candidates))
    contract = TaskContract.model_validate_json(plan)
    assert ("ruff", "UP") == (contract.tool, contract.rule)
    look = Look(made.tree, made.policy, lambda: None)
    before = made.measures.count(contract, look).left
    made.code(contract)
    assert (contract.metric_before, 0) == (before, made.measures.count(contract, look).left)
    assert made.review(contract).approve


def test_what_is_open_is_not_proposed_again(repo):
    """An idea whose pull request waits is listed as suppressed."""
    made = repo({"pyproject.toml": PROJECT, "p.py": OLD})
    task_id = triage(made).candidates[0].task_id
    pull = OpenPullRequest(number=1, branch="autonomy/x", task_id=task_id, url="file:///x")
    again = triage(made, open_pull_requests=(pull,))
    assert ((), task_id) == (again.candidates, again.suppressed[0].task_id)


def test_nothing_to_plan_is_null(repo):
    """No candidate is a value, not an error."""
    made = repo({"p.py": "x = 1\n"})
    assert "null" == made.backend.answer(made.brief(Role.PLANNING, candidates=triage(made)))


def test_a_change_never_overflows_the_contract(repo):
    """Files whose fix is larger than estimated are put back whole, and named."""
    short = 'def f(a):\n    return "{}".format(a)\n'
    long = short.replace("format(a)", "format(" + "\n" * 30 + "a)")
    made = repo({"pyproject.toml": PROJECT, "a.py": short, "z.py": long}, lines=20)
    answer = json.loads(made.code(made.contract("ruff", "UP")))
    assert {"a.py"} == made.changed()
    assert "z.py" in answer["summary"]


def test_no_sandbox_is_an_error_for_every_role_that_needs_it(repo):
    """Not being able to look is never an empty list."""
    made = repo({"pyproject.toml": PROJECT, "p.py": OLD})
    contract = made.contract("ruff", "UP")
    made.backend, made.measures = ToolsBackend(NoSandbox()), ToolMeasures(NoSandbox())
    made.write("p.py", "class A:\n    pass\n")
    for ask in (made.detect, lambda: made.code(contract), lambda: made.review(contract)):
        with pytest.raises((AgentError, MeasureError, SandboxUnavailable), match="bubblewrap was not found"):
            ask()


@pytest.mark.parametrize("role", [Role.RELEASE, Role.AUDIT, Role.CODING, Role.REVIEW, Role.PLANNING, Role.TRIAGING])
def test_an_incomplete_brief_is_an_error(repo, role):
    """A role without its material, or not ours, gets no answer."""
    made = repo({"p.py": OLD})
    with pytest.raises(AgentError):
        made.backend.answer(made.brief(role, tree=made.tree))


def test_the_caller_can_stop_a_tool(repo):
    """What ``alive`` raises comes through: a cancelled step leaves nothing running."""

    class Cancelled(Exception):
        pass

    def stop() -> None:
        raise Cancelled

    made = repo({"pyproject.toml": PROJECT, **{f"p{number}.py": OLD * 500 for number in range(40)}})
    with pytest.raises(Cancelled):
        made.measures.detect(Look(made.tree, made.policy, stop))
