"""Landing by pull request on a real Gitea: what people, protection and settings say to it (P4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from faulty_proxy import Fault, FaultyProxy
from forge_stages import BRANCH, TOKEN, GiteaStage, soon
from gitea_server import BOT, OWNER, STRANGER

from contracts.effect import Effect
from contracts.modes import WriteAction
from ports.forge import ForgeError

OnGitea = Callable[..., GiteaStage]


@pytest.fixture
def protected(on_gitea: OnGitea) -> Callable[..., tuple[GiteaStage, Effect]]:
    """A stage whose base takes nobody's push, and a merge that only has to be asked for."""

    def made(**protection: object) -> tuple[GiteaStage, Effect]:
        stage = on_gitea()
        answer = stage.ask("POST", "/branch_protections", rule_name="main", enable_push=False, **protection)
        assert answer.status == 201, answer
        stage.opened()
        return stage, stage.landing()

    return made


Protected = Callable[..., tuple[GiteaStage, Effect]]


def refused(stage: GiteaStage, landing: Effect) -> str:
    """Why it did not land; and it did not."""
    result = stage.perform(landing)
    assert not result.done
    assert stage.base == stage.forge.branch_head("main")
    return result.refused


def test_a_base_that_takes_no_push_takes_the_pull_request(protected: Protected) -> None:
    """The base is exactly the checked commit; the pull request shows that we merged it."""
    stage, landing = protected()
    assert "refused the push" in refused(stage, landing.model_copy(update={"pull_branch": ""}))
    done = stage.done(landing)
    assert (landing.head_sha, landing.tree_sha) == (done.result, done.tree_sha)
    assert landing.head_sha == stage.forge.branch_head("main")
    assert ("merged", landing.head_sha) == (stage.shown().state, stage.shown().merge_sha)
    assert [(BOT, "merged")] == [(act.actor, act.act) for act in stage.forge.human_acts(stage.shown().number)]


def test_a_repository_without_fast_forward_says_which_setting(protected: Protected) -> None:
    """A clear no, and what to change."""
    stage, landing = protected()
    assert stage.ask("PATCH", "", allow_fast_forward_only_merge=False).status == 200
    assert "allow_fast_forward_only_merge" in refused(stage, landing)


FORBIDS: tuple[tuple[dict[str, object], str], ...] = (
    ({"required_approvals": 1}, "not have enough approvals"),
    ({"enable_status_check": True, "status_check_contexts": ["ci/test"]}, "required status checks"),
    ({"enable_merge_whitelist": True, "merge_whitelist_usernames": [OWNER]}, "allowlist"),
    ({"protected_file_patterns": "a.txt"}, "protected files"),
)


def test_what_protection_forbids_is_refused_in_its_words(protected: Protected) -> None:
    """No is no at once, and not "later" for a day."""
    stage, landing = protected()
    for protection, words in FORBIDS:
        assert 204 == stage.ask("DELETE", "/branch_protections/main").status
        made = stage.ask("POST", "/branch_protections", rule_name="main", enable_push=False, **protection)
        assert 201 == made.status, made
        assert words in refused(stage, landing)


def test_a_change_that_somebody_wants_is_refused(protected: Protected) -> None:
    """Where protection blocks on rejected reviews."""
    stage, landing = protected(block_on_rejected_reviews=True)
    review = {"event": "REQUEST_CHANGES", "body": "no", "commit_id": landing.head_sha}
    assert stage.ask("POST", f"/pulls/{stage.shown().number}/reviews", **review).status == 200
    assert "requested changes" in refused(stage, landing)


def test_an_objection_that_was_dismissed_is_none(protected: Protected) -> None:
    """Taken back by somebody who may; until then it is one, also when a newer head made it stale."""
    stage, _ = protected()
    number = stage.shown().number
    review = {"event": "REQUEST_CHANGES", "body": "no", "commit_id": stage.head}
    said = stage.ask("POST", f"/pulls/{number}/reviews", **review)
    assert ["changes_requested"] == [act.act for act in stage.forge.human_acts(number)]
    taken = stage.ask("POST", f"/pulls/{number}/reviews/{said.content['id']}/dismissals", message="never mind")
    assert taken.status == 200
    assert () == stage.forge.human_acts(number)


@pytest.mark.parametrize("deed", ["close", "push", "delete"])
def test_what_a_person_did_to_it_is_respected(protected: Protected, deed: str) -> None:
    """Closed, force-pushed, deleted: refused by name."""
    stage, landing = protected()
    if deed == "close":
        stage.person_closes(stage.shown())
    elif deed == "push":
        stage.person_pushes("theirs\n")
    else:
        stage.person_deletes()
    words = {"close": "a person closed", "push": "the head moved", "delete": "is at nothing"}[deed]
    assert words in refused(stage, landing)


def test_a_persons_squash_is_not_ours(on_gitea: OnGitea) -> None:
    """The base moved, and holds something that nobody checked."""
    stage = on_gitea()
    stage.opened()
    landing = stage.landing()
    answer = stage.ask("POST", f"/pulls/{stage.shown().number}/merge", Do="squash")
    while answer.status == 405:
        answer = stage.ask("POST", f"/pulls/{stage.shown().number}/merge", Do="squash")
    assert "someone moved it" in stage.perform(landing).refused


def test_a_token_without_rights_lands_nothing(protected: Protected, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clear, by name."""
    stage, landing = protected()
    monkeypatch.setenv(TOKEN, stage.server.token(BOT, "read:repository,read:issue,read:user"))
    assert "write:repository" in refused(stage, landing)
    monkeypatch.setenv(TOKEN, stage.server.token(STRANGER, "all"))
    assert "right" in refused(stage, landing)


def test_a_merge_that_is_hung_up_on_in_the_middle_is_adopted(protected: Protected) -> None:
    """The base moved, and Gitea has not written down why: done, by git's word; the pull request is merged later."""
    stage, landing = protected()
    hooks = stage.server.own_hooks(stage.repository)
    slow, hanging = hooks / "post-receive.d" / "a-slow", stage.home / "hanging"
    slow.write_text(f"#!/bin/sh\ncat >/dev/null\nwhile [ -e '{hanging}' ]; do sleep 0.2; done\n")
    slow.chmod(0o755)
    hanging.touch()
    with pytest.raises(ForgeError, match="killed when its clearance ended"):
        stage.perform(landing, seconds=12)
    assert landing.head_sha == stage.forge.branch_head("main")
    assert stage.perform(landing).adopted
    hanging.unlink()
    soon(lambda: "merged" == stage.shown().state)


@pytest.fixture
def proxied(on_gitea: OnGitea) -> Iterator[tuple[GiteaStage, FaultyProxy]]:
    """A stage whose remote and API are behind the proxy."""
    stage = on_gitea()
    with FaultyProxy(stage.server.address) as proxy:
        yield stage.through(proxy.address), proxy


UNCLEAR = ("cut_before", "cut_after", "fail_before", "fail_after", "half")
IN_MAKE_TEST = {("merge", "cut_after"), ("merge", "fail_before"), ("merge", "half")}
IN_MAKE_TEST |= {("PATCH", "fail_after"), ("tickets", "cut_before")}
"""Each kind and each call once; the others are swept."""


@pytest.mark.parametrize(
    ("call", "kind"),
    [
        pytest.param(call, kind, marks=() if (call, kind) in IN_MAKE_TEST else pytest.mark.sweep)
        for call in ("merge", "PATCH", "tickets")
        for kind in UNCLEAR
    ],
)
def test_an_unclear_answer_is_looked_up(proxied: tuple[GiteaStage, FaultyProxy], kind: str, call: str) -> None:
    """Merged, updated, opened once, whatever was answered."""
    stage, proxy = proxied
    stage.opened()
    if call == "merge":
        fault, effect = Fault(kind, "POST", "/merge$"), stage.landing()
    elif call == "PATCH":
        opened = "demo-1/open_pull_request"
        fault = Fault(kind, "PATCH", "/pulls/")
        effect = stage.effect(WriteAction.UPDATE_PULL_REQUEST, title="other", record_key=opened)
    else:
        fields = {"branch": "", "head_sha": "", "record_key": "board/demo"}
        fault, effect = Fault(kind, "POST", "/issues$"), stage.effect(WriteAction.UPDATE_TICKET, **fields)
    proxy.faults = [fault]
    assert stage.done(effect).done
    assert 0 == fault.times
    assert stage.perform(effect).adopted
    assert 1 == len(stage.ask("GET", f"/issues?state=all&type={'issues' if call == 'tickets' else 'pulls'}").content)
    assert BRANCH == stage.shown().branch
