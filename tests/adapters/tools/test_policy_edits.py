"""Proposals to change the policy, where a repository holds it: found, made to the letter, proven by Review."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from activities.step_session import written
from contracts.modes import Role
from contracts.task import Finding
from policies.digests import policy_digest
from policies.settings.schema import PolicyFolder
from policies.task.candidates import rank
from policies.task.idea_memory import Memory
from policies.task.planning import make_contract
from ports.measures import Look
from tests.adapters.tools.conftest import Repo
from tests.policies.test_proposals import NEW, UP, of_source, threshold

FILE = "policies/autopilot.toml"
TEXT = (Path(__file__).parents[3] / FILE).read_text()
STEP = threshold("auto_merge", "lines", 80, 60, proposal_id="a-step")
RECORDED = {"proposals/a-step": written(STEP), "days": b"{}"}


@pytest.fixture
def ops(repo) -> Repo:
    """A repository that holds the policy folder."""
    made: Repo = repo({"pyproject.toml": "[project]\nname = 'p'\nversion = '1'\n", FILE: TEXT})
    target = made.policy.target.model_copy(update={"policy_folder": PolicyFolder()})
    return replace(made, policy=made.policy.model_copy(update={"target": target}))


def seen(made: Repo, recorded=RECORDED) -> list[Finding]:
    """What the tool finds."""
    look = Look(made.tree, made.policy, lambda: None, recorded=recorded)
    return [each for each in made.measures.detect(look).findings if each.tool == "policy"]


def test_what_is_proposed_and_not_done_is_found(ops: Repo):
    """One finding each; what is done is none, what no longer fits is said and no work."""
    (found,) = seen(ops)
    assert ("a-step", FILE, "Numbers.", True) == (found.rule, found.path, found.message, found.fixable)
    assert [] == seen(ops, {})
    ops.write(FILE, TEXT.replace("lines = 80", "lines = 70"))
    (found,) = seen(ops)
    assert (False, "a-step: auto_merge.lines is 70, not 80, by now") == (found.fixable, found.message)
    ops.write(FILE, TEXT.replace("lines = 80", "lines = 60"))
    assert [] == seen(ops)


def test_a_file_that_is_not_there_is_its_owners_to_begin(ops: Repo):
    """No run adds a file of policy; that makes nobody blind."""
    (found,) = seen(ops, {"proposals/new": written(of_source(UP, adds=NEW, proposal_id="new"))})
    assert (False, "policies/sources.toml") == (found.fixable, found.path)
    assert "commit an empty one" in found.message


def test_another_repository_has_no_part(ops: Repo):
    """Whatever was recorded: only the target whose file says so holds the policy."""
    elsewhere = replace(ops, policy=ops.policy.model_copy(
        update={"target": ops.policy.target.model_copy(update={"policy_folder": None})}))  # fmt: skip
    assert [] == seen(elsewhere)
    assert policy_digest(elsewhere.policy) != policy_digest(ops.policy)


@pytest.mark.parametrize("more", ["", "\n[modes]\nmaximum = 'SELECTIVE_AUTO'\n"])
def test_review_makes_it_again(ops: Repo, more: str):
    """Exactly what was proposed is let through; a line more is blocked, whoever wrote it and whatever it measures."""
    (best, *_) = rank(tuple(seen(ops)), ops.policy, Memory(today=date(2026, 11, 23))).candidates
    contract = make_contract(best, ops.policy, "run")
    ops.backend.answer(ops.brief(Role.CODING, tree=ops.tree, contract=contract, recorded=RECORDED))
    assert TEXT.replace("lines = 80", "lines = 60") == (ops.tree / FILE).read_text()
    ops.write(FILE, (ops.tree / FILE).read_text() + more)
    said = ops.review(contract, recorded=RECORDED)
    blocked = [remark.message for remark in said.remarks if "what the run recorded" in remark.message]
    assert (not more, bool(more)) == (said.approve, bool(blocked))
