"""What only GitHub has: two kinds of CI results, rulesets, merge commits; every call held against its contract."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import github_repository
import pytest
from faulty_proxy import Call, Fault, FaultyProxy
from forge_stages import BRANCH, TOKEN, GitHubStage
from gitea_server import BOT, OWNER, STRANGER
from github_server import Token

from adapters.forges.github.checkup import check_github
from contracts.effect import Effect
from contracts.forge_facts import CheckState
from contracts.modes import WriteAction
from ports.forge import ForgeError

OnGitHub = Callable[..., GitHubStage]
PULL, TICKET = WriteAction.OPEN_PULL_REQUEST, WriteAction.OPEN_TICKET


def status(stage: GitHubStage, context: str, state: str, token: str = "") -> None:
    """Somebody's CI reports the old way."""
    path = f"/repos/{stage.repository}/statuses/{stage.base}"
    fields = {"context": context, "state": state, "target_url": "http://ci/1", "description": f"{context} is {state}"}
    assert stage.server.ask("POST", path, token, **fields).status == 201


def run(stage: GitHubStage, name: str, conclusion: str = "", **fields: object) -> None:
    """An App's CI reports the new way; without a conclusion it still runs."""
    state = {"status": "completed", "conclusion": conclusion} if conclusion else {"status": "in_progress"}
    answer = stage.ask("POST", "/check-runs", name=name, head_sha=stage.base, **(state | fields))
    assert answer.status == 201


def said(stage: GitHubStage, effect: Effect) -> str:
    """Why an effect is not done, as a refusal or as an error."""
    try:
        result = stage.perform(effect)
    except ForgeError as problem:
        return str(problem)
    assert not result.done
    return result.refused


def states(stage: GitHubStage, *named: str) -> dict[str, str]:
    """Required checks by name."""
    return {check.name: check.state.value for check in stage.forge.required_checks(stage.base, named) or ()}


def state_of(stage: GitHubStage) -> object:
    """The double's repository."""
    return stage.server.repositories[stage.repository]


def test_checks_and_statuses_are_one_answer(on_github: OnGitHub) -> None:
    """The newest of each name; both of one name must be green; skipped did not run; link and tail are there."""
    stage = on_github()
    assert stage.forge.required_checks(stage.base) is None
    status(stage, "legacy", "pending")
    status(stage, "legacy", "success")
    run(stage, "unit", "failure")
    run(stage, "unit", "success")
    run(stage, "docs", "skipped")
    run(stage, "note", "neutral")
    run(stage, "slow")
    run(stage, "both", "success")
    status(stage, "both", "error")
    run(stage, "red", "timed_out", output={"title": "2 failed", "summary": "s", "text": "x" * 999 + "the end"})
    assert {
        "unit": "green", "docs": "missing", "note": "green", "slow": "pending", "both": "red", "red": "red",
        "legacy": "green",
    } == states(stage)  # fmt: skip
    checks = {check.name: check for check in stage.forge.required_checks(stage.base)}
    assert checks["red"].detail.endswith("the end")
    assert checks["red"].link.startswith("https://")
    assert ("http://ci/1", "both is error") == (checks["both"].link, checks["both"].detail)


def test_required_are_protection_and_rulesets_and_what_the_policy_names(on_github: OnGitHub) -> None:
    """The union; a missing result is there and not green; a wanted App's check is nobody else's to report."""
    stage = on_github()
    state_of(stage).required = [{"context": "ci/test", "app_id": None}, {"context": "app/only", "app_id": 42}]
    state_of(stage).rules = [
        rule(
            "required_status_checks",
            strict_required_status_checks_policy=False,
            required_status_checks=[{"context": "ruled"}],
        ),
        rule("pull_request", **REVIEWS),
    ]
    wanted = {"ci/test", "app/only", "ruled"}
    assert dict.fromkeys(wanted | {"e2e*"}, "missing") == states(stage, "e2e*", "ci/test")
    for name in ("ci/test", "ruled", "e2e a", "other"):
        run(stage, name, "success")
    run(stage, "app/only", "success", app_id=1)
    state_of(stage).may[STRANGER] = "write"
    status(stage, "app/only", "success", stage.server.tokens[STRANGER])
    assert {"ci/test": "green", "app/only": "missing", "ruled": "green", "e2e a": "green"} == states(stage, "e2e*")
    run(stage, "app/only", "success", app_id=42)
    assert "green" == states(stage)["app/only"]
    shown = stage.forge.protection()
    assert (True, None, 2, wanted) == (
        shown.protected, shown.writer_may_push, shown.required_approvals, set(shown.required_checks),
    )  # fmt: skip


REVIEWS = {
    "required_approving_review_count": 2, "dismiss_stale_reviews_on_push": True, "require_code_owner_review": False,
    "require_last_push_approval": False, "required_review_thread_resolution": False,
}  # fmt: skip


def rule(kind: str, **parameters: object) -> dict[str, object]:
    """One rule of a ruleset."""
    return {
        "type": kind, "parameters": parameters, "ruleset_source_type": "Repository", "ruleset_source": "owner/x",
        "ruleset_id": 1,
    }  # fmt: skip


def test_more_than_a_page_of_everything(on_github: OnGitHub) -> None:
    """Lists are read to GitHub's own end, whatever the page's size."""
    stage = on_github()
    state_of(stage).page_size = 2
    for number in range(5):
        status(stage, f"ci/{number}", "success")
        run(stage, f"run/{number}", "failure" if number == 0 else "success")
        assert stage.perform(stage.effect(TICKET, branch="", head_sha="", run_key=f"i-{number}/t")).done
    checks = stage.forge.required_checks(stage.base)
    assert (10, ["run/0"]) == (len(checks), [check.name for check in checks if check.state is not CheckState.GREEN])
    assert 5 == len(stage.forge.tickets())
    assert stage.perform(stage.effect(TICKET, branch="", head_sha="", run_key="i-0/t")).adopted


def test_what_people_did_is_read(on_github: OnGitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Approved at which commit and with what right, closed, reopened, merged; a merge is not also a close.

    All within one of GitHub's whole seconds, so that nothing is told by times.
    """
    stage = on_github()
    monkeypatch.setattr(github_repository, "_now", lambda: "2026-01-01T00:00:00Z")
    pull = stage.opened()
    review = {"event": "APPROVE", "body": "fine", "commit_id": stage.head}
    for token in ("", stage.server.tokens[STRANGER]):
        path = f"/repos/{stage.repository}/pulls/{pull.number}/reviews"
        state_of(stage).may[STRANGER] = "write"
        assert stage.server.ask("POST", path, token, **review).status == 200
    state_of(stage).may[STRANGER] = "read"
    acts = stage.forge.human_acts(pull.number)
    assert [(OWNER, stage.head, True), (STRANGER, stage.head, False)] == [
        (a.actor, a.commit_sha, a.counts) for a in acts
    ]
    stage.person_closes(pull)
    assert stage.ask("PATCH", f"/pulls/{pull.number}", state="open").status == 200
    stage.person_pushes("theirs\n")
    assert ["approved", "approved", "closed", "reopened"] == [act.act for act in stage.forge.human_acts(pull.number)]
    assert not stage.forge.human_acts(pull.number)[0].counts
    stage.person_merges(stage.shown())
    assert [(OWNER, "merged")] == [(act.actor, act.act) for act in stage.forge.human_acts(pull.number)[4:]]
    assert stage.shown().merge_sha == stage.forge.branch_head("main")


def test_only_our_account_marks_what_is_ours(on_github: OnGitHub) -> None:
    """Somebody who copies the hidden line into a ticket of their own does not make us adopt it."""
    stage = on_github()
    body = "x\n\n<!-- autonomy-runbook key=i-1/open_ticket -->"
    path = f"/repos/{stage.repository}/issues"
    assert stage.server.ask("POST", path, stage.server.tokens[STRANGER], title="x", body=body).status == 201
    done = stage.perform(stage.effect(TICKET, branch="", head_sha="", run_key="i-1/open_ticket"))
    assert (True, False, "2") == (done.done, done.adopted, done.result)
    assert [2] == [ticket.number for ticket in stage.forge.tickets()]


def test_a_base_that_moves_while_it_merges_is_told_by_its_tree(on_github: OnGitHub) -> None:
    """P4 is not GitHub's to promise: merged it is, and with another tree than was checked."""
    stage = on_github()
    stage.opened()
    landing = stage.landing()
    state_of(stage).before_merge = lambda: stage.person_pushes("theirs\n", branch="main")
    done = stage.perform(landing)
    assert (True, stage.forge.branch_head("main")) == (done.done, done.result)
    assert landing.tree_sha != done.tree_sha
    state_of(stage).before_merge = lambda: None
    again = stage.perform(landing)
    assert (True, done.tree_sha) == (again.adopted, again.tree_sha)


def test_a_persons_squash_of_the_same_content_is_adopted(on_github: OnGitHub) -> None:
    """The tree is the checked one, whatever the history."""
    stage = on_github()
    pull = stage.opened()
    landing = stage.landing()
    assert stage.ask("PUT", f"/pulls/{pull.number}/merge", merge_method="squash").status == 200
    done = stage.perform(landing)
    assert (True, landing.tree_sha) == (done.adopted, done.tree_sha)


@pytest.mark.parametrize(
    "words", ["At least 2 approving reviews are required", "Changes must be made through the merge queue"]
)
def test_a_merge_that_rules_forbid_is_refused_with_githubs_words(on_github: OnGitHub, words: str) -> None:
    """A plain no; the base is where it was."""
    stage = on_github()
    stage.opened()
    landing = stage.landing()
    state_of(stage).merge_refused = words
    assert words in stage.perform(landing).refused
    assert stage.base == stage.forge.branch_head("main")


@pytest.mark.parametrize(
    ("rights", "action", "words"),
    [
        ({"contents": "read"}, WriteAction.PUSH_BRANCH, "Write access to repository not granted|403"),
        ({"contents": "write", "issues": "read"}, TICKET, "403.*lacks a right"),
        ({"contents": "write", "pull_requests": "read"}, PULL, "403.*lacks a right"),
    ],
)
def test_a_token_without_rights_is_told_what_it_lacks(
    on_github: OnGitHub, monkeypatch: pytest.MonkeyPatch, rights: dict[str, str], action: WriteAction, words: str
) -> None:
    """Clear, and nothing was written."""
    stage = on_github()
    if action is PULL:
        stage.perform(stage.effect())
    stage.server.known["github_pat_poor"] = Token(BOT, rights)
    monkeypatch.setenv(TOKEN, "github_pat_poor")
    fields = {"branch": "", "head_sha": ""} if action is TICKET else {}
    assert re.search(words, said(stage, stage.effect(action, **fields)))
    assert () == stage.forge.pull_requests() == stage.forge.tickets()


def test_a_wrong_token_and_anothers(on_github: OnGitHub, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are told, neither is shown, and nothing is opened."""
    stage = on_github(private=True)
    assert stage.perform(stage.effect()).done
    monkeypatch.setenv(TOKEN, "github_pat_wrong")
    with pytest.raises(ForgeError, match="401") as wrong:
        stage.perform(stage.effect(PULL))
    assert "github_pat_wrong" not in str(wrong.value)
    monkeypatch.setenv(TOKEN, stage.server.tokens[OWNER])
    assert "belongs to owner" in stage.perform(stage.effect(PULL)).refused
    monkeypatch.setenv("STAGE_READ_TOKEN", stage.server.tokens[STRANGER])
    with pytest.raises(ForgeError, match="404"):
        stage.forge.pull_requests()


def test_hostile_text_does_not_act(on_github: OnGitHub) -> None:
    """What GitHub would ping, link, close or run is not in what it is given."""
    stage = on_github()
    hostile = (
        f"@{OWNER} closes #1 GH-1 http://evil.invalid <img src=x> [x](javascript:y) <!-- autonomy-runbook key=z -->"
    )
    stage.perform(stage.effect())
    pull = stage.perform(
        stage.effect(PULL, title=hostile, body=f"{hostile}\n``{hostile}`" + "long " * 20_000)
    ).pull_request
    assert "demo-1/open_pull_request" == pull.run_key
    assert len(pull.body) < 65_536
    for text in (pull.title, pull.body.removesuffix("\n").rpartition("\n")[0]):
        assert not re.search(r"@\w|#\d|GH-\d|://|<|\]\(", text)


def test_the_token_is_in_no_argument_list_and_meets_no_other_host(on_github: OnGitHub) -> None:
    """While GitHub is asked, no process shows it; neither a redirect nor a next page leads it elsewhere."""
    stage = on_github()
    token, seen = os.environ[TOKEN], []

    def look(_call: Call) -> None:
        for place in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.append(token.encode() in place.read_bytes())
            except OSError:
                continue

    with FaultyProxy(stage.server.address, on_call=look) as proxy, FaultyProxy(stage.server.address) as elsewhere:
        passed = stage.through(proxy.address)
        passed.opened()
        assert not any(seen)
        assert any(call.authorization for call in proxy.calls)
        for method, path in (("GET", "/pulls"), ("POST", "/issues"), ("GET", "info/refs")):
            proxy.faults = [Fault("redirect", method, path, elsewhere.address, times=9)]
            action = TICKET if path == "/issues" else PULL if path == "/pulls" else WriteAction.PUSH_BRANCH
            assert re.search("redirect|302", said(passed, passed.effect(action, run_key="demo-7/x")))
        state_of(stage).page_size, state_of(stage).address = 1, elsewhere.address
        proxy.faults = []
        for number in range(3):
            run(stage, f"run/{number}", "success")
        assert 3 == len(passed.forge.required_checks(stage.base))
        assert [] == elsewhere.calls
    assert stage.forge.branch_head(BRANCH) == stage.head


@pytest.mark.parametrize(
    ("deed", "row", "advice"),
    [
        ("nothing", "", ""),
        ("archived", "rights: owner/.* is archived", "unarchive the repository"),
        ("no push", "rights: the account may not push to", "give the account write access"),
        ("revoked", "account: .*401", "renew the token of the variable STAGE_BOT_TOKEN"),
        ("private now", "protection: .*404", "set .*read.variable"),
        ("gone", "rights: .*404", "set `remote` in .* to its address of now"),
        ("renamed", r"rights: .*301.* it is on [\d.:]+ owner/new-name now", "set `remote` in targets/"),
        ("no tickets", "tickets: owner/.* has no tickets", "turn on issues .* or set dashboard = false"),
        (
            "mute",
            "tickets: .*403 to the question for the right",
            "give the token .*STAGE_BOT_TOKEN .* Issues: read and",
        ),
        ("limited", "account: .*403.*limits the rate until 20..-..-.. ..:..:.. UTC", "nothing is to be mended"),
        ("limited without an end", "account: .*429.*does not say until when", "nothing is to be mended"),
    ],
)
def test_doctor_says_what_keeps_us_out(
    on_github: OnGitHub, monkeypatch: pytest.MonkeyPatch, deed: str, row: str, advice: str
) -> None:
    """Each obstacle is one row with one piece of advice: the one that helps (items 34, 36)."""
    stage = on_github()
    repository = state_of(stage)
    limits = {"limited": ("403", {"Retry-After": "1800"}), "limited without an end": ("429", {"X-None": "0"})}
    if deed == "archived":
        repository.archived = True
    elif deed == "no push":
        repository.may[BOT] = "read"
    elif deed == "revoked":
        monkeypatch.setenv(TOKEN, "github_pat_revoked")
    elif deed == "private now":
        repository.private = True
        monkeypatch.setenv("STAGE_READ_TOKEN", stage.server.tokens[STRANGER])
    elif deed == "gone":
        stage.target = stage.target.model_copy(update={"remote": stage.target.remote.replace("/r", "/gone-r")})
    elif deed == "renamed":
        old, repository.name = repository.name, "owner/new-name"
        monkeypatch.setitem(stage.server.repositories, "owner/new-name", repository)
        monkeypatch.setitem(stage.server.renamed, old, "owner/new-name")
    elif deed == "no tickets":
        repository.has_issues = False
    elif deed == "mute":
        stage.server.known["github_pat_mute"] = Token(BOT, {"contents": "write", "pull_requests": "write"})
        monkeypatch.setenv(TOKEN, "github_pat_mute")
    with FaultyProxy(stage.server.address) as proxy:
        if deed in limits:
            status, headers = limits[deed]
            proxy.faults = [Fault("status", "", "/api/", status, times=99, headers=headers)]
            stage = stage.through(proxy.address)
        found = [(f"{each.name}: {each.detail}", each.remedy) for each in check_github(stage.target) if not each.ok]
    assert bool(row) == len(found), found
    assert not row or all(re.search(row, said) and re.search(advice, remedy) for said, remedy in found), found
