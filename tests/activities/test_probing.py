"""Probes on one commit, in the real sandbox; and the drill whose result expires (P8, P13; runbook §3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from world import World

from activities.after.probing import ProbeRunner
from activities.run import rollback_drill
from activities.step_session import StepSession
from adapters.policy_files import PolicyFiles
from adapters.probes.url import ChildUrlProbes
from contracts.handover import StepInput
from contracts.merging import Health
from contracts.modes import Mode, Role, RunKind, StepName
from policies.settings.schema import EffectivePolicy
from ports.repository import RepositoryError
from tests.workflows import auto
from tests.workflows.test_merge_rules import merged

PROBES = """
[[probes]]
name = "told"
argv = ["python", "-c", "import os, sys; sys.exit(not os.environ['AUTONOMY_SHA'] == sys.argv[1])", "{sha}"]
[[probes]]
name = "red"
argv = ["python", "-c", "print('broken pipe'); raise SystemExit(7)"]
[[probes]]
name = "missing"
argv = ["no-such-program"]
[[probes]]
name = "hangs"
argv = ["sleep", "600"]
seconds = 1
[[probes]]
name = "killed"
argv = ["python", "-c", "import os; os.kill(os.getpid(), 9)"]
[[probes]]
name = "imports"
argv = ["python", "-c", "import pkg; open('left-behind', 'x')"]
[[probes]]
name = "again"
argv = ["python", "-c", "open('left-behind', 'x')"]
[[probes]]
name = "host"
argv = ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:80', timeout=2)"]
"""
NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


def policy(world: World) -> EffectivePolicy:
    return PolicyFiles(world.settings.policies).effective("auto")


async def test_each_way_a_probe_may_end(world: World) -> None:
    """Exit statuses, a hang, a kill; each in a fresh checkout, told the commit, without a network."""
    auto.add_target(world, probes=PROBES)
    bench = world.bench()
    base = bench.repositories(policy(world).target).fetch_base()
    room = ProbeRunner(bench, bench.environments, bench.sandbox, ChildUrlProbes())
    results = {result.name: result for result in room.probe(policy(world), base, base, lambda: None)}
    health = {name: result.health for name, result in results.items()}
    assert {
        "told": Health.GREEN,
        "red": Health.RED,
        "missing": Health.UNKNOWN,
        "hangs": Health.UNKNOWN,
        "killed": Health.UNKNOWN,
        "imports": Health.GREEN,
        "again": Health.GREEN,
        "host": Health.RED,
    } == health, results
    assert "broken pipe" in results["red"].detail


async def test_a_commit_that_is_not_there_is_unknown(world: World) -> None:
    """Could not find out: for every probe, as a value."""
    auto.add_target(world)
    bench = world.bench()
    base = bench.repositories(policy(world).target).fetch_base()
    room = ProbeRunner(bench, bench.environments, bench.sandbox, ChildUrlProbes())
    assert [Health.UNKNOWN] == [one.health for one in room.probe(policy(world), "f" * 40, base, lambda: None)]


async def test_a_drill_is_reused_until_it_expires_and_never_after(world: World, monkeypatch: Any) -> None:
    """Issue item 4: same base and policy only; stale without a new one, or failed, is a no."""
    auto.add_target(world)
    place = world.settings.policies / "autopilot.toml"
    place.write_text(place.read_text().replace("drill_hours = 0 ", "drill_hours = 2 "))
    bench = world.bench()
    run = merged("r1").run.model_copy(update={"mode": Mode.PR_ONLY, "kind": RunKind.DAILY})
    made: list[str] = []
    real = rollback_drill.drill

    def counted(repository: Any, base: str, bench: Any) -> Any:
        made.append(base)
        return real(repository, base, bench)

    monkeypatch.setattr(rollback_drill, "drill", counted)

    def drilled(hours: float, sha: str) -> bool:
        given = StepSession(bench, StepInput(run=run), StepName.PREFLIGHT, Role.GATEKEEPER, policy(world), lambda: None)
        return rollback_drill.drilled(given, sha, NOW + timedelta(hours=hours)).allowed

    base = bench.repositories(policy(world).target).fetch_base()
    assert [True, True, True] == [drilled(hours, base) for hours in (0, 1, 1.9)]
    assert [base] == made
    assert drilled(2, base)
    assert [base, base] == made
    # A receipt from the future proves nothing, nor does one of another base.
    assert drilled(-1, base)
    moved = auto.person_commits(world, "notes.txt", "x")
    bench.repositories(policy(world).target).fetch_base()
    assert drilled(0, moved)
    assert [base, base, base, moved] == made

    def broken(*_: Any) -> Any:
        raise RepositoryError("disk full")

    monkeypatch.setattr(rollback_drill, "drill", broken)
    assert drilled(0.5, moved)
    assert not drilled(9, moved)
