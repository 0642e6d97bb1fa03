"""Trying a role for a cent: what it says of each way in which a provider can fail."""

from __future__ import annotations

from typing import Any

import pytest

from adapters.agents.charter_check import CENT, try_role
from contracts.modes import Role
from demo.scripted_model import Move, ScriptedModel
from policies.settings.charter import Charter
from tests.policies.sample_policy import policy


def tried(url: str, price: float = 15, **more: Any) -> Any:
    """Review, by the model at ``url``."""
    said = {"backend": "model", "provider": "lab", "models": ["m-1"], "usd": 1.0, "tokens": 10**6}
    charter = Charter.model_validate(
        {
            "roles": {"review": said},
            "providers": {"lab": {"url": url, "retries": 0, **more}},
            "prices": {"m-1": {"input": 3, "output": price}},
        }
    )
    return try_role(policy().model_copy(update={"charter": charter}), charter.roles[Role.REVIEW])


@pytest.mark.parametrize(
    ("move", "ok", "words"),
    [
        (Move(call="answer", arguments={"ok": True}), True, "it answers, by a tool"),
        (Move(say="yes"), True, "it answers, in words"),
        (Move(say="thinking", length=True), True, "it answers, up to the limit"),
        (Move(status=401), False, "unauthorised"),
        (Move(status=429, retry_after="7"), False, "rate_limited"),
        (Move(status=503), False, "unreachable"),
        (Move(status=404), False, "rejected"),
        (Move(say="yes", usage=None), False, "does not say what that cost"),
        (Move(say="yes", cut=True), False, "cut"),
    ],
)
def test_each_failure_is_told_in_words(move: Move, ok: bool, words: str) -> None:
    """One exchange, its cost, and never more than a cent."""
    with ScriptedModel([move]) as model:
        found = tried(model.url)
    assert (found.ok, words in found.said) == (ok, True), found.said
    assert len(model.received) == 1
    assert 0 <= found.usd <= CENT


def test_a_model_that_costs_more_than_a_cent_is_not_asked() -> None:
    """The purse is the cent."""
    with ScriptedModel() as model:
        found = tried(model.url, price=200)
    assert not found.ok
    assert "a check may cost 0.01" in found.said
    assert model.received == []


def test_a_key_that_is_not_there_is_told_before_anything_goes_up(monkeypatch: Any) -> None:
    """By the variable's name."""
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with ScriptedModel() as model:
        found = tried(model.url, key_variable="NO_SUCH_KEY")
    assert not found.ok
    assert "NO_SUCH_KEY is not set" in found.said
    assert model.received == []
