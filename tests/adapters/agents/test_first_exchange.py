"""What the first exchange of a role may cost: preflight refuses a run whose agent could ask nothing (P9)."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from adapters.agents.first_exchange import first_exchange
from adapters.agents.recipes.recipe import RECIPES, recipe_of
from contracts.modes import Role
from demo import agent as demo
from policies.run.preflight import budget_caps
from policies.settings.charter import Charter
from policies.settings.schema import EffectivePolicy
from tests.policies.sample_policy import policy

ROLE = {"backend": "command", "provider": "lab", "models": ["m", "other"], "usd": 3.0, "tokens": 800_000}
PRICE = {"m": {"input": 3, "output": 15}}


def charter(**said: Any) -> EffectivePolicy:
    """With this role."""
    roles = {"coding": ROLE | said} if said.get("backend") != "model" else {"review": ROLE | said}
    made = Charter.model_validate(
        {"roles": roles, "providers": {"lab": {"url": "http://127.0.0.1:9"}}, "prices": PRICE}
    )
    return policy().model_copy(update={"charter": made})


def test_of_a_recipe_it_is_what_was_seen() -> None:
    """A token a byte, and the longest answer."""
    worst = first_exchange(charter(agent="codex"), Role.CODING)
    assert worst is not None
    assert (47_000, pytest.approx(39_000 * 3e-6 + 8000 * 15e-6)) == (worst.tokens, worst.usd)


def test_of_a_program_of_ones_own_it_is_the_answer_alone() -> None:
    """Nobody has seen what it asks."""
    worst = first_exchange(charter(argv=["/opt/agent/mine"]), Role.CODING)
    assert worst is not None
    assert (8000, pytest.approx(0.12)) == (worst.tokens, worst.usd)


def test_of_a_model_it_is_prompt_and_schema() -> None:
    """What it is about comes on top, and is cut to what the tokens hold."""
    worst = first_exchange(charter(backend="model"), Role.REVIEW)
    assert worst is not None
    assert 14_500 < worst.tokens < 25_000


def test_who_asks_no_model_has_none() -> None:
    """Our own tools, a role that is not there, a model without a price."""
    assert first_exchange(policy(), Role.CODING) is None
    assert first_exchange(charter(agent="codex"), Role.SCOUT) is None
    assert first_exchange(charter(agent="codex", models=["unpriced"]), Role.CODING) is None


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_the_demo_s_money_lets_every_agent_begin(name: str) -> None:
    """Each that was measured."""
    text = demo._CHARTER.format(agent=name, folder="", url="http://127.0.0.1:9")  # what it writes
    said = policy().model_copy(update={"charter": Charter.model_validate(tomllib.loads(text))})
    worst = first_exchange(said, Role.CODING)
    assert worst is not None
    assert recipe_of(name).first_bytes or name == "aider", "not measured"
    assert "coding may cost" in budget_caps(said, {Role.CODING: worst}).model_dump_json()
    assert budget_caps(said, {Role.CODING: worst}).allowed
