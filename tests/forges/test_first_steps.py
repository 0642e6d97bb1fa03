"""``init`` and ``doctor`` for a target on a real Gitea."""

from __future__ import annotations

import os
import re
from pathlib import Path
from unittest.mock import patch

import pytest
from forge_stages import soon
from gitea_server import BOT, BOT_SCOPES, OWNER, GiteaServer
from shell import Shell, Typed
from world import PACKAGE, git

from adapters.policy_files import PolicyFiles
from commands.doctor import target_findings
from composition import compose
from settings import ROOT, Settings

TOKEN = "FIRST_BOT_TOKEN"  # the variables' names
READ = "FIRST_READ_TOKEN"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A policy folder without targets beside it."""
    (tmp_path / "policies").mkdir()
    for file in (ROOT / "policies").glob("*.toml"):
        (tmp_path / "policies" / file.name).write_text(file.read_text())
    return tmp_path


def repository(home: Path, gitea: GiteaServer, private: bool) -> str:
    """A package on the server, whose default branch is trunk; its name."""
    made = gitea.make_repository(f"first-{home.name[-30:].strip('_').replace('_', '-')}", private=private)
    work = home / "work"
    for path, body in PACKAGE.items():
        (work / path).parent.mkdir(parents=True, exist_ok=True)
        (work / path).write_text(body)
    git("init", "--quiet", "--initial-branch=trunk", cwd=work)
    git("add", "--all", cwd=work)
    git("commit", "--quiet", "--message=First", cwd=work)
    git("push", "--quiet", gitea.remote(made, gitea.tokens[OWNER]), "trunk", cwd=work)
    named(gitea, made, "trunk")
    return made


def named(gitea: GiteaServer, made: str, branch: str) -> None:
    """A person makes a branch the default one; Gitea looks at a push in its own time."""
    soon(lambda: gitea.ask("GET", f"/repos/{made}/branches/{branch}").status == 200)
    gitea.done("PATCH", f"/repos/{made}", default_branch=branch)


def shell(home: Path, **tokens: str) -> Shell:
    """A shell where no server runs."""
    places = {"AUTONOMY_HOME": str(home / "home"), "AUTONOMY_POLICIES": str(home / "policies")}
    return Shell(places | {"TEMPORAL_ADDRESS": "127.0.0.1:1", TOKEN: "", READ: ""} | tokens)


def init(home: Path, remote: str, **tokens: str) -> Typed:
    """Type it."""
    named = ("--account", BOT, "--write-variable", TOKEN, "--read-variable", READ, "--name", "far")
    return shell(home, **tokens).type("init", remote, "--forge", "gitea", *named, "--json")


def findings(home: Path, **tokens: str) -> dict[str, tuple[bool, str]]:
    """What ``doctor`` says of the target."""
    said = shell(home, **tokens).type("doctor", "--json").json["findings"]
    return {each["name"]: (each["ok"], each["detail"]) for each in said if each["name"].startswith("far ")}


def looked(home: Path, **tokens: str) -> dict[str, tuple[bool, str]]:
    """The same rows from what ``doctor`` asks, without the machine's."""
    with patch.dict(os.environ, {TOKEN: "", READ: ""} | tokens):
        adapters = compose(Settings(home=home / "home", policies=home / "policies"))
        target = adapters.policies.effective("far").target
        return {name: (ok, detail) for name, ok, detail, _ in target_findings(adapters, target)}


def test_a_private_repository_becomes_a_target_that_loads(home: Path, gitea: GiteaServer) -> None:
    """Read with the reading token; the file names the variables and holds no token; doctor finds all of it well."""
    remote = gitea.remote(repository(home, gitea, private=True))
    refused = init(home, remote)
    assert 0 != refused.status
    assert READ in refused.err
    tokens = {TOKEN: gitea.token(BOT, BOT_SCOPES), READ: gitea.tokens["reader"]}
    done = init(home, remote, **tokens)
    assert 0 == done.status, done.err
    assert "trunk" == done.json["baseBranch"]
    target = PolicyFiles(home / "policies").effective("far").target
    assert ("gitea", BOT, TOKEN, READ) == (
        target.forge, target.forge_access.account, target.forge_access.write.variable,
        target.forge_access.read.variable,
    )  # fmt: skip
    text = (home / "policies" / "targets" / "far.toml").read_text()
    assert not [token for token in tokens.values() if token in text + done.out + done.err]
    seen = findings(home, **tokens)
    parts = ("base", "mirror", "token", "account", "rights", "protection", "ci")
    assert {f"far {part}" for part in parts} == set(seen)
    assert (True, "no CI: none is awaited") == seen["far ci"]
    assert all(ok for ok, _ in seen.values()), seen


WORKFLOW = "name: CI\non: push\njobs:\n  test:\n    runs-on: nobody-has-this\n    steps:\n      - run: true\n"


def test_init_says_what_keeps_ci_from_ever_saying_yes(home: Path, gitea: GiteaServer) -> None:
    """A job that no runner takes, a required check that nobody reports: printed with the advice, before a run waits."""
    (home / "work" / ".gitea" / "workflows").mkdir(parents=True)
    (home / "work" / ".gitea" / "workflows" / "ci.yml").write_text(WORKFLOW)
    made = repository(home, gitea, private=False)
    gitea.done(
        "POST", f"/repos/{made}/branch_protections", rule_name="trunk", enable_status_check=True,
        status_check_contexts=["ci/never"],
    )  # fmt: skip
    gitea.done("POST", f"/repos/{made}/branch_protections", rule_name="autonomy/**")
    soon(lambda: gitea.done("GET", f"/repos/{made}/commits/trunk/statuses"))
    tokens = {TOKEN: gitea.token(BOT, BOT_SCOPES), READ: gitea.tokens["reader"]}
    done = init(home, gitea.remote(made), **tokens)
    assert 0 == done.status, done.err
    found = {each["detail"]: each["remedy"] for each in done.json["findings"]}
    (ours,) = [detail for detail in found if detail.startswith("autonomy/** is a protected branch")]
    assert f"let {BOT} push to autonomy/** in the forge's branch protection" == found.pop(ours)
    queued, never = sorted(found, key=lambda detail: "never" in detail)
    assert re.fullmatch(r"no runner takes CI / test \(push\) on trunk", queued), found
    assert "register a runner with the label that the job asks for, or start it" == found[queued]
    assert "ci/never never reported on trunk, and the protection of trunk wants it" == never
    assert "let CI report it on pushes to trunk, or take it out of the protection of trunk" == found[never]
    access = ("--account", BOT, "--write-variable", TOKEN, "--read-variable", READ, "--name", "far", "--force")
    read = shell(home, **tokens).type("init", gitea.remote(made), "--forge", "gitea", *access)
    for line in (f"not ok   far ci: {queued}", found[queued], f"not ok   far ci: {never}", found[never]):
        assert line in " ".join(read.out.split()).replace("not ok ", "not ok   "), read.out


def test_doctor_names_what_is_missing(home: Path, gitea: GiteaServer) -> None:
    """No token, somebody else's, one without rights; a renamed default branch: one clear sentence each."""
    made = repository(home, gitea, private=False)
    tokens = {TOKEN: gitea.token(BOT, BOT_SCOPES), READ: gitea.tokens["reader"]}
    assert 0 == init(home, gitea.remote(made), **tokens).status
    missing = findings(home, **{READ: tokens[READ]})
    assert (False, True) == (missing["far token"][0], TOKEN in missing["far token"][1])
    anothers = looked(home, **tokens | {TOKEN: gitea.token(OWNER, BOT_SCOPES)})
    assert (False, f"the token belongs to {OWNER}, forge_access.account is {BOT}") == anothers["far account"]
    nameless = looked(home, **tokens | {TOKEN: gitea.token(BOT, "write:repository")})
    assert (False, True) == (nameless["far account"][0], "read:user" in nameless["far account"][1])
    mute = looked(home, **tokens | {TOKEN: gitea.token(BOT, "read:user,write:repository")})
    assert (False, True) == (mute["far tickets"][0], "write:issue" in mute["far tickets"][1])
    assert "far tickets" not in anothers
    gitea.done(
        "POST", f"/repos/{made}/branch_protections", rule_name="trunk", enable_push=True, enable_status_check=True,
        status_check_contexts=["ci/never"],
    )  # fmt: skip
    waiting = looked(home, **tokens)
    assert (False, "ci/never never reported on trunk, and the protection of trunk wants it") == waiting["far ci"]
    gitea.done("POST", f"/repos/{made}/branch_protections", rule_name="autonomy/**")
    ours = looked(home, **tokens)
    assert (False, True) == (ours["far branches"][0], "autonomy/** is a protected branch" in ours["far branches"][1])
    gitea.done("PATCH", f"/repos/{made}", archived=True)
    assert (False, f"{made} is archived: nobody may push, open or merge") == looked(home, **tokens)["far rights"]
    gitea.done("PATCH", f"/repos/{made}", archived=False)
    gitea.done("DELETE", f"/repos/{made}/branch_protections/trunk")
    gitea.done("PUT", f"/repos/{made}/collaborators/{BOT}", permission="read")
    reading = looked(home, **tokens)
    assert (False, f"the account may not push to {made}") == reading["far rights"]
    git("branch", "-m", "trunk", "main", cwd=home / "work")
    git("push", "--quiet", gitea.remote(made, gitea.tokens[OWNER]), "main", cwd=home / "work")
    named(gitea, made, "main")
    moved = looked(home, **tokens)
    assert moved["far base"][1].endswith("; the remote's default branch is main")
