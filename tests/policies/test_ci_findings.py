"""What `init` and `doctor` find in a forge's CI before a run waits for it: one row, one cure."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.forge_facts import CheckState, CommitCheck
from policies.release.ci_findings import CiSight, look_at_ci
from tests.policies.sample_policy import policy

TEST = CommitCheck(name="ci/test", state=CheckState.GREEN)
STUCK = CommitCheck(name="CI / test (push)", state=CheckState.PENDING, detail="Waiting to run")
WORKFLOW = ".github/workflows/ci.yml"


def sight(*reported: CommitCheck, ci: dict[str, Any] | None = None, **more: Any) -> CiSight:
    """What forge and base show."""
    access = {"account": "bot", "write": {"variable": "T"}}
    target = policy(
        target={"forge": "gitea", "remote": "https://x.invalid/a/b", "forge_access": access, "ci": ci or {}}
    ).target
    return CiSight(**({"target": target, "demanded": (), "reported": reported, "paths": ("a.py",)} | more))


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        (sight(), [(True, "no CI: none is awaited", "")]),
        (sight(TEST), [(True, "nothing is required by name, so these count: ci/test", "")]),
        (sight(TEST, ci={"ignore": ["ci/*"]}), [(True, "no CI: none is awaited", "")]),
        (sight(TEST, demanded=("ci/*",), ci={"required": ["ci/test"]}), [(True, "required: ci/*, ci/test", "")]),
        (
            sight(paths=(WORKFLOW, "a.py")),
            [(False, f"main has {WORKFLOW}, and no check ever reported", "turn on Actions for the repository and reg")],
        ),
        (
            sight(STUCK, paths=(WORKFLOW,)),
            [(False, "no runner takes CI / test (push) on main", "register a runner with the label that the job")],
        ),
        (
            sight(TEST, ci={"required": ["docs"]}),
            [
                (
                    False,
                    "docs never reported on main, and [ci] required of targets/example.toml wants it",
                    "let CI report it on pushes to main, or take it out of [ci] required of targets/example.toml",
                )
            ],
        ),
        (
            sight(TEST, demanded=("docs", "ci/*")),
            [
                (
                    False,
                    "docs never reported on main, and the protection of main wants it",
                    "let CI report it on pushes to main, or take it out of the protection of main",
                )
            ],
        ),
    ],
)
def test_ci_is_looked_at_first(seen: CiSight, found: list[tuple[bool, str, str]]) -> None:
    """The advice is about the place that asks for the check: never about an empty `[ci] required`."""
    rows = list(look_at_ci(seen))
    assert [(ok, detail) for ok, detail, _cure in found] == [(row.ok, row.detail) for row in rows]
    assert all(row.remedy.startswith(cure) for row, (_ok, _detail, cure) in zip(rows, found, strict=True))
    assert all(bool(row.remedy) != row.ok for row in rows)
