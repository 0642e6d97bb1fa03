"""A review that requests changes, on a Gitea and on a GitHub: acknowledged once, shown, closed after its time."""

from __future__ import annotations

from typing import Any

import pytest
from aftermath import hasten
from forge_stages import GiteaStage, GitHubStage
from gitea_server import BOT, GiteaServer
from gitea_world import TOKEN, Hosted, host, point, set_policy
from github_server import GitHubServer
from github_world import HostedOnGitHub
from world import World, make_world

from adapters.store.run_index import RunIndex
from contracts.modes import RunStatus
from policies.after.open_pulls import asking, last_reviews
from tests.workflows import auto

Stages = GiteaStage | GitHubStage


@pytest.fixture(params=["gitea", pytest.param("github", marks=pytest.mark.sweep)])
async def on_forge(
    request: pytest.FixtureRequest, tmp_path: Any, server: str, environments: Any, monkeypatch: pytest.MonkeyPatch
) -> tuple[World, Hosted]:
    """An installation whose follow-ups look often, and its target on each forge."""
    kind: str = request.param
    forge: GiteaServer | GitHubServer = request.getfixturevalue(kind)
    monkeypatch.setenv(TOKEN, forge.tokens[BOT])
    world = await make_world(tmp_path / "world", server, environments)
    set_policy(world, write_seconds=30)
    hasten(world, write_seconds=30)
    hosted = host(world, forge, "auto")  # type: ignore[arg-type]
    if kind == "github":
        hosted = HostedOnGitHub(**vars(hosted))
    point(world, hosted, auto.CHECKS, forge=kind)
    return world, hosted


def said(hosted: Hosted, number: int) -> list[dict[str, Any]]:
    """Comments, as a person sees them."""
    found: list[dict[str, Any]] = hosted.ask("GET", f"/issues/{number}/comments")
    return found


@pytest.mark.timeout(600)
async def test_requested_changes_are_acknowledged_once_and_close_it_after_their_time(
    on_forge: tuple[World, Hosted],
) -> None:
    """Whoever asked is named in lists; the closing is nobody's no: the idea comes again."""
    world, hosted = on_forge
    async with world.worker(auto.quick(world)):
        first = await world.run("auto")
        assert RunStatus.PR_OPENED is first.status, first.reason
        [pull] = hosted.pulls()
        hosted.reviews("REQUEST_CHANGES")

        async def shown() -> str:
            [one] = [run for run in RunIndex(world.settings.artifacts).latest(9) if run.run_id == first.run_id]
            return one.became

        assert "waiting for owner: requested changes" == await world.until(shown)
        for _ in range(2):
            # It keeps its own idea back; nothing else is to be done here.
            assert RunStatus.NOTHING_TO_DO is (await world.run("auto", again=True)).status
        [comment] = said(hosted, pull["number"])
        assert BOT == comment["user"]["login"]
        assert "requested changes" in comment["body"]
        set_policy(world, changes_days=0.00001)
        await world.run("auto", again=True)
        assert "closed" == hosted.pull()["state"]
        assert "changes were requested, and nothing more" in hosted.pull()["body"]
        assert ["Seen", "Closed by us"] == [each["body"][2:].split(":")[0] for each in said(hosted, pull["number"])]

        async def ended() -> str:
            one = await shown()
            return one if one.startswith("CLOSED") else ""

        assert "CLOSED by us" == await world.until(ended)
        last = await world.run("auto", again=True)
        assert RunStatus.PR_OPENED is last.status, last.reason


def speak(hosted: Stages, number: int, word: str, text: str) -> None:
    """What a person does to the pull request; ``text`` is what a push brings."""
    place = f"/pulls/{number}/reviews"
    if word == "push":
        hosted.person_pushes(text)
    elif word == "dismiss":
        review = hosted.ask("GET", place).content[-1]["id"]
        method = "POST" if isinstance(hosted, GiteaStage) else "PUT"
        assert 200 == hosted.ask(method, f"{place}/{review}/dismissals", message="no").status
    else:
        spelled = "APPROVED" if isinstance(hosted, GiteaStage) and word == "APPROVE" else word
        assert 200 == hosted.ask("POST", place, event=spelled, body="so").status


CHAIN = {
    "REQUEST_CHANGES": True, "COMMENT": True, "push": True, "APPROVE": False, "push again": False,
    "REQUEST_CHANGES again": True, "dismiss": False, "REQUEST_CHANGES a third time": True,
    "REQUEST_CHANGES a fourth time": True, "dismiss the last": False, "REQUEST_CHANGES once more": True,
}  # fmt: skip
"""What one person says, one after the other, and whether a change is asked for then."""


def test_a_persons_last_word_is_what_is_asked_for(hosted: Stages) -> None:
    """An approval or a dismissal takes a request back, whatever it was said of; a push or a comment does not."""
    pull = hosted.opened()
    seen = {}
    for said in CHAIN:
        speak(hosted, pull.number, said.split()[0], said)
        seen[said] = bool(asking(hosted.forge.human_acts(pull.number), BOT))
    assert CHAIN == seen


@pytest.mark.sweep
@pytest.mark.parametrize(
    ("words", "waits"),
    [
        (["REQUEST_CHANGES"], True),
        (["REQUEST_CHANGES", "COMMENT"], True),
        (["APPROVE", "REQUEST_CHANGES"], True),
        (["REQUEST_CHANGES", "push"], True),
        (["REQUEST_CHANGES", "push", "APPROVE"], False),
        (["REQUEST_CHANGES", "APPROVE", "push"], False),
        (["REQUEST_CHANGES", "dismiss"], False),
        (["REQUEST_CHANGES", "REQUEST_CHANGES", "dismiss"], False),
        (["REQUEST_CHANGES", "dismiss", "REQUEST_CHANGES"], True),
    ],
)
def test_a_later_word_of_the_same_person_takes_a_request_back(hosted: Stages, words: list[str], waits: bool) -> None:
    """Each on a pull request of its own."""
    pull = hosted.opened()
    for word in words:
        speak(hosted, pull.number, word, "theirs\n")
    assert waits == bool(asking(hosted.forge.human_acts(pull.number), BOT))


def test_an_approval_before_a_dismissed_one_does_not_count(hosted: Stages) -> None:
    """What is dismissed was the person's last word; nothing older comes to life again."""
    pull = hosted.opened()
    place = f"/pulls/{pull.number}/reviews"
    event = "APPROVED" if isinstance(hosted, GiteaStage) else "APPROVE"
    for _ in range(2):
        assert 200 == hosted.ask("POST", place, event=event, body="so").status
    review = hosted.ask("GET", place).content[-1]["id"]
    method = "POST" if isinstance(hosted, GiteaStage) else "PUT"
    assert 200 == hosted.ask(method, f"{place}/{review}/dismissals", message="no").status
    assert [] == [act for act in last_reviews(hosted.forge.human_acts(pull.number), BOT) if act.counts]
