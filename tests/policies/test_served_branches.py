"""Which branches may go: ours, at our commit, when their pull request or canary is over; nobody else's."""

from __future__ import annotations

import pytest

from contracts.pull_request import PullRequest
from policies.after.open_pulls import served

HEAD, OTHER = "a" * 40, "b" * 40
BRANCH, CANARY = "autonomy/tidy-00000000", "autonomy/canary/demo-2026-03-02-auto-1-aaaaaaaa"
REVERT = "autonomy/revert/demo-2026-03-02-auto-1"
RUN = "demo-2026-03-02-auto-1"


def pull(state: str, branch: str = BRANCH, number: int = 3, run: str = RUN) -> PullRequest:
    return PullRequest.model_validate(
        {
            "number": number, "branch": branch, "base_branch": "main", "head_sha": HEAD, "title": "t", "body": "b",
            "state": state, "url": "u", "run_key": f"{run}/open_pull_request",
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    ("pulls", "branch", "why"),
    [
        ((pull("merged"),), BRANCH, "pull request 3 is merged"),
        ((pull("closed"),), BRANCH, "pull request 3 is closed"),
        ((pull("merged", REVERT, run=f"RB-{RUN}"),), REVERT, "pull request 3 is merged"),
        ((), CANARY, f"the canary of {RUN} is over"),
    ],
)
def test_what_has_served_its_purpose_may_go(pulls: tuple[PullRequest, ...], branch: str, why: str) -> None:
    """At the commit we put there."""
    [one] = served(pulls, {branch: HEAD, "main": HEAD}, {HEAD}, set(), {RUN})
    assert (branch, HEAD, why) == (one.branch, one.head_sha, one.why)
    assert one.run_id.removeprefix("RB-") == RUN


@pytest.mark.parametrize(
    ("pulls", "heads", "busy", "ended"),
    [
        ((pull("open"),), {BRANCH: HEAD}, set(), {RUN}),
        ((pull("open", number=4), pull("closed")), {BRANCH: HEAD}, set(), {RUN}),
        ((pull("closed"),), {BRANCH: OTHER}, set(), {RUN}),
        ((pull("closed"),), {BRANCH: HEAD}, {BRANCH}, {RUN}),
        ((), {BRANCH: HEAD}, set(), {RUN}),
        ((), {CANARY: HEAD}, set(), set()),
        ((), {CANARY: OTHER}, set(), {RUN}),
        ((pull("merged", "main"),), {"main": HEAD}, set(), {RUN}),
        ((pull("merged", "feature"),), {"feature": HEAD}, set(), {RUN}),
    ],
    ids=["open", "one open", "moved", "in use", "no pull request", "goes on", "canary moved", "base", "not ours"],
)
def test_everything_else_stays(
    pulls: tuple[PullRequest, ...], heads: dict[str, str], busy: set[str], ended: set[str]
) -> None:
    """Open, pushed to by somebody, in use by a run, without a pull request, or not below autonomy/."""
    assert () == served(pulls, heads, {HEAD}, busy, ended)
