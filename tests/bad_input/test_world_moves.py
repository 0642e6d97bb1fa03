"""The remote and the policy change while a run works: nothing is lost, nothing is overwritten (P4, P6, P7)."""

from __future__ import annotations

from collections.abc import Callable

from world import ScriptedAgent, World, git

from contracts.modes import RunStatus
from ports.agents import Agent, Brief
from tests.workflows.quick import Speller, quick


def person_pushes(world: World, path: str, text: str) -> str:
    """A person commits to the base branch; returns the commit."""
    work = world.root / "demo-work"
    (work / path).write_text(text)
    git("add", "--all", cwd=work)
    git("commit", "--quiet", "--message=By a person", cwd=work)
    git("push", "--quiet", str(world.remote), "HEAD:main", cwd=work)
    return git("rev-parse", "HEAD", cwd=work)


def meanwhile(act: Callable[[], object]) -> Callable[[Agent], Agent]:
    """An agent during whose coding something happens outside."""

    def scripted(real: Agent) -> Agent:
        speller = Speller(real)

        def coding(brief: Brief) -> str:
            said = speller.answer(brief)
            act()
            return said

        return ScriptedAgent(speller, answers={"coding": coding})

    return scripted


async def test_base_that_moves_on_elsewhere_does_not_stop_a_pull_request(world: World) -> None:
    """A person's commit that the change still merges with: opened, on the base it was checked on."""
    first = world.refs()["refs/heads/main"]
    async with world.worker(world.bench(meanwhile(lambda: person_pushes(world, "NEWS.md", "news\n")))):
        result = await world.run()

    assert RunStatus.PR_OPENED is result.status, result.reason
    branch = world.refs()[f"refs/heads/{world.pulls()[0]['branch']}"]
    assert first == git("rev-parse", f"{branch}^", cwd=world.remote)
    assert first != world.refs()["refs/heads/main"]


async def test_base_that_moves_under_the_change_rejects_it_as_drift(world: World) -> None:
    """The person's commit touches the same lines: rejected as drift, the person's commit stands, try again at once."""

    def rewrite() -> None:
        for path in ("pkg/__init__.py", "README.md", "pkg/other.py"):
            person_pushes(world, path, '"""Somebody rewrote this."""\n\n\ndef names():\n    return ["a", "b"]\n')

    async with world.worker(world.bench(meanwhile(rewrite))):
        result = await world.run()

    assert RunStatus.REJECTED is result.status
    assert "base branch drifted" in result.reason
    rejection = world.artifact(result.run_id, "release_decision.json")["rejection"]
    assert ("drift", True, None) == (rejection["reasonCode"], rejection["canRetry"], rejection["retryAfter"])
    assert [] == world.autonomy_branches()
    assert "Somebody rewrote this" in git("show", "main:README.md", cwd=world.remote)


async def test_branch_of_somebody_else_is_never_overwritten(world: World) -> None:
    """Our branch name is taken, at another commit: rejected with both commits; the branch stays where it was."""
    async with world.worker(quick(world)):
        dry = await world.run(mode="DRY_RUN")
        branch = world.artifact(dry.run_id, "run_report.json")["refusedWrites"][0]["branch"]
        git("branch", branch, "main", cwd=world.remote)
        before = world.refs()
        result = await world.run(mode="PR_ONLY")

    assert RunStatus.REJECTED is result.status
    assert "someone moved it" in result.reason
    assert before == world.refs()
    assert [] == world.pulls()


async def test_policy_that_breaks_under_a_run_holds_it_until_it_is_mended(world: World) -> None:
    """P6, P13: unreadable is not the pinned policy; the run says file and line, loses nothing, and goes on."""
    file = world.settings.policies / "autopilot.toml"
    good = file.read_text()
    async with world.worker(world.bench(meanwhile(lambda: file.write_text(f"{good}\nnot toml")))):
        handle = await world.start()

        async def held() -> str:
            view = await world.state(handle)
            return view.reason if view.status is RunStatus.HELD else ""

        reason = await world.until(held)
        branches = world.autonomy_branches()
        file.write_text(good)
        result = await handle.result()

    assert "the policy cannot be read" in reason
    assert f"autopilot.toml:{good.count(chr(10)) + 2}" in reason
    assert [] == branches
    assert RunStatus.PR_OPENED is result.status
