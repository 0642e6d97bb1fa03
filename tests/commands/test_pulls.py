"""``pr`` on the local forge, as a person types it: list, show, close, merge, and what the follow-up then says."""

from __future__ import annotations

import asyncio
import re
import shlex

from aftermath import hasten
from shell import shell_of
from world import World, git

from adapters.store.run_index import RunIndex
from contracts.rollback import FollowUpEnd
from tests.workflows.quick import CHECK, add_target, quick
from workflows import api


async def ended(world: World, run_id: str) -> FollowUpEnd:
    """How the follow-up of a run ends."""
    handle = world.client.get_workflow_handle(api.follow_up_id(run_id), result_type=FollowUpEnd)
    await world.until(handle.describe)
    return await asyncio.wait_for(handle.result(), 60)


async def test_a_person_answers_where_there_is_no_page(world: World) -> None:
    """Merged with a merge commit under their name, closed with theirs in the follow-up; a second answer is refused."""
    hasten(world, write_seconds=30)
    shell = shell_of(world)
    for name in ("yes", "no"):
        add_target(world, name)
    async with world.worker(quick(world)):
        runs = {name: (await world.run(name)).run_id for name in ("yes", "no")}
        for run_id in runs.values():
            await world.until(world.client.get_workflow_handle(api.follow_up_id(run_id)).describe)
        listed = await shell.typed("pr", "list", "yes", "--json")
        shown = await shell.typed("pr", "show", "yes", "1")
        merged = await shell.typed("pr", "merge", "yes", "1", "--json")
        closed = await shell.typed("pr", "close", "no", "1")
        again = await shell.typed("pr", "merge", "no", "1")
        unknown = await shell.typed("pr", "close", "no", "7")
        ends = {name: await ended(world, run_id) for name, run_id in runs.items()}
        left = await shell.typed("pr", "list", "no")
        seen = {name: (await shell.typed("pr", "show", name, "1")).out for name in runs}
        told = {name: [await shell.typed(*words) for words in (("runs", name), ("status", name), ("why", run_id))]
                for name, run_id in runs.items()}  # fmt: skip
        RunIndex(world.settings.artifacts).became(runs["no"], "waiting for ann: requested changes")
        waits = await shell.typed("why", "no", "--json")
    assert ("hold", "waiting for ann: requested changes") == tuple(
        waits.json[runs["no"]][word] for word in ("decision", "reason")
    )
    [pull] = listed.json["pullRequests"]
    assert ("open", 1) == (pull["state"], pull["number"])
    assert "+You receive names." in shown.out
    assert {"target": "yes", "number": 1, "state": "merged"} == merged.json
    assert 0 == closed.status, closed.err
    assert (11, True) == (again.status, "is closed already" in again.err)
    assert (2, True) == (unknown.status, "pr list no --all" in unknown.err)
    assert "no open pull request" in left.out
    assert [True, True] == ["+You receive names." in text for text in seen.values()], seen
    author, subject = git("log", "-1", "--format=%an%n%s", "main", cwd=world.root / "yes.git").splitlines()
    assert subject.startswith("Merge pull request #1: ")
    assert author != "Autonomy"
    assert "receive" in git("show", "main:README.md", cwd=world.root / "yes.git")
    assert ends["yes"].outcome.startswith("merged"), ends["yes"]
    assert ends["no"].outcome.startswith("closed"), ends["no"]
    assert all(end.who.startswith(author) for end in ends.values()), ends
    for name, words in (("yes", "MERGED by"), ("no", "CLOSED by")):
        said = [" ".join(one.out.split()) for one in told[name]]
        assert [f"{words} {ends[name].who}" in one for one in said] == [True, True, True], said


async def test_a_conflict_and_a_forge_of_its_own_are_refused(world: World) -> None:
    """Nothing is merged that git cannot merge; where there is a page, the answer belongs there."""
    shell = shell_of(world)
    add_target(world, "quick")
    async with world.worker(quick(world)):
        await world.run("quick")
    work = world.root / "quick-work"
    (work / "README.md").write_text("# pkg\n\nYou get names.\n")
    git("commit", "--quiet", "--all", "--message=Another word", cwd=work)
    git("push", "--quiet", str(world.root / "quick.git"), "HEAD:main", cwd=work)
    conflict = await shell.typed("pr", "merge", "quick", "1")
    shown = await shell.typed("pr", "show", "quick", "1")
    assert (11, True) == (conflict.status, "README.md" in conflict.err), conflict.err
    # What the base got meanwhile is no part of it.
    assert ("+You receive names." in shown.out, "You get names." in shown.out) == (True, False), shown.out
    git("checkout", "--quiet", "--orphan", "anew", cwd=work)
    git("commit", "--quiet", "--message=Rewritten", cwd=work)
    git("push", "--quiet", "--force", str(world.root / "quick.git"), "HEAD:main", cwd=work)
    rewritten = await shell.typed("pr", "merge", "quick", "1")
    assert (11, True) == (rewritten.status, "no history in common" in rewritten.err), rewritten.err
    access = '\n[forge_access]\naccount = "bot"\nwrite.variable = "NOT_NEEDED"\n'
    world.write_target("quick", access, forge="gitea", remote="https://git.example.invalid/team/quick.git")
    elsewhere = await shell.typed("pr", "list", "quick")
    assert (11, True) == (elsewhere.status, "answer its pull requests there" in elsewhere.err), elsewhere.err


async def test_a_branch_that_is_checked_out_at_the_remote_is_merged_there(world: World) -> None:
    """The first steps lead into a folder with a work tree: what git says of it in a page is one sentence here."""
    shell = shell_of(world)
    add_target(world, "quick")
    world.write_target("quick", CHECK, remote=str(world.root / "quick-work"))
    async with world.worker(quick(world)):
        await world.run("quick")
    refused = await shell.typed("pr", "merge", "quick", "1")
    [command] = re.findall(r"Merge it there: (git -C .*), or use a bare remote", " ".join(refused.err.split()))
    git(*shlex.split(command)[1:], cwd=world.root)
    listed = await shell.typed("pr", "list", "quick", "--all", "--json")
    assert 11 == refused.status
    assert ["merged"] == [pull["state"] for pull in listed.json["pullRequests"]]
