"""SELECTIVE_AUTO on a real Gitea, end to end: lands exactly M, follows, rolls back by pull request (P4, P11)."""

from __future__ import annotations

import asyncio

import pytest
from aftermath import hasten
from gitea_server import BOT, OWNER, GiteaServer
from gitea_world import Hosted, Meanwhile, host, point, set_policy, until_ci_is_missed
from world import World, git

from contracts.control import Answer
from contracts.modes import Mode, RunStatus
from contracts.rollback import FollowUpEnd, RollbackOutcome, RollbackRequest, RollbackResult
from demo.production import Production, served
from tests.workflows import auto
from workflows import api

PERSONS_BASE = {"enable_push": True, "enable_push_whitelist": True, "push_whitelist_usernames": [OWNER]}


@pytest.fixture
def world(beside_gitea: World) -> World:
    """An installation that may merge by itself."""
    auto.permit(beside_gitea)
    set_policy(beside_gitea, write_seconds=30)
    return beside_gitea


@pytest.fixture
def hosted(world: World, gitea: GiteaServer) -> Hosted:
    """The repository of its target ``auto``."""
    made = host(world, gitea, "auto")
    point(world, made, auto.CHECKS + auto.PROBES)
    return made


async def followed(world: World, run_id: str) -> FollowUpEnd:
    """How the ``FollowUp`` that Control started ended."""
    handle = world.client.get_workflow_handle(api.follow_up_id(run_id), result_type=FollowUpEnd)
    await world.until(handle.describe)
    return await asyncio.wait_for(handle.result(), 200)


async def rolled_back(world: World, run_id: str) -> RollbackResult:
    """How its rollback ended."""
    handle = world.client.get_workflow_handle(api.rollback_id(run_id), result_type=RollbackResult)
    await world.until(handle.describe)
    return await asyncio.wait_for(handle.result(), 200)


async def test_a_run_lands_its_pull_request_as_exactly_what_was_checked(world: World, hosted: Hosted) -> None:
    """P4: nobody may push to the base; it ends at M itself, which CI said yes to, and the one pull request shows that.

    No check is demanded or named: one reported on the base, so it is missed until it reports at M.
    """
    hosted.protect()
    point(world, hosted, "\n[ci]\nminutes = 8\nevery_seconds = 1\n" + auto.CHECKS + auto.PROBES)
    before = hosted.head()
    hosted.ask("POST", f"/statuses/{before}", context="ci/test", state="success")
    async with world.worker(auto.quick(world)):
        await auto.opened(world)
        assert ["main"] == hosted.branches()
        handle = await world.start("auto")
        await until_ci_is_missed(world, handle)
        shown = hosted.pulls()[0]["head"]["sha"]
        hosted.ask("POST", f"/statuses/{shown}", context="ci/test", state="success")
        result = await asyncio.wait_for(handle.result(), 180)
        assert RunStatus.MERGED is result.status, result.reason
    checks = world.artifact(result.run_id, "checks/checks.json")
    landed = hosted.head()
    assert (checks["commitSha"], checks["treeSha"], shown) == (landed, hosted.tree(landed), landed)
    assert before == git("rev-parse", f"{landed}^1", cwd=hosted.folder)
    pull = hosted.pull()
    subject = git("show", "--no-patch", "--format=%s%n%an%n%cn", landed, cwd=hosted.folder).splitlines()
    assert [f"Merge pull request #{pull['number']}: {pull['title']}", BOT, BOT] == subject
    assert (True, BOT, landed) == (pull["merged"], pull["merged_by"]["login"], pull["merge_commit_sha"])
    assert all(said in pull["body"] for said in (landed, checks["treeSha"], result.run_id))
    report = world.artifact(result.run_id, "run_report.json")
    names = ["push_branch", "open_pull_request", "push_branch", "update_pull_request", "push_branch", "merge"]
    assert names == [write["planned"]["action"] for write in report["writes"]]
    assert pull["number"] == report["merged"]["pullRequest"]
    assert (landed, before) == (report["merged"]["mergeSha"], report["merged"]["parentSha"])
    assert landed == report["ci"]["commitSha"]


async def test_a_base_that_moves_in_between_is_checked_anew_and_said_so(world: World, hosted: Hosted) -> None:
    """The pull request then holds the new merge result, and its text the new tree; the first one never lands."""
    hosted.protect(**PERSONS_BASE)
    meanwhile = Meanwhile(world.bench().effects)
    meanwhile.before["auto", "merge"] = lambda _effect: hosted.commits("notes.txt", "a note\n")
    async with world.worker(auto.quick(world, effects=meanwhile)):
        await auto.opened(world)
        result = await world.run("auto")
    assert RunStatus.MERGED is result.status, result.reason
    first, second = [effect for effect in meanwhile.performed if effect.action == "merge"]
    assert (second.head_sha, second.tree_sha) == (hosted.head(), hosted.tree())
    [pull] = hosted.pulls()
    assert pull["merged"]
    assert second.tree_sha in pull["body"]
    assert first.tree_sha not in pull["body"]
    assert "a note" == git("show", "main:notes.txt", cwd=hosted.folder)
    assert first.head_sha not in git("rev-list", "main", cwd=hosted.folder).split()


@pytest.mark.timeout(900)
async def test_a_merge_that_breaks_production_is_undone_by_a_pull_request(world: World, hosted: Hosted) -> None:
    """6.3, 8, P11: onto a base that nobody may push to, back to the identical tree; both pull requests are merged."""
    hosted.protect()
    hasten(world, write_seconds=30, observation_minutes=0.2)
    before = hosted.tree()
    with served(Production.of(hosted.folder)) as url:
        probe = f'\n[[probes]]\nname = "production"\nurl = "{url}"\n'
        point(world, hosted, auto.CHECKS + probe, rollback_strategy="revert_pr")
        async with world.worker(auto.quick(world)):
            await auto.opened(world)
            result = await world.run("auto")
            assert RunStatus.MERGED is result.status, result.reason
            end = await followed(world, result.run_id)
            assert "regression" == end.outcome, end
            back = await rolled_back(world, result.run_id)
            assert RollbackOutcome.RESTORED is back.outcome, back.reason
            assert Mode.DRY_RUN is (await world.status("auto")).mode
            undoing, change = (pull["number"] for pull in hosted.pulls())
            named = f"- Pull requests: pull request #{change} (the change), pull request #{undoing} (its rollback)"

            async def linked() -> bool:
                return any(named in ticket["body"] for ticket in hosted.tickets())

            await world.until(linked)
    opened = hosted.pulls()[0]["body"]
    assert f"Undoes pull request #{change}" in opened
    assert f"- Incident: `{back.incident}`, `starter.py incident show {back.incident}`" in opened
    assert before == hosted.tree() == back.restored_tree
    assert back.revert_sha == hosted.head()
    said = git("log", "--first-parent", "--max-count=2", "--format=%s%n%an", "main", cwd=hosted.folder).splitlines()
    own = max(pull["number"] for pull in hosted.pulls())
    assert [f"Merge pull request #{own}: Roll back {result.run_id}", BOT, BOT] == [said[0], said[1], said[3]]
    assert [True, True] == [pull["merged"] for pull in hosted.pulls()]
    assert f"Roll back {result.run_id}" == hosted.pulls()[0]["title"]


@pytest.mark.sweep
@pytest.mark.timeout(900)
async def test_a_base_that_moves_under_a_rollback_keeps_what_people_did(world: World, hosted: Hosted) -> None:
    """P11: the same pull request shows the new landing commit; everybody's commits but ours stay."""
    hosted.protect(**PERSONS_BASE)
    hasten(world, write_seconds=30)
    point(world, hosted, auto.CHECKS + auto.PROBES, rollback_strategy="revert_pr")
    before = git("rev-parse", "main:README.md", cwd=hosted.folder)
    meanwhile = Meanwhile(world.bench().effects)
    meanwhile.after["auto", "landing-"] = lambda _effect: hosted.commits("notes.txt", "a note\n")
    async with world.worker(auto.quick(world, effects=meanwhile)):
        await auto.opened(world)
        result = await world.run("auto")
        assert RunStatus.MERGED is result.status, result.reason
        asked = RollbackRequest(run_id=result.run_id, reason="it hurts", actor="ann")
        answer = await world.control("auto").execute_update(api.ROLL_BACK, asked, result_type=Answer)
        assert answer.accepted, answer.verdict.reason
        back = await rolled_back(world, result.run_id)
    assert RollbackOutcome.RESTORED is back.outcome, back.reason
    assert (back.expected_tree, back.revert_sha) == (hosted.tree(), hosted.head())
    assert before == git("rev-parse", "main:README.md", cwd=hosted.folder)
    assert "a note" == git("show", "main:notes.txt", cwd=hosted.folder)
    assert [True, True] == [pull["merged"] for pull in hosted.pulls()]


@pytest.mark.sweep
@pytest.mark.timeout(900)
async def test_a_revert_that_must_be_pushed_to_a_protected_base_is_a_persons(world: World, hosted: Hosted) -> None:
    """``revert_commit`` there: escalated with the forge's own words, and nothing is tried again and again."""
    hosted.protect()
    hasten(world, write_seconds=30, observation_minutes=0.2)
    with served(Production.of(hosted.folder)) as url:
        probe = f'\n[[probes]]\nname = "production"\nurl = "{url}"\n'
        point(world, hosted, auto.CHECKS + probe, rollback_strategy="revert_commit")
        async with world.worker(auto.quick(world)):
            await auto.opened(world)
            result = await world.run("auto")
            assert RunStatus.MERGED is result.status, result.reason
            landed = hosted.head()
            back = await rolled_back(world, result.run_id)
    assert RollbackOutcome.ESCALATED is back.outcome
    assert "protected branch" in back.reason
    assert landed == hosted.head()


async def test_a_persons_squash_is_followed_and_rolled_back(world: World, gitea: GiteaServer) -> None:
    """PR_ONLY: the forge names who pressed the button; the squashed commit is undone, once a person orders it."""
    hasten(world, write_seconds=30)
    made = host(world, gitea, "auto")
    point(world, made, auto.CHECKS + auto.PROBES)
    async with world.worker(auto.quick(world)):
        await world.run("auto", mode="DRY_RUN")
        result = await world.run("auto", mode="PR_ONLY")
        assert RunStatus.PR_OPENED is result.status, result.reason
        before = made.tree()
        made.merges("squash")
        assert before != made.tree()
        end = await followed(world, result.run_id)
        assert (f"merged by {OWNER}; healthy", OWNER) == (end.outcome, end.who), end.reason
        asked = RollbackRequest(run_id=result.run_id, reason="it hurts", actor="ann")
        answer = await world.control("auto").execute_update(api.ROLL_BACK, asked, result_type=Answer)
        assert answer.accepted, answer.verdict.reason
        undone = await rolled_back(world, result.run_id)
        assert RollbackOutcome.RESTORED is undone.outcome, undone.reason
    assert before == made.tree() == undone.restored_tree
