"""One cure for each thing that keeps a run from its repository."""

from __future__ import annotations

import pytest

from policies.obstacles import cure
from tests.policies.sample_policy import policy

TARGET = policy(
    target={
        "forge": "gitea",
        "remote": "https://x.invalid/a/b",
        "forge_access": {"account": "bot", "write": {"variable": "BOT_TOKEN"}},
    }
).target


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("x answered 401 to looking at /user: the token is missing, wrong or expired", "renew the token of the var"),
        ("fatal: Authentication failed for 'https://x/a/b'", "renew the token of the variable BOT_TOKEN"),
        ("the environment variable BOT_TOKEN is not set in the worker (forge_access.write.variable)", "renew the tok"),
        (
            "x answered 404 to looking at /repos/a/b",
            "set [forge_access] read.variable of targets/example.toml (none is",
        ),
        ("fatal: could not read Username for 'https://x'", "set [forge_access] read.variable of targets/example.toml"),
        ("x answered 301: the repository was renamed or moved: it is c/d now", "set `remote` in targets/example.toml"),
        ("The requested URL returned error: 307", "set `remote` in targets/example.toml to the repository's address"),
        (
            "remote: This repo is archived. returned error: 403",
            "unarchive the repository, or take targets/example.toml",
        ),
        ("ERROR: This repository was archived so it is read-only.", "unarchive the repository"),
        ("remote: error: GH006: Protected branch update failed: protected branch hook declined", "let bot push to aut"),
        (
            "remote: error: Not allowed to push to protected branch autonomy/x",
            "let bot push to autonomy/** in the forge",
        ),
        ("x answered 413 to open a pull request: a quota is used up", "free space on the forge"),
        (
            "the writing token belongs to owner, not to forge_access.account bot",
            "give the variable BOT_TOKEN a token of",
        ),
        (
            "answered 403: token does not have at least one of required scope(s)",
            "give the token of the variable BOT_TO",
        ),
        ("remote: error: User permission denied for writing.", "give bot the right to write"),
    ],
)
def test_each_obstacle_has_its_cure(words: str, expected: str) -> None:
    """In the words of the forges, as they were seen; never a cure for something else."""
    assert cure(words, TARGET).startswith(expected)
