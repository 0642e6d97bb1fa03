"""One cure for each thing that keeps a run from its repository."""

from __future__ import annotations

import pytest

from contracts.forge_facts import FORGE_RESTS, AccessFinding
from contracts.verdict import Decision
from policies.run.obstacles import cure, one_cure_each, resting
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
        (
            "x answered 403 to looking at /user: the forge limits the rate until 2026-11-26 15:00:00 UTC",
            "nothing is to be",
        ),
        ("x answered 429 to POST /issues: the forge limits the rate, and does not say until when", "nothing is to be"),
        ("fatal: unable to access 'https://x/': The requested URL returned error: 429", "nothing is to be mended"),
        ("x answered 502 to looking at /user: ", "see whether the forge is up"),
        ("x gave no answer to GET /user: NewConnectionError", "see whether the forge is up"),
        ("remote: error: User permission denied for writing.", "give bot the right to write"),
    ],
)
def test_each_obstacle_has_its_cure(words: str, expected: str) -> None:
    """In the words of the forges, as they were seen; never a cure for something else."""
    assert cure(words, TARGET).startswith(expected)


@pytest.mark.parametrize(
    ("words", "told", "rests"),
    [
        ("x answered 403: the forge limits the rate until 2026-11-26 15:00:00 UTC", 1800.0, 1800.0),
        ("x answered 429: the forge limits the rate, and does not say until when", None, 60.0),
        ("fatal: unable to access 'https://x/': The requested URL returned error: 429", None, 60.0),
        ("limited", 1e300, 3600.0),
        ("limited", 0.0, 1.0),
        ("x answered 403: the token or its account lacks a right", None, None),
    ],
)
def test_a_forge_that_limits_the_rate_is_waited_for(words: str, told: float | None, rests: float | None) -> None:
    """Its own word for how long, within reason; never a no."""
    found = resting(words, told)
    assert (found is None) == (rests is None)
    if found is not None:
        assert (Decision.HOLD, rests) == (found.decision, found.facts[FORGE_RESTS])
        assert f"{words}. The run goes on by itself" == found.reason


def test_a_cure_is_said_once() -> None:
    """Rows that repeat it add nothing; good rows, and other cures, stay."""
    rows = [
        AccessFinding(name=name, ok=not cure, detail=name, remedy=cure)
        for name, cure in (("a", ""), ("b", "x"), ("c", "x"), ("d", ""), ("e", "y"))
    ]
    assert ["a", "b", "d", "e"] == [row.name for row in one_cure_each(rows)]
