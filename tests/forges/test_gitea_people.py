"""People act while a run is under way, at every step of it: whatever they decided stands (issue 6, bad input)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import pytest
from gitea_server import GiteaServer
from gitea_world import Hosted, Meanwhile, host, point, set_policy
from world import World, git

from contracts.admission import RunResult
from contracts.effect import Effect
from contracts.modes import RunStatus
from tests.workflows import auto

OPENED, CANARY, LAST = "open_pull_request", "canary-", "merge"
Deed = Callable[[Hosted, Effect], object]


def closes(hosted: Hosted, _effect: Effect) -> None:
    hosted.closes()


def merges(hosted: Hosted, _effect: Effect) -> None:
    hosted.merges()


def objects(hosted: Hosted, _effect: Effect) -> None:
    hosted.reviews("REQUEST_CHANGES")


def approves(hosted: Hosted, _effect: Effect) -> None:
    hosted.reviews("APPROVED")


def occupies(hosted: Hosted, effect: Effect) -> None:
    git("push", "--quiet", "origin", f"origin/main:refs/heads/{effect.branch}", cwd=hosted.work)


def opens(hosted: Hosted, effect: Effect) -> None:
    hosted.ask("POST", "/pulls", title="mine", head=effect.branch, base="main")


def opens_and_closes(hosted: Hosted, effect: Effect) -> None:
    opens(hosted, effect)
    hosted.closes()


def opens_and_merges(hosted: Hosted, effect: Effect) -> None:
    opens(hosted, effect)
    hosted.merges()


def takes_over(hosted: Hosted, effect: Effect) -> None:
    hosted.commits("x.txt", "x\n", hosted.pulls()[0]["head"]["ref"])


def force_pushes(hosted: Hosted, effect: Effect) -> None:
    ref = hosted.pulls()[0]["head"]["ref"]
    git("push", "--quiet", "--force", "origin", f"origin/main:refs/heads/{ref}", cwd=hosted.work)


@pytest.fixture
def world(beside_gitea: World) -> World:
    """An installation that may merge by itself."""
    auto.permit(beside_gitea)
    set_policy(beside_gitea, write_seconds=30)
    return beside_gitea


async def ran(
    world: World, gitea: GiteaServer, deeds: dict[str, tuple[str, str, Deed]], **protection: object
) -> dict[str, tuple[Hosted, str, RunResult]]:
    """A run of a target of its own for each deed, side by side: ``before`` or ``after`` which write, and what."""
    hosted = {name: host(world, gitea, name) for name in deeds}
    meanwhile = Meanwhile(world.bench().effects)
    for name, (when, place, deed) in deeds.items():
        point(world, hosted[name], auto.CHECKS + auto.PROBES, name)
        hosted[name].protect(**protection)
        acts = meanwhile.before if when == "before" else meanwhile.after
        acts[name, place] = partial(deed, hosted[name])
    bases = {name: each.head() for name, each in hosted.items()}

    async def one(name: str) -> RunResult:
        await auto.opened(world, name)
        return await world.run(name)

    async with world.worker(auto.quick(world, effects=meanwhile)):
        results = await asyncio.gather(*(one(name) for name in deeds))
    assert {} == meanwhile.before | meanwhile.after, "every deed happened"
    return {name: (hosted[name], bases[name], result) for name, result in zip(deeds, results, strict=True)}


def left(found: tuple[Hosted, str, RunResult], words: str, merged: bool = False) -> None:
    """A person has it now: one pull request, and a base that we did not move."""
    hosted, base, result = found
    assert (RunStatus.PR_OPENED, "REQUIRES_HUMAN_REVIEW") == (result.status, result.outcome), result.reason
    assert words in result.reason
    assert [merged] == [pull["merged"] for pull in hosted.pulls()]
    assert merged is (base != hosted.head())


@pytest.mark.sweep
@pytest.mark.timeout(900)
async def test_as_soon_as_it_is_open(world: World, gitea: GiteaServer) -> None:
    """Closed, merged, objected to, before the merge result is even shown."""
    found = await ran(
        world,
        gitea,
        {
            "closed": ("after", OPENED, closes),
            "merged": ("after", OPENED, merges),
            "objected": ("after", OPENED, objects),
        },
    )
    left(found["closed"], "a person closed pull request")
    left(found["merged"], "somebody merged it", merged=True)
    left(found["objected"], "changes were requested by owner")


DURING_THE_CANARY: dict[str, tuple[Callable[[Hosted, Effect], None], str]] = {
    "closed": (closes, "was closed by owner at 20"),
    "merged": (merges, "was merged by owner at 20"),
    "objected": (objects, "changes were requested by owner"),
    "taken": (takes_over, "the head moved"),
    "forced": (force_pushes, "the head moved"),
}


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "names", [("merged", "taken"), pytest.param(("closed", "objected", "forced"), marks=pytest.mark.sweep)]
)
async def test_while_the_canary_runs(world: World, gitea: GiteaServer, names: tuple[str, ...]) -> None:
    """The last look is after the canary."""
    found = await ran(world, gitea, {name: ("after", CANARY, DURING_THE_CANARY[name][0]) for name in names})
    for name in names:
        left(found[name], DURING_THE_CANARY[name][1], merged=name == "merged")


@pytest.mark.sweep
@pytest.mark.timeout(900)
async def test_in_the_last_moment(world: World, gitea: GiteaServer) -> None:
    """Between our last look and the merge: the forge decides, by its pinned head and its protection."""
    found = await ran(
        world,
        gitea,
        {
            "closed": ("before", LAST, closes),
            "merged": ("before", LAST, merges),
            "objected": ("before", LAST, objects),
        },
        block_on_rejected_reviews=True,
    )
    left(found["closed"], "a person closed pull request")
    left(found["objected"], "requested changes")
    hosted, _, result = found["merged"]
    assert RunStatus.MERGED is result.status, result.reason
    checks = world.artifact(result.run_id, "checks/checks.json")
    assert checks["treeSha"] == hosted.tree()


@pytest.mark.sweep
@pytest.mark.timeout(900)
async def test_around_the_push(world: World, gitea: GiteaServer) -> None:
    """A branch that is there already, and a pull request that a person opened from ours and ended."""
    found = await ran(
        world,
        gitea,
        {
            "occupied": ("before", "push_branch", occupies),
            "closed": ("after", "push_branch", opens_and_closes),
            "merged": ("after", "push_branch", opens_and_merges),
            "adopted": ("after", "push_branch", opens),
        },
    )
    hosted, base, result = found["occupied"]
    assert (RunStatus.REJECTED, True) == (result.status, "someone moved it" in result.reason), result.reason
    assert ([], base) == (hosted.pulls(), hosted.head())
    hosted, _, result = found["closed"]
    assert RunStatus.MERGED is result.status, result.reason
    assert [True, False] == [pull["merged"] for pull in hosted.pulls()]
    left(found["merged"], "somebody merged it", merged=True)
    hosted, _, result = found["adopted"]
    assert RunStatus.PR_OPENED is result.status, result.reason
    assert 1 == len(hosted.pulls())


@pytest.mark.timeout(900)
async def test_an_approval_counts_for_the_head_it_was_given_for(world: World, gitea: GiteaServer) -> None:
    """Where one is required: of the change it is void once the merge result is shown; of the merge result it counts."""
    found = await ran(
        world,
        gitea,
        {
            "early": ("after", OPENED, approves),
            "late": ("after", CANARY, approves),
        },
        required_approvals=1,
    )
    left(found["early"], "void: owner approved")
    hosted, _, result = found["late"]
    assert RunStatus.MERGED is result.status, result.reason
    assert [True] == [pull["merged"] for pull in hosted.pulls()]
