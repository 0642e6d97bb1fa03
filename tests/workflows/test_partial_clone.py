"""A whole run on a mirror that was fetched without file contents."""

from __future__ import annotations

from world import QUICK_CHECK, World, git

from contracts.modes import RunStatus


async def test_a_run_on_a_partial_clone_opens_its_pull_request(world: World) -> None:
    """The old contents stay away, and the pushed branch is whole."""
    work = world.root / "demo-work"
    (work / "notes.txt").write_text("only once\n")
    git("add", "--all", cwd=work)
    git("commit", "--quiet", "--message=Notes", cwd=work)
    old = git("rev-parse", "HEAD:notes.txt", cwd=work)
    git("rm", "--quiet", "notes.txt", cwd=work)
    git("commit", "--quiet", "--message=No notes", cwd=work)
    git("push", "--quiet", str(world.remote), "main", cwd=work)
    git("config", "uploadpack.allowFilter", "true", cwd=world.remote)
    world.write_target("demo", f"\n[environment]\n{QUICK_CHECK}", remote=f"file://{world.remote}")
    place = world.settings.policies / "targets" / "demo.toml"
    place.write_text(f"partial_clone = true\n{place.read_text()}")

    async with world.worker():
        result = await world.run()

    assert RunStatus.PR_OPENED is result.status
    assert 1 == len(world.autonomy_branches())
    git("fsck", "--full", "--strict", cwd=world.remote)
    [mirror] = world.settings.mirrors.glob("demo-*.git")
    held = git("cat-file", "--batch-all-objects", "--batch-check", cwd=mirror)
    assert old not in held
