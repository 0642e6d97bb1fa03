"""Quarantine, live: escalated, resumed, granted, released as exactly that change (runbook §6.1, §7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import WorkflowUpdateFailedError
from temporalio.service import RPCError
from world import World, git

from contracts.admission import RunResult
from contracts.control import Answer
from contracts.grant import GrantRequest
from contracts.modes import Mode, Role, RunStatus, TargetStatus
from ports.agents import Brief
from tests.workflows.conversation import open_target, resume_all, until_status
from tests.workflows.quick import add_target, quick
from workflows import api

FILE = ".github/workflows/x.yml"


GOOD: dict[str, Any] = {
    "expectedEpoch": 1,
    "runId": "quick-2026-03-02-pr-1",
    "headSha": "a" * 40,
    "paths": [FILE],
    "expiresAt": "2026-03-03T00:00:00Z",
    "reason": "read line by line",
    "actor": "ann",
}
MALFORMED: list[Any] = [
    None,
    "grant",
    7,
    [],
    {},
    *({key: value for key, value in GOOD.items() if key != missing} for missing in GOOD),
    GOOD | {"expectedEpoch": "soon"},
    GOOD | {"headSha": "main"},
    GOOD | {"headSha": "A" * 40},
    GOOD | {"paths": []},
    GOOD | {"paths": FILE},
    GOOD | {"paths": [""]},
    GOOD | {"paths": [FILE] * 51},
    GOOD | {"expiresAt": "2026-03-03T00:00:00"},
    GOOD | {"expiresAt": "tomorrow"},
    GOOD | {"expiresAt": None},
    GOOD | {"reason": ""},
    GOOD | {"actor": ""},
    GOOD | {"force": True},
    GOOD | {"usedBy": ""},
    GOOD | {"escalatedRecord": "yes"},
]


class Meddler:
    """The speller, whose coder also writes protected files, once; then it only notes who is asked."""

    def __init__(self, *files: str) -> None:
        self.files = files
        self.asked: list[str] = []
        self.replaces: Path | None = None
        """An object of the store, replaced as soon as the next run senses: after its admission saw it whole."""

    def __call__(self, brief: Brief) -> None:
        """Called before every answer."""
        self.asked.append(brief.role)
        if self.replaces is not None:
            self.replaces.chmod(0o600)
            self.replaces.write_bytes(b"# v2 git bundle\nanother change\n")
        if brief.role is not Role.CODING or brief.tree is None:
            return
        for name in self.files:
            (brief.tree / name).parent.mkdir(parents=True, exist_ok=True)
            (brief.tree / name).write_text(f"written: {name}\n")
        self.files = ()


async def resumed(world: World) -> None:
    """A person lifts the pause of everybody; the smoke opens the target."""

    async def quiet() -> bool:
        return (await world.status("quick")).quiescent

    await world.until(quiet)
    assert (await resume_all(world)).accepted
    view = await until_status(world, "quick", TargetStatus.ACTIVE)
    assert Mode.PR_ONLY is view.mode


async def grant(world: World, run_id: str, *paths: str, **other: Any) -> Answer:
    """What ``starter.py grant`` sends."""
    values = {
        "expected_epoch": (await world.status("quick")).epoch,
        "run_id": run_id,
        "head_sha": world.artifact(run_id, "change.json")["headSha"],
        "paths": paths,
        "expires_at": datetime.now(UTC) + timedelta(hours=1),
        "reason": "read line by line",
        "actor": "ann",
    } | other
    answer: Answer = await world.control("quick").execute_update(api.GRANT, GrantRequest(**values), result_type=Answer)
    return answer


async def escalated(world: World) -> RunResult:
    """A run that touched what it must not; everything paused, then resumed."""
    result = await world.run("quick")
    assert RunStatus.ESCALATED is result.status
    refused = await grant(world, result.run_id, FILE)
    assert "a grant comes after the resume" in refused.verdict.reason
    await resumed(world)
    return result


def push(world: World, path: str, text: str) -> str:
    """A person's commit on the base branch."""
    work = world.root / "person"
    if not work.exists():
        git("clone", "--quiet", str(world.root / "quick.git"), str(work), cwd=world.root)
    (work / path).write_text(text)
    git("add", "--all", cwd=work)
    git("commit", "--quiet", "--message=By a person", cwd=work)
    git("push", "--quiet", "origin", "HEAD:main", cwd=work)
    return git("rev-parse", "HEAD", cwd=work)


def branch_head(world: World) -> str:
    """The commit of the only autonomous branch."""
    (name,) = world.autonomy_branches("quick")
    return world.refs("quick")[name]


def events(world: World, run_id: str) -> str:
    """The run's audit log."""
    return (world.settings.artifacts / "runs" / run_id / "audit_log.jsonl").read_text()


async def test_malformed_grants_are_refused_at_the_sender_and_change_nothing(world: World) -> None:
    """P14: no form of nonsense gets through or wedges Control; a well-formed one is answered."""
    add_target(world, "quick")
    async with world.worker(quick(world)):
        await open_target(world, "quick")
        control = world.control("quick")
        for form in MALFORMED:
            with pytest.raises((WorkflowUpdateFailedError, RPCError)):
                await control.execute_update(api.GRANT, form)
        with pytest.raises((WorkflowUpdateFailedError, RPCError)):
            await control.execute_update(api.GRANT, args=[GOOD, GOOD])
        answered = await control.execute_update(api.GRANT, GOOD, result_type=Answer)
        after = await world.status("quick")

    assert (False, ()) == (answered.accepted, after.grants)


async def test_a_granted_change_is_released_as_exactly_that_change(world: World) -> None:
    """Escalated, everything paused, resumed, granted, taken: one pull request with the quarantined commit."""
    add_target(world, "quick")
    meddler = Meddler(FILE)
    async with world.worker(quick(world, meddler)):
        first = await escalated(world)
        kept = world.artifact(first.run_id, "change.json")
        without = await world.run("quick", grant=first.run_id)
        assert (await grant(world, first.run_id, FILE)).accepted
        shown = (await world.status("quick")).grants
        meddler.asked.clear()
        result = await world.run("quick", grant=first.run_id)
        asked = list(meddler.asked)
        twice = await world.run("quick", grant=first.run_id)
        after = await world.status("quick")

    assert (RunStatus.REFUSED, True) == (without.status, "no grant for" in without.reason)
    assert [first.run_id] == [each.run_id for each in shown]
    assert (RunStatus.PR_OPENED, "REQUIRES_HUMAN_REVIEW") == (result.status, result.outcome), result.reason
    assert not {Role.TRIAGING, Role.PLANNING, Role.CODING}.intersection(asked)
    assert Role.REVIEW in asked
    assert kept["headSha"] == branch_head(world)
    assert [FILE, "README.md"] == git(
        "diff-tree", "-r", "--name-only", kept["baseSha"], kept["headSha"], cwd=world.root / "quick.git"
    ).split()
    (pull,) = world.pulls("quick")
    for part in ("Released from quarantine", "`ann`", "`read line by line`", f"`{FILE}`", f"`{first.run_id}`"):
        assert part in pull["body"]
    assert '"sameCommit":true' in events(world, result.run_id).replace(" ", "")
    assert (RunStatus.REFUSED, True) == (twice.status, f"{result.run_id} took the last one" in twice.reason)
    assert () == after.grants


async def test_a_moved_base_takes_exactly_the_patch_or_nothing(world: World) -> None:
    """A conflict rejects with the reason; a base that moved elsewhere gets the same patch as a commit of its own."""
    add_target(world, "quick")
    async with world.worker(quick(world, Meddler(FILE))):
        first = await escalated(world)
        kept = world.artifact(first.run_id, "change.json")
        push(world, "README.md", "# pkg\n\nYou recieve other names.\n")
        await grant(world, first.run_id, FILE)
        conflict = await world.run("quick", grant=first.run_id)
        push(world, "README.md", "# pkg\n\nYou recieve names.\n")
        base = push(world, "NEWS.md", "Something else.\n")
        await grant(world, first.run_id, FILE)
        result = await world.run("quick", grant=first.run_id)

    assert (RunStatus.REJECTED, True) == (conflict.status, "conflicts with it in README.md" in conflict.reason)
    assert RunStatus.PR_OPENED is result.status, result.reason
    head, remote = branch_head(world), world.root / "quick.git"
    assert [base] == git("show", "--no-patch", "--format=%P", head, cwd=remote).split()
    # The commit in quarantine was never pushed: what it changed is in its own diff.
    quarantined = (world.settings.artifacts / "runs" / first.run_id / "change.diff").read_text()
    assert quarantined.strip() == git("diff-tree", "-r", "-p", "--full-index", "--no-renames", base, head, cwd=remote)
    assert f"Released-From: {kept['headSha']}" in git("show", "--no-patch", "--format=%B", head, cwd=remote)


async def test_a_grant_for_one_path_is_none_for_another_and_replaced_evidence_is_found(world: World) -> None:
    """P5: touching more than was granted escalates again. P6: a bundle that was replaced on disk fails the run."""
    add_target(world, "quick")
    meddler = Meddler(FILE, ".env")
    async with world.worker(quick(world, meddler)):
        first = await escalated(world)
        await grant(world, first.run_id, FILE)
        again = await world.run("quick", grant=first.run_id)
        paused = await until_status(world, "quick", TargetStatus.PAUSED)
        await resumed(world)
        await grant(world, first.run_id, FILE, ".env")
        bundle = world.settings.artifacts / world.artifact(first.run_id, "change.json")["bundle"]["location"]
        meddler.replaces = bundle
        damaged = await world.run("quick", grant=first.run_id)
        await grant(world, first.run_id, FILE, ".env")
        refused = await world.run("quick", grant=first.run_id)

    assert RunStatus.ESCALATED is again.status
    assert ".env is protected" in again.reason
    assert TargetStatus.PAUSED is paused.status
    assert RunStatus.FAILED is damaged.status
    assert "are not what its digest says" in damaged.reason
    assert (RunStatus.REFUSED, True) == (refused.status, "are not what its digest says" in refused.reason)
    assert [] == world.autonomy_branches("quick")
    assert [] == world.pulls("quick")
