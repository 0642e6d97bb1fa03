"""What people decided, and the trailer: the last words before a merge of ours (issue 6, lines 1 and 5)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from contracts.forge_facts import BranchProtection, HumanAct
from contracts.pull_request import PullRequest
from contracts.verdict import Decision
from policies.release.landing import LandingFacts, judge_landing
from policies.verdicts import deciding

M, OLD = "a" * 40, "b" * 40
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OPEN = PullRequest(
    number=7, branch="autonomy/x", base_branch="main", head_sha=M, title="t", body="", state="open", url="u",
    run_key="demo-1/open_pull_request",
)  # fmt: skip
CLEAR = LandingFacts(
    merge_sha=M,
    landed=False,
    pull=OPEN,
    acts=(),
    protection=BranchProtection(protected=True),
    account="bot",
    commit_message="Tidy\n\nAll of it.\n\nTask-Id: t\nContract-Digest: d1\n",
    contract_digest="d1",
)
ASK, ALLOW, DENY = Decision.ASK, Decision.ALLOW, Decision.DENY


def act(actor: str, what: str, commit: str = M, hours: float = 0, counts: bool = True) -> HumanAct:
    """Somebody did something."""
    return HumanAct.model_validate(
        {"actor": actor, "act": what, "at": AT + timedelta(hours=hours), "commit_sha": commit, "counts": counts}
    )


def protected(approvals: int) -> BranchProtection:
    """A base that requires so many."""
    return BranchProtection(protected=True, required_approvals=approvals)


def was(state: str) -> PullRequest:
    """Ended."""
    return OPEN.model_copy(update={"state": state})


@pytest.mark.parametrize(
    ("given", "decision", "reason"),
    [
        ({}, ALLOW, "all 4 conditions hold"),
        ({"pull": None}, ASK, "the forge does not show the pull request"),
        ({"pull": was("closed")}, ASK, "pull request 7 was closed by a person"),
        (
            {"pull": was("closed"), "acts": (act("ann", "closed"),)},
            ASK,
            "pull request 7 was closed by ann at 2026-01-02T03:04:05+00:00",
        ),
        (
            {"pull": was("merged"), "acts": (act("ann", "merged"),), "landed": True},
            ASK,
            "pull request 7 was merged by ann at 2026-01-02T03:04:05+00:00",
        ),
        ({"pull": was("merged"), "acts": (act("Bot", "merged"),), "landed": True}, ALLOW, "all 2 conditions hold"),
        ({"pull": was("merged"), "landed": True}, ALLOW, "all 2 conditions hold"),
        ({"acts": (act("ann", "closed"), act("ann", "reopened", hours=1))}, ALLOW, "all 4 conditions hold"),
        (
            {"acts": (act("ann", "changes_requested", OLD, counts=False),)},
            ASK,
            "changes were requested by ann at 2026-01-02T03:04:05+00:00",
        ),
        (
            {"acts": (act("ann", "changes_requested"), act("ann", "approved", hours=1))},
            ALLOW,
            "all 4 conditions hold",
        ),
        (
            {"acts": (act("ann", "changes_requested"), act("eve", "approved", hours=1))},
            ASK,
            "changes were requested by ann at 2026-01-02T03:04:05+00:00",
        ),
        ({"protection": protected(1)}, ASK, f"0 of 1 required approvals for {M[:12]}"),
        (
            {"protection": protected(1), "acts": (act("ann", "approved", OLD),)},
            ASK,
            f"0 of 1 required approvals for {M[:12]}; void: ann approved {OLD[:12]}",
        ),
        (
            {"protection": protected(1), "acts": (act("ann", "approved", counts=False),)},
            ASK,
            f"0 of 1 required approvals for {M[:12]}; void: ann approved {M[:12]}",
        ),
        (
            {"protection": protected(1), "acts": (act("BOT", "approved"),)},
            ASK,
            f"0 of 1 required approvals for {M[:12]}",
        ),
        (
            {"protection": protected(2), "acts": (act("ann", "approved"), act("ann", "approved", hours=1))},
            ASK,
            f"1 of 2 required approvals for {M[:12]}",
        ),
        (
            {"protection": protected(2), "acts": (act("ann", "approved"), act("eve", "approved"))},
            ALLOW,
            "all 4 conditions hold",
        ),
        ({"contract_digest": "d2"}, DENY, "the commit names d1, not the pinned contract d2"),
        ({"contract_digest": ""}, DENY, "the commit names d1, not the pinned contract (none)"),
        ({"commit_message": "Tidy\n"}, DENY, "the commit names no Contract-Digest, not the pinned contract d1"),
        (
            {"commit_message": "Tidy\n\nContract-Digest: d1\nContract-Digest: d2\n"},
            DENY,
            "the commit names d1, d2, not the pinned contract d1",
        ),
    ],
)
def test_rows(given: dict[str, Any], decision: Decision, reason: str) -> None:
    """Each row is one state of the forge, and the whole answer to it."""
    verdict = judge_landing(replace(CLEAR, **given))
    assert (decision, reason) == (
        verdict.decision,
        deciding(verdict).reason if decision is not ALLOW else verdict.reason,
    )
