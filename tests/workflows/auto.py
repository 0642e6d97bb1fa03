"""A world whose target may merge by itself: cheap checks, a probe, a canary of seconds."""

from __future__ import annotations

from world import World, git

from contracts.control import Answer, ModeRequest
from contracts.modes import Mode
from tests.workflows.conversation import open_target
from tests.workflows.quick import FILES, quick
from workflows import api

CHECKS = """
[[checks]]
name = "imports"
kind = "tests"
argv = ["python", "-c", "import pkg"]
"""
PROBES = """
[[probes]]
name = "imports"
argv = ["python", "-c", "import pkg"]
"""


def permit(world: World, canary_seconds: float = 2, base_moves: int = 3, max_active: int = 1) -> None:
    """Policy that allows SELECTIVE_AUTO, with a canary of seconds."""
    place = world.settings.policies / "autopilot.toml"
    text = place.read_text()
    for old, new in (
        ('maximum = "PR_ONLY"', 'maximum = "SELECTIVE_AUTO"'),
        ("canary_minutes = 30 ", f"canary_minutes = {canary_seconds / 60} "),
        ("canary_every_seconds = 60", "canary_every_seconds = 1"),
        ("base_moves = 3 ", f"base_moves = {base_moves} "),
        ("max_active = 1 ", f"max_active = {max_active} "),
    ):
        assert old in text, old
        text = text.replace(old, new, 1)
    place.write_text(text)


def add_target(world: World, name: str = "auto", probes: str = PROBES, checks: str = CHECKS) -> None:
    """A target of one spelling mistake."""
    world.add_target(name, FILES, checks + probes)


async def set_mode(world: World, name: str = "auto", mode: Mode = Mode.SELECTIVE_AUTO, probes: int = 1) -> Answer:
    """A person sets the mode, as the `mode` command does."""
    view = await world.status(name)
    request = ModeRequest(
        expected_epoch=view.epoch,
        mode=mode,
        reason="as agreed",
        actor="bob",
        maximum=Mode.SELECTIVE_AUTO,
        probes=probes,
    )
    answer: Answer = await world.control(name).execute_update(api.SET_MODE, request, result_type=Answer)
    return answer


async def opened(world: World, name: str = "auto") -> None:
    """Open the target, then let it merge by itself."""
    await open_target(world, name)
    answer = await set_mode(world, name)
    assert answer.accepted, answer.verdict.reason


def base(world: World, name: str = "auto") -> str:
    """Where the base branch is."""
    return world.refs(name)["refs/heads/main"]


def tree(world: World, commit: str, name: str = "auto") -> str:
    """A commit's tree, as the remote has it."""
    return git("rev-parse", f"{commit}^{{tree}}", cwd=world.root / f"{name}.git")


def person_commits(world: World, file: str, text: str, name: str = "auto") -> str:
    """A person pushes to the base."""
    work = world.root / f"{name}-work"
    git("pull", "--quiet", str(world.root / f"{name}.git"), "main", cwd=work)
    (work / file).write_text(text)
    git("add", "--all", cwd=work)
    git("commit", "--quiet", "-m", file, cwd=work)
    git("push", "--quiet", str(world.root / f"{name}.git"), "main", cwd=work)
    return base(world, name)


__all__ = ["add_target", "base", "opened", "permit", "person_commits", "quick", "set_mode", "tree"]
