"""What would give orders to an agent's program is known in every spelling, and protected (P5)."""

from __future__ import annotations

import pytest

from contracts.task import TaskType
from policies.paths.rules import gives_orders, protection
from policies.settings.tightening import faults
from tests.policies.sample_policy import policy

PATHS = [
    ".claude/settings.json", "CLAUDE.md", "pkg/CLAUDE.md", "CLAUDE.local.md", ".mcp.json", ".codex/config.toml",
    "AGENTS.md", "a/b/AGENTS.md",
     "AGENTS.override.md", ".gemini/settings.json", ".env", ".qwen/settings.json", "opencode.json",
    "opencode.jsonc", ".opencode/plugin/evil.js", ".vibe/config.toml", ".clinerules", ".clinerules/x.md", "GEMINI.md",
    ".cursor/rules/x.mdc", ".cursorrules", ".aider.conf.yml", ".github/copilot-instructions.md",
    "sub/.github/copilot-instructions.md", ".github/instructions/py.instructions.md", ".vscode/mcp.json", ".crush.json",
    "gptme.toml", ".windsurfrules", ".roo/rules/x", ".pi/agent/models.json",
]  # fmt: skip
SPELLINGS = [".CLAUDE/Settings.json", "claude.md", "Agents.md", ".clau\u200bde/x", ".\u217dodex/x", "\uff21GENTS.md"]
OTHERS = [
    "pkg/claude.py",
    "bunfig.toml",
    "docs/agents.md.txt",
    "src/agents/core.py",
    "env/x.py",
    "rules.md",
    "mcp.json",
    ".envoy/x",
]


@pytest.mark.parametrize("path", [*PATHS, *SPELLINGS, ".claude", ".github/instructions"])
def test_what_gives_orders(path: str) -> None:
    """Also what stands in place of a folder of such files: a link, say."""
    protected = policy().protected_paths
    assert gives_orders(path, protected)
    assert protection(path, policy(), TaskType.CODE_IMPROVEMENT)


@pytest.mark.parametrize("path", OTHERS)
def test_what_does_not(path: str) -> None:
    """A repository may have files about agents."""
    assert not gives_orders(path, policy().protected_paths)


def test_a_policy_adds_and_never_takes_away() -> None:
    """An own agent's file; a negative pattern would unprotect, and is refused."""
    known = policy()
    more = known.protected_paths.model_copy(update={"agent_orders": (".ours/",)})
    assert gives_orders(".ours/x", more)
    assert gives_orders("CLAUDE.md", more)
    less = known.protected_paths.model_copy(update={"agent_orders": ("!CLAUDE.md",)})
    found = faults(known.autopilot, less, known.charter, known.target)
    assert ["'!CLAUDE.md' would unprotect; only additions are possible here"] == [each.problem for each in found]
