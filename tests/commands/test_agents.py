"""``agents list`` and ``install``, and what ``doctor`` says of an agent that a charter names."""

from __future__ import annotations

from pathlib import Path

from shell import Shell

from settings import ROOT
from tests.workflows.test_asked_of_agents import CODER


def test_every_recipe_is_listed_with_what_it_was_seen_to_do(nobody_there: Shell) -> None:
    """For people and for programs; an unknown name is a mistake that says the known ones."""
    listed = nobody_there.type("agents", "list", "--json").json["agents"]
    known = {"codex", "claude", "opencode", "mini-swe-agent", "aider", "gptme", "gemini"}
    assert known == {each["name"] for each in listed}
    assert all(each["version"] and each["seen"] and each["installed"] is None for each in listed)
    shown = nobody_there.type("agents", "list")
    assert "Claude Code (claude)" in shown.out
    assert "argv in charter.toml" in shown.out + shown.err
    wrong = nobody_there.type("agents", "install", "codx")
    assert (2, True) == (wrong.status, "no recipe is named 'codx'; known: aider" in wrong.err)


def test_doctor_says_which_agent_is_missing(nobody_there: Shell, policies: Path) -> None:
    """With the command that installs it; and which target a standing task names that is none."""
    (policies / "targets").mkdir()
    (policies / "targets/example.toml").write_text((ROOT / "examples/targets/example.toml").read_text())
    place = policies / "charter.toml"
    before, _, rest = place.read_text().partition("[roles.coding]")
    coder = CODER.replace('argv = ["/usr/bin/true"]', 'agent = "codex"')
    place.write_text(before + coder + "\n[roles.review]" + rest.partition("[roles.review]")[2])
    task = 'name = "types"\ntitle = "Types"\nprompt = "Add the types."\nmeasure = "acceptance"\n'
    (policies / "tasks.toml").write_text(f'[[tasks]]\n{task}targets = ["exampel", "example"]\n')
    found = {each["name"]: each for each in nobody_there.type("doctor", "--json").json["findings"]}
    row = found["agent codex"]
    assert (False, "install it: starter.py agents install codex") == (row["ok"], row["remedy"])
    assert "@openai/codex 0.169.0 is not installed" in row["detail"]
    row = found["task types"]
    assert (False, "correct `targets` in tasks.toml") == (row["ok"], row["remedy"])
    assert "no targets/exampel.toml: nobody looks after it there; known: example" in row["detail"]
