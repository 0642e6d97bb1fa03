"""Counting an effect: by the contract's own tool alone, and not again where the run has measured that very tree."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.tools.measures import ToolMeasures
from contracts.task import FindingFacts, Proof, UnreadFile
from ports.measures import Look, MeasureError
from ports.sandbox import SandboxUnavailable

WORDS = {"README.md": "We recieve it.\nWe recieve it.\n", "other.md": "We recieve it.\n"}


class NoSandbox:
    """Counts how often it is asked, and never works."""

    name = "none"

    def __init__(self) -> None:
        self.asked = 0

    def run(self, *_given: object) -> None:
        self.asked += 1
        raise SandboxUnavailable("there is none")


def test_an_effect_is_counted_in_the_contracts_paths(repo):
    """Of its tool and rule; a tool that nobody has finds nothing."""
    made = repo(WORDS)
    contract = made.contract("codespell", "docs")
    look = Look(made.tree, made.policy, lambda: None)
    scope = contract.scope.model_copy(update={"allowed_paths": ("README.md",)})
    counted = [
        made.measures.count(contract.model_copy(update=more), look).left
        for more in ({}, {"scope": scope}, {"rule": "comments"}, {"tool": "nobody's"})
    ]
    assert [3, 2, 0, 0] == counted


def test_what_sensing_saw_of_the_same_tree_is_not_looked_at_again(repo):
    """Reused as it is; where a file of the scope could not be read, or not all is listed, it is no answer (P18)."""
    made, sandbox = repo(WORDS), NoSandbox()
    contract, seen = made.contract("codespell", "docs"), made.snapshot(made.detect()[0])
    measures = ToolMeasures(sandbox)  # type: ignore[arg-type]
    look = Look(made.tree, made.policy, lambda: None, seen)
    assert (3, 0) == (measures.count(contract, look).left, sandbox.asked)
    blind = {"tool": "codespell", "reason": "no text"}
    for more in (
        {"missing": ("codespell: no sandbox",)},
        {"unread": (UnreadFile(path="other.md", **blind),)},
        {"truncated": 1},
    ):
        with pytest.raises(MeasureError):
            measures.count(contract, replace(look, known=seen.model_copy(update=more)))
    others = {"missing": ("pins: broken",), "unread": (UnreadFile(path="elsewhere.md", **blind),)}
    assert (3, 1) == (measures.count(contract, replace(look, known=seen.model_copy(update=others))).left, sandbox.asked)


def test_every_tool_says_what_its_findings_are_worth(repo):
    """Facts come with each finding; a linter's fix must be proven, words must stay words."""
    made = repo(WORDS | {"a.py": "import os\n", "requirements.txt": "x==1\nx==2\n"})
    facts = {each.tool: each.facts for each in made.detect()[0]}
    assert {"codespell", "pins", "ruff"} == set(facts)
    assert FindingFacts() not in facts.values()
    assert {"codespell": Proof.WORDS, "pins": Proof.WORDS, "ruff": Proof.EQUAL} == {
        tool: each.proof for tool, each in facts.items()
    }
