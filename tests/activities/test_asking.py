"""What an agent could be asked for is gathered within bounds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from activities.run import asking
from contracts.forge_facts import Issue
from policies.settings.tasks import IssuesPolicy
from tests.policies.sample_policy import policy


def test_a_flood_of_issues_is_bounded_and_those_that_wait_longest_stay() -> None:
    """What is left out is said; a person who names one finds it all the same."""
    said = policy()
    target = said.target.model_copy(update={"issues": IssuesPolicy(label="agent")})
    newest_first = tuple(Issue(number=number, title="x", body="", url="") for number in range(10_000, 0, -1))
    forge = SimpleNamespace(issues=lambda _label: newest_first)
    bench = SimpleNamespace(forges=lambda _target: forge)
    session: Any = SimpleNamespace(
        policy=said.model_copy(update={"target": target}), bench=bench, run=SimpleNamespace(asked=None)
    )
    unseen: list[str] = []
    assert [each.number for each in asking._issues(session, unseen)] == list(range(100, 0, -1))
    assert unseen == ["issues: 9900 newer ones with the label; a run looks at the 100 oldest"]
    session.run.asked = object()
    assert len(asking._issues(session, unseen)) == 10_000
