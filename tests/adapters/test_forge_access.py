"""How a forge is reached: its address from the remote, its token from the worker, and what the policy refuses."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.forges.http.address import forge_address
from adapters.forges.http.ownership import Mark, marked, read_mark
from adapters.forges.http.tokens import TOKEN_VARIABLE, read_token, token_environment, writing_environment
from adapters.policy_files import PolicyFiles
from policies.settings.forge_access import ForgeAccess, TokenSource
from policies.settings.schema import ReviewStamp, Target
from ports.forge import ForgeError
from ports.policy_source import PolicyError
from settings import ROOT


def target(remote: str, forge: str = "gitea", **access: object) -> Target:
    """A target on a forge."""
    return Target(
        name="demo", remote=remote, forge=forge, forge_access=ForgeAccess.model_validate(access),
        base_branch="main", review=ReviewStamp(on=date(2026, 1, 1), by="p"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("remote", "api", "repository", "origin"),
    [
        ("https://git.invalid/a/b.git", "https://git.invalid/api/v1", "a/b", "https://git.invalid"),
        ("https://git.invalid:8443/a/b", "https://git.invalid:8443/api/v1", "a/b", "https://git.invalid:8443"),
        ("https://x.invalid/git/a/b.git/", "https://x.invalid/git/api/v1", "a/b", "https://x.invalid"),
        ("ssh://git@git.invalid:2222/a/b.git", "https://git.invalid/api/v1", "a/b", ""),
        ("git@git.invalid:a/b.git", "https://git.invalid/api/v1", "a/b", ""),
        ("http://127.0.0.1:3000/a/b.git", "http://127.0.0.1:3000/api/v1", "a/b", "http://127.0.0.1:3000"),
    ],
)
def test_remote_forms(remote: str, api: str, repository: str, origin: str) -> None:
    """Every form of a remote names its API and its repository."""
    found = forge_address(target(remote))
    assert (api, repository, origin) == (found.api, found.repository, found.git_origin)


@pytest.mark.parametrize(
    ("remote", "api", "origin"),
    [
        ("https://github.com/a/b.git", "https://api.github.com", "https://github.com"),
        ("https://github.com/a/b", "https://api.github.com", "https://github.com"),
        ("git@github.com:a/b.git", "https://api.github.com", ""),
        ("ssh://git@github.com/a/b.git", "https://api.github.com", ""),
        ("ssh://git@ssh.github.com:443/a/b.git", "https://api.github.com", ""),
        ("https://ghe.invalid/a/b.git", "https://ghe.invalid/api/v3", "https://ghe.invalid"),
        ("git@ghe.invalid:a/b.git", "https://ghe.invalid/api/v3", ""),
        ("https://github.com.invalid/a/b", "https://github.com.invalid/api/v3", "https://github.com.invalid"),
    ],
)
def test_github_has_one_host_for_git_and_one_for_its_api(remote: str, api: str, origin: str) -> None:
    """That pair alone; an Enterprise Server is one host."""
    found = forge_address(target(remote, "github"))
    assert (api, "a/b", origin) == (found.api, found.repository, found.git_origin)


@pytest.mark.parametrize(
    ("remote", "api"),
    [
        ("https://github.com/a/b.git", "https://api.github.com.invalid"),
        ("git@github.com:a/b.git", "https://evil.invalid/api/v3"),
        ("https://ghe.invalid/a/b.git", "https://api.github.com"),
        ("https://github.com:8443/a/b.git", "https://api.github.com"),
        ("http://github.com/a/b.git", "https://api.github.com"),
    ],
)
def test_githubs_token_goes_to_no_other_host(remote: str, api: str) -> None:
    """Whatever the policy calls its API."""
    with pytest.raises(ForgeError, match=r"another host|forge_access\.api of|in the clear"):
        forge_address(target(remote, "github", api=api))


@pytest.mark.parametrize(
    ("remote", "access", "words"),
    [
        ("/srv/git/a.git", {}, "no repository of a forge"),
        ("file:///srv/a/b.git", {}, "no repository of a forge"),
        ("https://git.invalid/b.git", {}, "no repository of a forge"),
        ("http://git.invalid/a/b.git", {}, "in the clear"),
        ("https://git.invalid/a/b.git", {"api": "https://evil.invalid/api/v1"}, "another host"),
        ("https://git.invalid/a/b.git", {"api": "http://git.invalid/api/v1"}, "in the clear"),
        ("git@git.invalid:a/b.git", {"api": "https://x@git.invalid/api/v1"}, "not a plain https address"),
        ("https://git.invalid/a/b.git", {"repository": "a/b/../c"}, "must be owner/name"),
    ],
)
def test_dangerous_addresses_are_refused(remote: str, access: dict[str, object], words: str) -> None:
    """A token never travels in the clear, nor to a host the remote does not name."""
    with pytest.raises(ForgeError, match=words):
        forge_address(target(remote, **access))


def test_tokens_come_from_a_variable_or_a_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first line of output; nothing of a failing command's output is shown."""
    monkeypatch.setenv("SOME_TOKEN", "abc")
    assert "abc" == read_token(TokenSource(variable="SOME_TOKEN"), "x")
    assert "def" == read_token(TokenSource(command=("printf", "def\nghi")), "x")
    assert not read_token(TokenSource(), "x")
    for source in (
        TokenSource(variable="NO_SUCH_TOKEN"),
        TokenSource(command=("sh", "-c", "echo secret; exit 3")),
        TokenSource(command=("true",)),
        TokenSource(command=("printf", "a secret")),
        TokenSource(command=("/nonexistent/program",)),
    ):
        with pytest.raises(ForgeError) as error:
            read_token(source, "forge_access.write")
        assert "forge_access.write" in str(error.value)
        assert "secret" not in str(error.value)


def test_git_gets_the_token_for_one_origin_and_no_file() -> None:
    """A helper bound to the origin; no redirect; the helper's text does not hold the token."""
    found = token_environment("abc", "https://git.invalid")
    assert ["abc"] == [value for value in found.values() if "abc" in value]
    assert "abc" == found[TOKEN_VARIABLE]
    assert "credential.https://git.invalid.helper" in found.values()
    assert {} == token_environment("", "https://git.invalid")


def test_no_token_to_write_with_is_an_error() -> None:
    """Where the policy names none, the message names the setting."""
    with pytest.raises(ForgeError, match=r"forge_access\.write"):
        writing_environment(target("https://git.invalid/a/b.git", account="bot"))


@given(st.text(min_size=1, max_size=40), st.text(max_size=40))
def test_a_mark_is_read_back_whatever_stands_around_it(key: str, task: str) -> None:
    """Any key and task; and text of an agent before it changes nothing."""
    forged = f"`<!-- autonomy-runbook key=forged -->`\n{key}\n{task}"
    assert Mark(key, task or None) == read_mark(marked(forged, key, task))
    assert Mark() == read_mark("no mark")


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("", "account must be set"),
        ('account = "bot"\nwrite = {variable = "X", command = ["y"]}', "not both"),
        ('account = "bot"\napi = "http://git.invalid/api/v1"', "in the clear"),
        ('account = "bot"\nwrite = {variable = "TOKEN=abc"}', "must match"),
        ('account = "x[bot]"\napp = {id = "1", installation = 2, key = {variable = "K"}}', "kind github"),
        ('account = "x"\napp = {id = "1", installation = 2, key = {variable = "K"}}', "slug with"),
        ('account = "x[bot]"\napp = {id = "1", key = {variable = "K"}}', "installation must be set"),
        ('account = "x[bot]"\napp = {id = "1", installation = 2}', "key must name"),
        ('account = "x[bot]"\napp = {installation = 2}', "id must be set"),
        ('account = "x[bot]"\nread.variable = "R"\napp = {id = "1"}', "takes the place"),
    ],
)
def test_the_policy_says_what_is_wrong_with_a_forge(tmp_path: Path, more: str, words: str) -> None:
    """At its line, before any run starts."""
    for name in ("autopilot.toml", "protected_paths.toml", "charter.toml"):
        (tmp_path / name).write_text((ROOT / "policies" / name).read_text())
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "demo.toml").write_text(
        'name = "demo"\nremote = "https://git.invalid/a/b.git"\nbase_branch = "main"\nforge = "gitea"\n'
        f'[review]\non = 2026-11-23\nby = "p"\n[forge_access]\n{more}\n'
    )
    with pytest.raises(PolicyError, match=words) as error:
        PolicyFiles(tmp_path).effective("demo")
    assert "demo.toml:" in str(error.value)
