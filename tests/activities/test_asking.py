"""What an agent is asked for beside findings, by what kind of run it is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from activities.run.asking import gather
from contracts.evidence import ChecksReport
from contracts.forge_facts import Issue
from contracts.modes import Role, RunKind
from contracts.task import AskedTasks
from policies.settings.charter import RolePolicy
from policies.settings.tasks import StandingTask, Tasks
from tests.policies.sample_policy import policy

ISSUE = Issue(number=42, title="Empty baskets fail", body="An empty basket has a price, see src/basket.py.", url="")
STANDING = StandingTask(name="gaps", title="Test more", prompt="Write tests that are missing.", measure="acceptance")


@pytest.mark.parametrize(
    ("kind", "keys"), [(RunKind.DAILY, ["issue-42", "standing-gaps"]), (RunKind.SMOKE, [])], ids=str
)
def test_what_is_asked_for_waits_until_a_target_is_open(kind: RunKind, keys: list[str]) -> None:
    """An issue that an agent cannot do would keep it shut, and cost each time it is resumed (P2)."""
    ours = policy(target={"issues": {"label": "agent"}})
    ours = ours.model_copy(update={"standing": Tasks(tasks=(STANDING,))})
    ours.charter.roles[Role.CODING] = RolePolicy(backend="command", argv=("agent",), usd=1, tokens=1000, minutes=5)
    green = ChecksReport(
        **dict.fromkeys(("commit_sha", "tree_sha", "base_sha", "head_sha"), "a" * 40),
        environment="e", sandbox="s", results=(),
    )  # fmt: skip
    kept: dict[str, AskedTasks] = {}
    session: Any = SimpleNamespace(
        run=SimpleNamespace(run_id="r1", target="demo", date="2026-11-27", kind=kind, asked=None), policy=ours,
        input=SimpleNamespace(base_sha="a" * 40, artifacts=()), load=lambda _name, _model: green,
        save=kept.__setitem__, note=lambda *_what, **_facts: None,
        bench=SimpleNamespace(forges=lambda _target: SimpleNamespace(issues=lambda _label: (ISSUE,))),
    )  # fmt: skip
    index: Any = SimpleNamespace(latest=lambda _count, _target: ())
    found = gather(session, index)
    assert found is not None
    assert keys == [task.key for task in found.tasks]
    assert found == kept["asked_tasks.json"]
