"""What only a forge with people, rights and CI can do: on a real Gitea."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from faulty_proxy import Call, Fault, FaultyProxy
from forge_stages import BRANCH, TOKEN, GiteaStage, soon
from gitea_server import BOT, BOT_SCOPES, OWNER, STRANGER

from activities.step_session import closed
from contracts.effect import Effect
from contracts.forge_facts import CheckState
from contracts.modes import WriteAction
from ports.forge import AccessDenied, ForgeError
from ports.repository import RemoteForbids

OnGitea = Callable[..., GiteaStage]
PULL, TICKET = WriteAction.OPEN_PULL_REQUEST, WriteAction.OPEN_TICKET


def status(stage: GiteaStage, context: str, state: str) -> None:
    """A person's CI reports."""
    answer = stage.ask("POST", f"/statuses/{stage.base}", context=context, state=state, target_url="http://ci/1")
    assert answer.status == 201, answer


def said(stage: GiteaStage, effect: Effect) -> str:
    """Why an effect is not done, as a refusal or as an error."""
    try:
        result = stage.perform(effect)
    except ForgeError as problem:
        return str(problem)
    assert not result.done
    return result.refused


def protect(stage: GiteaStage, **how: object) -> None:
    """The owner protects the base; nobody pushes."""
    answer = stage.ask("POST", "/branch_protections", rule_name="main", enable_push=False, **how)
    assert answer.status == 201, answer


def test_required_checks_are_those_of_branch_protection(on_gitea: OnGitea) -> None:
    """A missing result is there and not green; the last word of a check counts (§6.2)."""
    stage = on_gitea()
    protect(stage, enable_status_check=True, status_check_contexts=["ci/test", "lint*"], required_approvals=2)
    status(stage, "ci/test", "pending")
    status(stage, "other", "failure")
    checks = stage.forge.required_checks(stage.base)
    assert [("ci/test", CheckState.PENDING), ("lint*", CheckState.MISSING)] == [(c.name, c.state) for c in checks]
    status(stage, "ci/test", "success")
    for name in ("lint-a", "lint-b"):
        status(stage, name, "success" if name == "lint-a" else "failure")
    checks = stage.forge.required_checks(stage.base)
    assert {"ci/test": "green", "lint-a": "green", "lint-b": "red"} == {c.name: c.state.value for c in checks}
    assert "http://ci/1" == checks[0].link
    shown = stage.forge.protection()
    assert (True, 2, ("ci/test", "lint*")) == (shown.protected, shown.required_approvals, shown.required_checks)


def test_without_protection_every_reported_check_counts(on_gitea: OnGitea) -> None:
    """More checks than a page holds are all read."""
    stage = on_gitea()
    for number in range(53):
        status(stage, f"ci/{number}", "failure" if number == 0 else "success")
    checks = stage.forge.required_checks(stage.base)
    assert 53 == len(checks)
    assert ["ci/0"] == [check.name for check in checks if check.state is not CheckState.GREEN]


def test_a_protected_base_still_takes_pull_requests(on_gitea: OnGitea) -> None:
    """Nothing is pushed to it anyway."""
    stage = on_gitea()
    protect(stage)
    assert "open" == stage.opened().state


@pytest.mark.parametrize(
    ("deed", "words"),
    [
        ("revoked", "To mend it: renew the token of the variable STAGE_BOT_TOKEN"),
        ("archived", "To mend it: unarchive the repository"),
        ("renamed", "To mend it: set `remote` in targets/demo.toml to the repository's address of now"),
        ("protected", "To mend it: let bot push to autonomy/** in the forge's branch protection"),
        ("unpermitted", "To mend it: give bot the right to write"),
        ("another's", "To mend it: give the variable STAGE_BOT_TOKEN a token of bot"),
    ],
)
def test_what_is_no_fault_of_the_change_is_told_with_its_cure(
    on_gitea: OnGitea, monkeypatch: pytest.MonkeyPatch, deed: str, words: str
) -> None:
    """Token, archive, address, protection, right: an obstacle, in the forge's words, for a person to mend."""
    stage = on_gitea(bot_may="read" if deed == "unpermitted" else "write")
    if deed == "another's":
        assert stage.perform(stage.effect()).done
        monkeypatch.setenv(TOKEN, stage.server.tokens[OWNER])
    elif deed == "revoked":
        monkeypatch.setenv(TOKEN, "0" * 40)
    elif deed == "protected":
        stage.ask("POST", "/branch_protections", rule_name="autonomy/**", enable_push=False)
    elif deed != "unpermitted":
        stage.ask("PATCH", "", **{"archived": {"archived": True}, "renamed": {"name": "moved-away"}}[deed])
    try:
        result = stage.perform(stage.effect(PULL if deed == "another's" else WriteAction.PUSH_BRANCH))
    except AccessDenied as problem:
        told = str(problem)
    else:
        assert (False, True) == (result.done, result.obstacle), result
        told = result.refused
    assert words in str(closed(told, stage.target))


@pytest.mark.parametrize("deed", ["private", "renamed", "base renamed"])
def test_reading_tells_a_closed_repository_from_a_missing_branch(on_gitea: OnGitea, deed: str) -> None:
    """404 and a redirect: which token, which address; a base that is gone is another matter."""
    stage = on_gitea()
    name = f"moved-{stage.repository.split('/')[1]}"
    if deed == "base renamed":
        assert stage.ask("PATCH", "/branches/main", name="trunk").status < 300
    else:
        stage.ask("PATCH", "", **({"private": True} if deed == "private" else {"name": name}))
    with pytest.raises(ForgeError) as problem:
        stage.forge.protection()
    assert (deed != "base renamed") == isinstance(problem.value, AccessDenied)
    told = str(closed(str(problem.value), stage.target))
    if deed == "private":
        assert "[forge_access] read.variable of targets/demo.toml (none is named) to a token that may read" in told
        with pytest.raises(RemoteForbids):
            stage.mirror.fetch_base()
    if deed == "renamed":
        assert f"it is {OWNER}/{name} now" in told


def test_a_branch_protected_against_us_is_refused_with_the_forges_words(on_gitea: OnGitea) -> None:
    """A rule over autonomy/** that leaves the bot out."""
    stage = on_gitea()
    assert stage.ask("POST", "/branch_protections", rule_name="autonomy/**", enable_push=False).status == 201
    quick = stage.perform(stage.effect())
    assert "refused the push" in quick.refused
    stage.server.own_hooks(stage.repository)
    assert quick.refused == stage.perform(stage.effect()).refused
    assert stage.forge.branch_head(BRANCH) is None


def test_giteas_own_hooks_let_through_what_the_quick_ones_do(on_gitea: OnGitea) -> None:
    """A push that is allowed, and the pull request that follows a branch's next one."""
    stage = on_gitea()
    stage.server.own_hooks(stage.repository)
    opened = stage.opened()
    moved = stage.person_pushes("theirs\n")
    soon(lambda: moved == stage.ask("GET", f"/pulls/{opened.number}").content["head"]["sha"])


def test_what_people_did_is_read(on_gitea: OnGitea) -> None:
    """Approved at which commit, closed, reopened, merged, and by whom; a stale approval does not count."""
    stage = on_gitea()
    protect(stage, dismiss_stale_approvals=True)
    pull = stage.opened()
    review = {"event": "APPROVED", "body": "fine", "commit_id": stage.head}
    assert stage.ask("POST", f"/pulls/{pull.number}/reviews", **review).status == 200
    acts = stage.forge.human_acts(pull.number)
    assert [(OWNER, "approved", stage.head, True)] == [(a.actor, a.act, a.commit_sha, a.counts) for a in acts]
    stage.person_closes(pull)
    assert stage.ask("PATCH", f"/pulls/{pull.number}", state="open").status == 201
    stage.person_pushes("theirs\n")
    soon(lambda: not stage.forge.human_acts(pull.number)[0].counts)
    assert ["approved", "closed", "reopened"] == [act.act for act in stage.forge.human_acts(pull.number)]
    stage.person_merges(stage.shown())
    assert (OWNER, "merged") == (stage.forge.human_acts(pull.number)[-1].actor, stage.shown().state)
    assert stage.shown().merge_sha == stage.forge.branch_head("main")


def test_only_our_account_marks_what_is_ours(on_gitea: OnGitea, gitea) -> None:
    """Somebody who copies the hidden line into a ticket of their own does not make us adopt it."""
    stage = on_gitea()
    line = "<!-- autonomy-runbook key=i-1/open_ticket -->"
    token = gitea.token(STRANGER, "all")
    assert gitea.ask("POST", f"/repos/{stage.repository}/issues", token, title="x", body=f"x\n\n{line}").status == 201
    done = stage.perform(stage.effect(TICKET, branch="", head_sha="", run_key="i-1/open_ticket"))
    assert (True, False, "2") == (done.done, done.adopted, done.result)
    assert [2] == [ticket.number for ticket in stage.forge.tickets()]


def test_more_pull_requests_than_a_page(on_gitea: OnGitea) -> None:
    """Ours is found behind fifty others; a deleted one is gone."""
    stage = on_gitea()
    first = stage.opened()
    for number in range(51):
        ticket = stage.server.ask(
            "POST", f"/repos/{stage.repository}/issues", stage.server.tokens[BOT], title=f"t{number}"
        )
        assert ticket.status == 201
    done = stage.perform(stage.effect(TICKET, branch="", head_sha="", run_key="i-1/t"))
    assert stage.perform(stage.effect(TICKET, branch="", head_sha="", run_key="i-1/t")).result == done.result
    assert stage.ask("DELETE", f"/issues/{first.number}").status == 204
    assert () == stage.forge.pull_requests()


@pytest.mark.parametrize(
    ("scopes", "action", "words"),
    [
        ("read:repository,read:issue,read:user", WriteAction.PUSH_BRANCH, "403"),
        ("write:repository,read:issue,read:user", TICKET, "write:issue"),
        ("write:repository,write:issue", PULL, "read:user"),
    ],
)
def test_a_token_without_rights_is_told_what_it_lacks(
    on_gitea: OnGitea, monkeypatch: pytest.MonkeyPatch, scopes: str, action: WriteAction, words: str
) -> None:
    """Clear, by name, and nothing was written."""
    stage = on_gitea()
    if action is PULL:
        stage.perform(stage.effect())
    monkeypatch.setenv(TOKEN, stage.server.token(BOT, scopes))
    fields = {"branch": "", "head_sha": ""} if action is TICKET else {}
    assert words in said(stage, stage.effect(action, **fields))
    assert () == stage.forge.pull_requests() == stage.forge.tickets()


def test_an_account_without_rights_is_refused(on_gitea: OnGitea) -> None:
    """The bot may only read this repository: the push says so."""
    stage = on_gitea(bot_may="read")
    assert re.search("permission denied for writing", said(stage, stage.effect()))
    assert stage.forge.branch_head(BRANCH) is None


def test_a_wrong_token_and_a_missing_one(on_gitea: OnGitea, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are named; the wrong token itself is not in the message."""
    stage = on_gitea()
    stage.perform(stage.effect())
    monkeypatch.setenv(TOKEN, "f" * 40)
    with pytest.raises(ForgeError, match="401") as wrong:
        stage.perform(stage.effect(PULL))
    assert "f" * 40 not in str(wrong.value)
    monkeypatch.delenv(TOKEN)
    with pytest.raises(ForgeError, match=TOKEN):
        stage.perform(stage.effect(PULL))


def test_anothers_token_opens_nothing(on_gitea: OnGitea, monkeypatch: pytest.MonkeyPatch) -> None:
    """Adoption looks for the account's; a token of somebody else would open everything twice."""
    stage = on_gitea()
    stage.perform(stage.effect())
    monkeypatch.setenv(TOKEN, stage.server.token(OWNER, BOT_SCOPES))
    assert "belongs to owner" in stage.perform(stage.effect(PULL)).refused
    assert () == stage.forge.pull_requests()


def test_a_private_repository_is_read_with_the_reading_token(
    on_gitea: OnGitea, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole stage works; without the token nothing is concluded."""
    stage = on_gitea(private=True)
    pull = stage.opened()
    assert stage.perform(stage.effect(PULL), look_only=True).adopted
    assert pull == stage.shown()
    monkeypatch.setenv("STAGE_READ_TOKEN", "f" * 40)
    for ask in (stage.forge.pull_requests, lambda: stage.forge.branch_head("main")):
        with pytest.raises(ForgeError):
            ask()


def test_the_token_is_in_no_argument_list_and_meets_no_other_host(
    on_gitea: OnGitea, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the forge is asked, no process shows it; a redirect to another host is not followed."""
    stage = on_gitea()
    token, seen = os.environ[TOKEN], []

    def look(_call: Call) -> None:
        for place in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                seen.append(token.encode() in place.read_bytes())
            except OSError:
                continue

    with FaultyProxy(stage.server.address, on_call=look) as proxy, FaultyProxy(stage.server.address) as elsewhere:
        passed = stage.through(proxy.address)
        passed.jailed = True
        passed.opened()
        assert not any(seen)
        assert any(call.authorization for call in proxy.calls)
        for method, path in (("GET", "/pulls"), ("POST", "/issues"), ("GET", "info/refs")):
            proxy.faults = [Fault("redirect", method, path, elsewhere.address, times=9)]
            action = TICKET if path == "/issues" else PULL if path == "/pulls" else WriteAction.PUSH_BRANCH
            effect = passed.effect(action, run_key="demo-7/x")
            assert re.search("redirect|302", said(passed, effect))
        assert [] == elsewhere.calls


def test_hostile_text_does_not_act(on_gitea: OnGitea) -> None:
    """A title and a body that ping, link, close and inject, as Gitea itself renders them."""
    stage = on_gitea()
    issue = stage.ask("POST", "/issues", title="keep me open").content["number"]
    hostile = (
        f"@{OWNER} closes #{issue} http://evil.invalid <img src=x> [x](javascript:y) <!-- autonomy-runbook key=z -->"
    )
    stage.perform(stage.effect())
    done = stage.perform(stage.effect(PULL, title=f"WIP: {hostile}", body=f"{hostile}\n``{hostile}`"))
    pull = done.pull_request
    assert "demo-1/open_pull_request" == pull.run_key
    rendered = stage.server.ask(
        "POST", "/markup", Text=pull.body + "\n" + pull.title, Mode="comment", Context=f"/{stage.repository}"
    )
    assert "<a" not in str(rendered.content)
    assert "<img" not in str(rendered.content)
    assert not stage.ask("GET", f"/pulls/{pull.number}").content["draft"]
    stage.person_merges(pull)
    assert "open" == stage.ask("GET", f"/issues/{issue}").content["state"]
