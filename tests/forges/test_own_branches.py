"""A protection that covers our own branches is told before the first run: one row, one cure (item 35)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from faulty_proxy import Fault, FaultyProxy
from forge_stages import BRANCH, GiteaStage, GitHubStage
from gitea_server import BOT

from adapters.forges.gitea.checkup import check_gitea
from adapters.forges.github.checkup import check_github

OnGitHub = Callable[..., GitHubStage]
OnGitea = Callable[..., GiteaStage]

_UNKNOWN = r"autonomy/\*\* is a protected branch, and could not find out whether it takes pushes of bot"


def rule(kind: str, ruleset: int = 7) -> dict[str, Any]:
    """One rule of a ruleset, as GitHub lists it of a branch."""
    more = {"parameters": {"operator": "contains", "pattern": "JIRA"}} if kind.endswith("pattern") else {}
    return more | {
        "type": kind,
        "ruleset_source_type": "Organization",
        "ruleset_source": "owner",
        "ruleset_id": ruleset,
    }


@pytest.mark.parametrize(
    ("rules", "more", "row"),
    [
        ([], {}, ""),
        (["deletion", "non_fast_forward"], {}, ""),
        (["creation", "update"], {}, r"a ruleset lets bot push no autonomy/\*\*: creation, update"),
        (["pull_request"], {}, r"a ruleset lets bot push no autonomy/\*\*: pull_request"),
        (["creation"], {"ruled": "autonomy/**"}, r"lets bot push no autonomy/\*\*: creation"),
        (["creation"], {"ruled": "main"}, ""),
        (["creation"], {"bypassed": {7: "always"}}, ""),
        (["creation"], {"bypassed": {7: "pull_requests_only"}}, r"lets bot push no autonomy/\*\*: creation"),
        (
            ["commit_message_pattern"],
            {},
            r"could not find out whether .* autonomy/\*\* under a ruleset: commit_message",
        ),
    ],
)
def test_rulesets_of_github(on_github: OnGitHub, rules: list[str], more: dict[str, Any], row: str) -> None:
    """Asked for the name of a branch that need not be there; who may pass is asked, too."""
    stage = on_github()
    state = stage.server.repositories[stage.repository]
    state.rules = [rule(kind) for kind in rules]
    for name, value in more.items():
        setattr(state, name, value)
    sick = [found for found in check_github(stage.target) if not found.ok]
    assert [bool(re.search(row, found.detail)) for found in sick] == [True] * bool(row), sick
    assert all("ruleset 7 of owner" in found.remedy and "autonomy/**" in found.remedy for found in sick)
    assert {found.name for found in sick} <= {"branches"}


def test_classic_protection_of_github_is_seen_on_a_branch_of_ours_alone(on_github: OnGitHub) -> None:
    """Nobody but administrators sees its patterns: without such a branch that is said, and not called fine."""
    stage = on_github()
    stage.server.repositories[stage.repository].guarded = "autonomy/*"
    (told,) = [found for found in check_github(stage.target) if "autonomy/**" in found.detail]
    assert "could not find out" in told.detail
    stage.person_pushes("x\n", branch=BRANCH)
    (sick,) = [found for found in check_github(stage.target) if not found.ok]
    assert f"{BRANCH} is protected" in sick.detail
    assert "could not find out" in sick.detail
    assert "let bot push to autonomy/** in the forge's branch protection" == sick.remedy


@pytest.mark.parametrize(
    ("name", "options", "with_branch", "row"),
    [
        ("main", {}, False, ""),
        ("autonomy/*", {}, False, _UNKNOWN),
        ("**", {}, False, _UNKNOWN),
        ("*", {}, False, ""),
        ("autonomy/**", {}, True, "takes no push of bot"),
        ("autonomy/**", {"enable_push": True, "enable_push_whitelist": True}, True, "takes no push of bot"),
        (
            "autonomy/**",
            {"enable_push": True, "enable_push_whitelist": True, "push_whitelist_usernames": [BOT]},
            True,
            "",
        ),
    ],
)
def test_protections_of_gitea(
    on_gitea: OnGitea, name: str, options: dict[str, Any], with_branch: bool, row: str
) -> None:
    """Their list is for administrators; that there is one, and what a branch of ours takes, is told to all."""
    stage = on_gitea()
    if with_branch:
        stage.person_pushes("x\n", branch=BRANCH)
    assert 201 == stage.ask("POST", "/branch_protections", rule_name=name, **options).status
    sick = [found for found in check_gitea(stage.target) if not found.ok]
    assert [bool(re.search(row, found.detail)) for found in sick] == [True] * bool(row), sick
    assert {"let bot push to autonomy/** in the forge's branch protection"} >= {found.remedy for found in sick}
    assert bool(with_branch) == (200 == stage.ask("GET", f"/branches/{BRANCH}").status)


@pytest.mark.parametrize(("kind", "method", "path"), [("github", "GET", "/rules/"), ("gitea", "DELETE", "/branches/")])
def test_not_found_out_is_said(request: pytest.FixtureRequest, kind: str, method: str, path: str) -> None:
    """A forge that fails here alone leaves a row that says so."""
    stage = request.getfixturevalue(f"on_{kind}")()
    with FaultyProxy(stage.server.address) as proxy:
        proxy.faults = [Fault("status", method, path, "500", times=99)]
        check = check_gitea if kind == "gitea" else check_github
        sick = [found for found in check(stage.through(proxy.address).target) if not found.ok]
    assert ["branches"] == [found.name for found in sick], sick
    assert "could not find out" in sick[0].detail
    assert "answered 500" in sick[0].detail
    assert "see whether the forge is up" in sick[0].remedy
