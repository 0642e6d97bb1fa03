"""Which forge ``init`` writes into a target's file: by the address where it can be told, asked for where it cannot."""

from __future__ import annotations

import pytest

from commands.failures import CommandFailed
from commands.init import choose_forge

BOT = ("bot", "BOT_TOKEN", "")


@pytest.mark.parametrize(
    ("remote", "forge", "kind"),
    [
        ("/srv/git/project.git", None, "local"),
        ("file:///srv/git/project.git", None, "local"),
        ("ssh://git@example.org/team/project.git", "local", "local"),
    ],
)
def test_a_local_forge_needs_nothing(remote: str, forge: str | None, kind: str) -> None:
    """A folder, or records kept here for a remote of any kind."""
    found, access = choose_forge(remote, forge, "", "", "")
    assert (kind, "") == (found, access.account)


@pytest.mark.parametrize(
    ("remote", "forge", "kind"),
    [
        ("https://github.com/team/project.git", None, "github"),
        ("git@github.com:team/project.git", None, "github"),
        ("ssh://git@GitHub.com/team/project", None, "github"),
        ("https://git.example.org:8443/team/project.git", "gitea", "gitea"),
        ("git@git.example.org:team/project.git", "gitea", "gitea"),
        ("https://github.example.org/team/project.git", "github", "github"),
    ],
)
def test_a_forge_with_an_api_is_written_with_its_account(remote: str, forge: str | None, kind: str) -> None:
    """By host where that is enough."""
    found, access = choose_forge(remote, forge, "bot", "BOT_TOKEN", "READ_TOKEN")
    assert (kind, "bot", "BOT_TOKEN", "READ_TOKEN") == (
        found, access.account, access.write.variable, access.read.variable,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("remote", "forge", "given", "words"),
    [
        ("https://git.example.org/team/project.git", None, BOT, "say --forge gitea"),
        ("https://github.com.evil.invalid/team/project.git", None, BOT, "say --forge gitea"),
        ("git@git.example.org:team/project.git", None, ("", "", ""), "say --forge gitea"),
        ("https://git.example.org/team/project.git", "gitlab", BOT, "--forge gitlab is none of"),
        ("/srv/git/project.git", "gitea", BOT, "is a folder"),
        ("/srv/git/project.git", None, BOT, "are for a forge with an API"),
        ("https://github.com/team/project.git", None, ("", "BOT_TOKEN", ""), "needs --account"),
        ("https://github.com/team/project.git", None, ("bot", "", ""), "needs --write-variable"),
    ],
)
def test_what_cannot_be_told_is_asked_for(
    remote: str, forge: str | None, given: tuple[str, str, str], words: str
) -> None:
    """One clear sentence; nothing is guessed."""
    with pytest.raises(CommandFailed, match=words):
        choose_forge(remote, forge, *given)
