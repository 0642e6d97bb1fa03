"""A start that cannot work fails at once, says where to look, and leaves nothing behind (P13)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from temporalio.client import WorkflowFailureError
from temporalio.service import RPCError
from world import World

Break = Callable[[World], None]


def in_file(name: str, old: str, new: str) -> Break:
    """Replace a text in a policy file."""

    def act(world: World) -> None:
        file = world.settings.policies / name
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new, 1))

    return act


REMOTE = 'remote = "'
BROKEN: dict[str, tuple[Break, tuple[str, ...]]] = {
    "broken TOML": (in_file("autopilot.toml", "[modes]", "[modes"), ("autopilot.toml:4",)),
    "unknown key": (
        in_file("autopilot.toml", "runs_per_day", "runs_per_dya"),
        ("autopilot.toml:", "runs_per_dya", "did you mean runs_per_day?"),
    ),
    "unknown key of the target": (
        in_file("targets/demo.toml", "base_branch", "base_brunch"),
        ("targets/demo.toml:3", "did you mean base_branch?"),
    ),
    "unlimited": (in_file("autopilot.toml", "usd_per_run = 5.0", "usd_per_run = inf"), ("usd_per_run",)),
    "a word for a number": (in_file("autopilot.toml", "files = 8", 'files = "8"'), ("diff_budget.files", "'8'")),
    "missing file": (lambda world: (world.settings.policies / "charter.toml").unlink(), ("charter.toml",)),
    "not UTF-8": (
        lambda world: (world.settings.policies / "targets/demo.toml").write_bytes(b'name = "\xff"') and None,
        ("targets/demo.toml",),
    ),
    "relative remote": (in_file("targets/demo.toml", REMOTE, f"{REMOTE}x"), ("remote", "relative path")),
    "remote that is a program": (
        in_file("targets/demo.toml", REMOTE, f"{REMOTE}ext::sh -c touch% "),
        ("targets/demo.toml:2", "remote"),
    ),
    "remote that is an option": (in_file("targets/demo.toml", REMOTE, f"{REMOTE}--upload-pack=x"), ("remote",)),
    "branch that is an option": (in_file("targets/demo.toml", '"main"', '"--all"'), ("base_branch", "branch name")),
    "a target that loosens": (
        in_file("targets/demo.toml", 'base_branch = "main"', 'base_branch = "main"\nmaximum_mode = "SELECTIVE_AUTO"'),
        ("maximum_mode", "only tighten"),
    ),
}


async def failure(world: World, target: str = "demo") -> str:
    """Why the run failed, in the words its starter sees."""
    with pytest.raises(WorkflowFailureError) as failed:
        await world.run(target)
    cause: BaseException | None = failed.value
    words = []
    while cause is not None:
        words.append(str(cause))
        cause = cause.__cause__
    return "\n".join(words)


async def no_control(world: World, target: str) -> bool:
    """Whether no Control was ever started."""
    try:
        await world.control(target).describe()
    except RPCError:
        return True
    return False


@pytest.mark.parametrize("name", BROKEN)
async def test_broken_policy_says_where(name: str, world: World) -> None:
    """File, line and nearest key; no Control, no artifact, no ref; mended, the same start works."""
    act, says = BROKEN[name]
    before = world.refs()
    act(world)
    async with world.worker():
        reason = await asyncio.wait_for(failure(world), 20)
        nobody = await no_control(world, "demo")

    assert [word for word in says if word not in reason] == [], reason
    assert nobody
    assert not (world.settings.artifacts / "runs").exists()
    assert before == world.refs()


async def test_unknown_target_names_the_nearest(world: World) -> None:
    """A slip of the finger is answered at once, and makes no Control of that name."""
    async with world.worker():
        reason = await asyncio.wait_for(failure(world, "dem0"), 20)
        nobody = await no_control(world, "dem0")
    assert "did you mean demo?" in reason
    assert nobody
