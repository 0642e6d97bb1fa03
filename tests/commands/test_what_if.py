"""``policy what-if``: every past release decision under another policy (runbook §11)."""

from __future__ import annotations

from pathlib import Path

from shell import shell_of
from world import World

from tests.workflows.quick import add_target, quick

PROTECTED = '\n[[protected]]\npatterns = ["README.md"]\nreason = "the front page"\n'


async def test_what_another_policy_would_have_decided(world: World, tmp_path: Path) -> None:
    """The same files change nothing, stricter ones what they say; what cannot be asked is named and not counted."""
    shell, folder = shell_of(world), world.settings.policies
    add_target(world, "quick")
    async with world.worker(quick(world)):
        whole, old = [await world.run("quick", mode="DRY_RUN", again=bool(turn)) for turn in range(2)]
    world.settings.artifacts.joinpath("runs", old.run_id, "release_facts.json").unlink()
    same = shell.type("policy", "what-if", str(folder), "--json")
    assert 0 == same.status, same.err
    assert (1, []) == (same.json["decisions"], same.json["others"])
    assert {old.run_id: "release_facts.json is not kept"} == same.json["leftOut"]
    stricter = tmp_path / "protected_paths.toml"
    stricter.write_text((folder / stricter.name).read_text() + PROTECTED)
    found = shell.type("policy", "what-if", str(stricter), "--target", "quick", "--json").json
    (other,) = found["others"]
    assert (whole.run_id, "REQUIRES_HUMAN_REVIEW", "REJECT") == (other["runId"], other["decided"], other["wouldBe"])
    assert "README.md is protected: the front page" == other["because"]
    told = shell.type("policy", "what-if", str(stricter))
    assert "of 1 decision, 1 would change" in told.out
    assert f"left out {old.run_id}" in told.err
    later = shell.type("policy", "what-if", str(stricter), "--since", "2999-01-01", "--json").json
    assert 0 == later["decisions"]
    _refuses(shell, tmp_path, stricter)
    assert (folder / stricter.name).read_text() + PROTECTED == stricter.read_text()


def _refuses(shell, tmp_path: Path, good: Path) -> None:
    """Files that stand for nothing, that are none, and that cannot be read as policy."""
    strange = good.rename(tmp_path / "stricter.toml")
    unknown = shell.type("policy", "what-if", str(strange))
    assert 2 == unknown.status
    assert "name it as the file it stands for" in unknown.err
    strange.rename(good)
    assert 2 == shell.type("policy", "what-if", str(tmp_path / "nothing")).status
    broken = tmp_path / "autopilot.toml"
    broken.write_text("[caps\n")
    refused = shell.type("policy", "what-if", str(broken))
    assert 16 == refused.status
    assert "autopilot.toml:1: not TOML" in refused.err
