"""Branches of ours that served their purpose are removed by the next run; what a person pushed to stays (issue 10)."""

from __future__ import annotations

from world import World, git

from adapters.effects.local_records import change_record
from adapters.forges.local import forge_folder
from contracts.modes import RunStatus
from tests.workflows.quick import add_target, quick


async def test_the_next_run_removes_what_is_closed_and_keeps_the_evidence(world: World) -> None:
    """Only at the commit we put there, under a clearance, with a bundle; a branch of somebody else stays."""
    add_target(world, "quick")
    remote = world.root / "quick.git"
    async with world.worker(quick(world)):
        first = await world.run("quick")
        assert first.pull_request is not None
        branch, head = first.pull_request.branch, first.pull_request.head_sha
        pulls = forge_folder(world.settings.home, "quick") / "pulls"
        change_record(pulls, f"{first.run_id}/open_pull_request", look_only=False, state="closed")
        git("branch", "autonomy/theirs", "main", cwd=remote)
        moved = git("commit-tree", "main^{tree}", "-p", head, "-m", "A person's", cwd=remote)
        git("update-ref", f"refs/heads/{branch}", moved, cwd=remote)
        kept = await world.run("quick", again=True)
        assert branch in git("branch", "--list", "--format=%(refname:short)", cwd=remote).split()
        git("update-ref", f"refs/heads/{branch}", head, cwd=remote)
        last = await world.run("quick", again=True)
    left = git("branch", "--list", "--format=%(refname:short)", cwd=remote).split()
    assert {"main", "autonomy/theirs"} == set(left)
    assert {RunStatus.NOTHING_TO_DO} == {kept.status, last.status}
    [write] = world.artifact(last.run_id, "run_report.json")["writes"]
    assert ("remove_branch", branch, head) == tuple(write["planned"][key] for key in ("action", "branch", "headSha"))
    bundle = world.bench().store.find(last.run_id, f"branches/{branch.replace('/', '-')}.bundle")
    assert bundle is not None
    assert head.encode() in world.bench().store.get(bundle)
