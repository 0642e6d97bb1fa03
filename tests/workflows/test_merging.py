"""SELECTIVE_AUTO: a run that merges by itself, and everything that leaves the change to a person (P4)."""

from __future__ import annotations

from world import World, git

from contracts.modes import RunStatus
from tests.workflows import auto


async def test_a_run_merges_exactly_what_was_checked_and_probed(world: World) -> None:
    """P4: the base's tree is the checked tree; canary, pull request, report and books say the same."""
    auto.permit(world)
    auto.add_target(world)
    before = auto.base(world)
    async with world.worker(auto.quick(world)):
        dry = await world.run("auto", mode="DRY_RUN")
        await auto.opened(world)
        result = await world.run("auto")
        assert RunStatus.MERGED is result.status, result.reason
        assert "AUTO_MERGE_ALLOWED" == result.outcome
        checks = world.artifact(result.run_id, "checks/checks.json")
        landed = auto.base(world)
        assert (checks["commitSha"], checks["treeSha"]) == (landed, auto.tree(world, landed))
        parents = git("rev-parse", f"{landed}^1", f"{landed}^2", cwd=world.root / "auto.git").split()
        assert [before, result.pull_request.head_sha] == parents
        report = world.artifact(result.run_id, "run_report.json")
        assert (landed, before) == (report["merged"]["mergeSha"], report["merged"]["parentSha"])
        steps = [step["step"] for step in report["steps"]]
        assert ["release", "merge_check", "canary", "merge_release"] == steps[-4:]
        canary = world.artifact(result.run_id, "canary.json")
        assert (landed, "green", True) == (canary["mergeSha"], canary["health"], canary["rounds"] > 1)
        branches = world.autonomy_branches("auto")
        assert 1 == sum(branch.startswith("refs/heads/autonomy/canary/") for branch in branches)
        record = world.bench().forges(_target(world)).pull_requests()[0]
        subject = git("show", "--no-patch", "--format=%s", landed, cwd=world.root / "auto.git")
        assert f"Merge pull request #{record.number}: {record.title}" == subject
        assert "merged" == record.state
        [said] = world.bench().forges(_target(world)).comments(record.number)
        assert f"{result.run_id}/comment-{record.number}-merged" == said.run_key
        assert all(part in said.body for part in ("**Merged by itself**", landed, checks["treeSha"], result.run_id))
        head = f"**Outcome: merged by itself**, as {landed}; undo it with `starter.py rollback {result.run_id}"
        assert record.body.splitlines()[1].startswith(head)
        # P3: a dry run of a target that may merge by itself lists what PR_ONLY writes, and no more.
        refused = world.artifact(dry.run_id, "run_report.json")["refusedWrites"]
        bodies = [write | {"bodySha256": ""} for write in refused]
        written = [write["planned"] | {"bodySha256": ""} for write in report["writes"]]
        assert ["push_branch", "open_pull_request"] == [write["action"] for write in refused]
        assert bodies == written[:2]
        assert ["push_branch", "merge"] == [write["action"] for write in written[2:]]
        again = await world.run("auto", again=True)
        assert RunStatus.NOTHING_TO_DO is again.status
        # What they were for is on the base: the next run removes canary and head.
        assert [] == world.autonomy_branches("auto")


def _target(world: World):
    from adapters.policy_files import PolicyFiles

    return PolicyFiles(world.settings.policies).effective("auto").target
