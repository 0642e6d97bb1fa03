"""A run from preflight to an audited pull request, and every way it may end without one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from world import World

from adapters.policy_files import PolicyFiles
from adapters.store.chained_log import ChainedLog
from contracts.clearance import Clearance
from contracts.control import StatusView
from contracts.effect import Effect, EffectResult
from contracts.modes import RunStatus, WriteAction
from policies.settings.schema import Target
from ports.forge import Effects
from tests.workflows.quick import quick


async def test_dry_run_refuses_exactly_the_writes_that_pr_only_makes(world: World) -> None:
    """P3: same base, same plan, step for step; DRY_RUN moves no ref and leaves no pull request."""
    before = world.refs()
    async with world.worker(quick(world)):
        dry = await world.run(mode="DRY_RUN")
        after_dry = world.refs()
        pulls_after_dry = world.pulls()
        real = await world.run(mode="PR_ONLY")

    assert RunStatus.DRY_RUN_COMPLETE is dry.status
    assert before == after_dry
    assert [] == pulls_after_dry
    assert RunStatus.PR_OPENED is real.status
    refused = world.artifact(dry.run_id, "run_report.json")["refusedWrites"]
    done = [write["planned"] for write in world.artifact(real.run_id, "run_report.json")["writes"]]
    assert 2 == len(refused)
    assert refused == done


async def test_a_run_opens_one_pull_request_whose_head_is_the_pushed_branch(world: World) -> None:
    """P7: one branch, one pull request, both as the result says."""
    async with world.worker(quick(world)):
        result = await world.run()

    assert result.pull_request is not None
    pulls = world.pulls()
    assert [result.pull_request.number] == [pull["number"] for pull in pulls]
    assert result.pull_request.head_sha == world.refs()[f"refs/heads/{result.pull_request.branch}"]
    assert 1 == len(world.autonomy_branches())


async def test_three_starts_for_one_day_make_one_run(world: World) -> None:
    """Admission is by (target, kind, mode, date, attempt), whatever the workflow ids are."""
    async with world.worker(quick(world)):
        results = await asyncio.gather(*(world.run() for _ in range(3)))
        again = await world.run(again=True)

    statuses = sorted(result.status for result in results)
    assert [RunStatus.ALREADY_RAN, RunStatus.ALREADY_RAN, RunStatus.PR_OPENED] == statuses
    assert 1 == len({result.run_id for result in results})
    assert again.run_id not in {result.run_id for result in results}


@dataclass
class CountingEffects:
    """The real effects, counted."""

    real: Effects
    started: list[str] = field(default_factory=list)

    def perform(
        self, target: Target, effect: Effect, clearance: Clearance, kill_at: float, look_only: bool
    ) -> EffectResult:
        """Count, then do it."""
        self.started.append(effect.action)
        return self.real.perform(target, effect, clearance, kill_at, look_only)


async def test_dry_run_starts_no_child_that_could_hold_a_credential(world: World) -> None:
    """P3: not an `if` around the write, but no clearance and so no child at all."""
    effects = CountingEffects(world.bench().effects)
    async with world.worker(quick(world, effects=effects)):
        await world.run(mode="DRY_RUN")
        in_dry_run = list(effects.started)
        await world.run(mode="PR_ONLY")

    assert [] == in_dry_run
    assert [WriteAction.PUSH_BRANCH, WriteAction.OPEN_PULL_REQUEST] == effects.started


async def test_nothing_worth_doing_is_an_end_not_a_failure(world: World) -> None:
    """A clean repository ends NOTHING_TO_DO, with a report like any other run."""
    world.add_target("clean", {"pkg/__init__.py": "def names():\n    return ['a', 'b']\n", "README.md": "# pkg\n"})
    async with world.worker():
        result = await world.run("clean")

    assert RunStatus.NOTHING_TO_DO is result.status
    report = world.artifact(result.run_id, "run_report.json")
    assert "NOTHING_TO_DO" == report["status"]
    assert ["preflight", "sense", "triage"] == [step["step"] for step in report["steps"]]


async def test_a_finished_run_leaves_everything_the_runbook_asks_for(world: World) -> None:
    """§4, §10 and P10: artifacts, hand-overs, the five questions, a chain that verifies, the exported history."""
    async with world.worker():
        result = await world.run()
        view = await world.until(lambda: _logged(world))

    report = world.artifact(result.run_id, "run_report.json")
    shown = {path.name for path in (world.settings.artifacts / "runs" / result.run_id).iterdir()}
    wanted = {
        "state_snapshot.json",
        "candidate_tasks.json",
        "task_contract.json",
        "change.bundle",
        "change.diff",
        "review_report.json",
        "checks",
        "release_decision.json",
        "run_report.json",
        "run_report.html",
        "audit_log.jsonl",
        "history.json.gz",
    }
    assert set() == wanted - shown
    for step in report["steps"]:
        handover = step["handover"]
        fields = {"runId", "taskId", "role", "inputArtifacts", "outputArtifacts", "confidence", "blockingIssues"}
        assert set() == fields - set(handover)
        assert result.run_id == handover["runId"]
    review = report["review"]
    assert review["expected"]
    assert review["achieved"]
    assert review["costNote"]
    assert any("eventType" in event for event in world.artifact(result.run_id, "history.json.gz")["events"])
    audit = ChainedLog(world.settings.artifacts)
    anchored = world.bench().repositories(PolicyFiles(world.settings.policies).effective("demo").target)
    heads = {"temporal": result.audit_head, "mirror": anchored.anchored(f"run/{result.run_id}") or ""}
    assert audit.verify(f"run/{result.run_id}", heads).problem is None
    assert audit.verify("target/demo", {"temporal": view.log_head}).problem is None


async def _logged(world: World) -> StatusView | None:
    """Control's view, once everything it has to say is in the target's log."""
    view = await world.status()
    head = ChainedLog(world.settings.artifacts).head("target/demo")
    return view if view.log_head and view.log_head == head and not view.active else None
