"""The shipped policy files with the example target: what the rules are tried against."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path
from typing import Any

from contracts.modes import Mode
from policies.settings.schema import Autopilot, Charter, EffectivePolicy, ProtectedPaths, Target
from policies.settings.tightening import merge

ROOT = Path(__file__).parents[2]


@cache
def raw(file: str) -> dict[str, Any]:
    """A shipped file, parsed."""
    return tomllib.loads((ROOT / file).read_text(encoding="utf-8"))


def policy(autopilot: dict[str, Any] | None = None, target: dict[str, Any] | None = None) -> EffectivePolicy:
    """The effective policy, some tables replaced."""
    common = raw("policies/autopilot.toml")
    changed = common | {name: common[name] | table for name, table in (autopilot or {}).items()}
    own = {k: v for k, v in raw("examples/targets/example.toml").items() if k not in {"diff_budget", "allowed_paths"}}
    return merge(
        Autopilot.model_validate(changed),
        ProtectedPaths.model_validate(raw("policies/protected_paths.toml")),
        Charter.model_validate(raw("policies/charter.toml")),
        Target.model_validate(own | (target or {})),
    )


def auto_policy() -> EffectivePolicy:
    """The same with SELECTIVE_AUTO enabled."""
    return policy({"modes": {"maximum": Mode.SELECTIVE_AUTO}}, {"maximum_mode": None})
