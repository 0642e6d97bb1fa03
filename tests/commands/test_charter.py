"""``charter show`` and ``charter check``: who acts, what each may do, and whether it answers."""

from __future__ import annotations

from shell import shell_of
from world import World

from demo.scripted_model import Move, ScriptedModel

ROLE = """
[roles.review]
backend = "model"
provider = "lab"
models = ["m-1"]
usd = 0.5
tokens = 200_000

[providers.lab]
url = "{url}"
retries = 0

[prices."m-1"]
input = 3
output = 15
"""


def appointed(world: World, url: str) -> None:
    """Let a model review."""
    file = world.settings.policies / "charter.toml"
    kept = file.read_text().partition("[roles.review]")[0]
    file.write_text(kept + ROLE.format(url=url))


def test_a_charter_of_tools_asks_nobody(world: World) -> None:
    """And says so."""
    shell = shell_of(world)
    assert (
        "coding: tools\n  our own tools and rules; it asks no model and costs nothing"
        in shell.type("charter", "show").out
    )
    assert "no role asks a model" in shell.type("charter", "check").err


def test_a_model_is_tried_for_a_cent(world: World) -> None:
    """What it may do, what it cost, what is wrong; as text and as JSON; one that fails is a failure."""
    shell = shell_of(world)
    with ScriptedModel([Move(call="answer", arguments={"ok": True})]) as model:
        appointed(world, model.url)
        shown = shell.type("charter", "show").out
        good = shell.type("charter", "check")
        (role,) = shell.type("charter", "check", "--json").json["roles"].items()
        model.moves = [Move(status=401)]
        bad = shell.type("charter", "check")
    assert "review: model, m-1 at lab" in shown
    assert "it may block a change that our own comparison let through; it releases none" in shown
    assert "a run: at most 0.5 USD, 200000 tokens" in shown
    assert (good.status, bad.status) == (0, 1)
    assert "it answers, by a tool" in good.out
    assert role[0] == "review"
    assert role[1]["ok"]
    assert role[1]["usd"] <= 0.01
    assert "unauthorised" in bad.out


def test_a_program_that_is_not_installed_is_named(world: World) -> None:
    """Beside what its model said; whom a person may try is tried, too."""
    shell = shell_of(world)
    with ScriptedModel([Move(say="yes")]) as model:
        appointed(world, model.url)
        file = world.settings.policies / "charter.toml"
        trial = '[trials.other]\nbackend = "command"\nagent = "codex"\nprovider = "lab"\nmodels = ["m-2"]\nusd = 1\n'
        file.write_text(file.read_text() + trial + 'tokens = 9000\n[prices."m-2"]\ninput = 1\noutput = 2\n')
        told = shell.type("charter", "check", "--json")
    assert told.status == 1
    roles = told.json["roles"]
    assert (roles["review"]["ok"], roles["trial other"]["ok"]) == (True, False)
    assert roles["trial other"]["missing"] == "codex is not installed: starter.py agents install codex"
    assert "edit files in a copy of the base" in roles["trial other"]["mayDo"]


def test_a_charter_that_is_refused_says_why(world: World) -> None:
    """As every policy."""
    appointed(world, "http://models.example")
    told = shell_of(world).type("charter", "show")
    assert told.status != 0
    assert "providers.lab.url: plain http would send the key readably to models.example" in told.err
