"""A job of a forge's CI that was ended before it said anything is no judgement of the commit (item 34)."""

from __future__ import annotations

import pytest

from adapters.forges.gitea import forge as gitea
from adapters.forges.gitea.api import Status as GiteaStatus
from adapters.forges.github.api import CheckRun
from adapters.forges.github.checks import reported
from adapters.forges.http.forge import undemanded
from contracts.forge_facts import CheckState, CommitCheck


def on_github(conclusion: str) -> CommitCheck:
    """One finished check run."""
    (found,) = undemanded(reported([CheckRun(name="test", status="completed", conclusion=conclusion)], ()))
    return found


def on_gitea(state: str, description: str) -> CommitCheck:
    """One status, as Gitea's own CI or somebody else's writes it."""
    (found,) = undemanded([gitea._check(GiteaStatus(context="test", status=state, description=description))])
    return found


@pytest.mark.parametrize(
    ("check", "state", "stopped", "idle"),
    [
        (on_github("success"), CheckState.GREEN, False, False),
        (on_github("neutral"), CheckState.GREEN, False, False),
        (on_github("failure"), CheckState.RED, False, False),
        (on_github("timed_out"), CheckState.RED, False, False),
        (on_github("startup_failure"), CheckState.RED, False, False),
        (on_github("skipped"), CheckState.MISSING, False, True),
        (on_github("cancelled"), CheckState.MISSING, True, False),
        (on_github("stale"), CheckState.MISSING, True, False),
        (on_github("action_required"), CheckState.MISSING, True, False),
        (on_gitea("failure", "Failing after 2s"), CheckState.RED, False, False),
        (on_gitea("failure", "Has been cancelled"), CheckState.MISSING, True, False),
        (on_gitea("success", "Has been cancelled"), CheckState.GREEN, False, False),
        (on_gitea("skipped", "Has been skipped"), CheckState.MISSING, False, True),
    ],
)
def test_what_a_forge_says_of_a_job(check: CommitCheck, state: CheckState, stopped: bool, idle: bool) -> None:
    """Stopped counts and is not idle: nobody merges past it, and nobody is blamed for it."""
    assert (state, stopped, idle) == (check.state, check.stopped, check.idle)
