"""GitHub's own published examples, served by Prism: every answer that we read is one that we can read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from github_contract import Description, Prism

from adapters.forges.github import client
from adapters.forges.github.api import GitHubRepository
from adapters.forges.github.client import GitHubApi
from ports.forge import ForgeError

SHA = "6dcb09b5b57875f334f61aebed695e2e4193db5e"


@pytest.fixture(scope="module")
def mock(contract: Description, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prism]:
    """Prism alone: it answers with examples, and with 422 to what the description forbids."""
    prism = Prism(tmp_path_factory.mktemp("mock"), contract)
    yield prism
    prism.stop()


@pytest.fixture
def octocat(mock: Prism) -> GitHubRepository:
    """The repository of the examples."""
    return GitHubRepository(mock.address, "octocat/Hello-World", "octocat", "token")


def test_every_published_example_is_read(octocat: GitHubRepository, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the facts that the examples hold; the example of a list always names a next page."""
    monkeypatch.setattr(client, "_following", lambda _link: None)
    assert "octocat" == octocat.account_of_token()
    assert [1347] == [pull.number for pull in octocat.our_pulls()]
    # The example names a time of its merge, and is open.
    assert ("new-topic", "master", "merged") == (
        octocat.pull(1347).branch, octocat.pull(1347).base_branch, octocat.pull(1347).state,
    )  # fmt: skip
    assert 1347 == octocat.ticket_as_shown(octocat.open_ticket("t", "").content).number
    assert [] == list(octocat.our_tickets())
    assert {"completed"} == {run.status for run in octocat.check_runs(SHA)}
    assert ["success"] == [status.state for status in octocat.statuses(SHA)]
    assert not octocat.branch("main").protected
    assert {"commit_message_pattern", "commit_author_email_pattern"} <= {rule.type for rule in octocat.rules("main")}
    assert ["APPROVED"] == [review.state for review in octocat.reviews(1347)]
    assert [("closed", "octocat")] == [(e.event, e.actor.login if e.actor else "") for e in octocat.events(1347)]
    assert octocat.may_write("octocat")
    assert octocat.commit(SHA).tree.sha


@pytest.mark.parametrize(
    ("method", "path", "content"),
    [
        ("POST", "/pulls", {"title": 1, "head": "a", "base": "b"}),
        ("POST", "/pulls", {"title": "t", "head": "a"}),
        ("PATCH", "/pulls/1", {"state": "merged"}),
        ("PUT", "/pulls/1/merge", {"merge_method": "fast-forward"}),
    ],
)
def test_the_contract_refuses_a_wrong_request(
    octocat: GitHubRepository, method: str, path: str, content: dict[str, object]
) -> None:
    """So a right one is known to be right."""
    assert octocat.act(method, path, **content).status in {400, 422}


def test_a_list_that_repeats_itself_is_an_error(octocat: GitHubRepository) -> None:
    """As the mock's does: the same page again and again, and always one more."""
    with pytest.raises(ForgeError, match="truncated"):
        list(octocat.our_pulls())


def test_a_path_that_github_does_not_have_is_an_error(mock: Prism) -> None:
    """Never an empty list."""
    with pytest.raises(ForgeError, match="404"):
        list(GitHubApi(mock.address, "token").pages("/repos/octocat/Hello-World/pullz"))
