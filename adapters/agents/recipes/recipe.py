"""What a recipe says: package, version, argv, files of its home; and the table of them.

Inside the sandbox the agent's folder is ``/opt/agent``, the tree is ``/work`` without ``.git``, the home a fresh one,
and the model answers at ``http://127.0.0.1:8080``. There is no key: the gateway outside has it, and takes any.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module

AGENT = "/opt/agent"
HOME = "/home/sandbox"
PORT = 8080
ENDPOINT = f"http://127.0.0.1:{PORT}"
NO_KEY = "not-a-key"
TASK = "/run/task/TASK.md"
PYTHON = (f"{AGENT}/bin/python", "-I")
"""Isolated: what a repository calls like a module of the agent's is not imported in its stead."""
_PLACES = ("@TASK@", "@MODEL@")


class Registry(StrEnum):
    """Where a package comes from."""

    NPM = "npm"
    PYPI = "pypi"


@dataclass(frozen=True)
class Recipe:
    """One agent. ``@TASK@`` and ``@MODEL@`` in texts are the task's words and the charter's first model."""

    title: str
    registry: Registry
    package: str
    version: str
    dialect: str
    """``chat``, ``responses``, ``messages`` or ``generate``: how it asks the model."""
    argv: tuple[str, ...]
    beside: tuple[str, ...] = ()
    """Of npm: further pinned packages in its folder, ``name@version``; a Node of its own, for one."""
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    """Below its home -> text; read-only."""
    first_bytes: int = 0
    """Bytes of its first request without the task's own words, as it was seen: instructions and tools."""
    leaves: tuple[str, ...] = ()
    """What it leaves wherever it works, gitignore-style: dropped where that gives orders, and no line crossed."""
    calls: tuple[str, ...] = ()
    """``host:port``, shell-style, that it asks for wherever it works: refused like any other, and no line crossed."""
    seen: tuple[str, ...] = ()
    """What this version was seen to do, a sentence each."""

    def filled(self, text: str, task: str, model: str) -> str:
        """One of the recipe's texts, for one question."""
        for place, what in zip(_PLACES, (task, model), strict=True):
            text = text.replace(place, what)
        return text


RECIPES = {
    "aider": "adapters.agents.recipes.aider:AIDER",
    "claude": "adapters.agents.recipes.claude:CLAUDE",
    "codex": "adapters.agents.recipes.codex:CODEX",
    "gemini": "adapters.agents.recipes.gemini:GEMINI",
    "gptme": "adapters.agents.recipes.gptme:GPTME",
    "mini-swe-agent": "adapters.agents.recipes.mini_swe_agent:MINI_SWE_AGENT",
    "opencode": "adapters.agents.recipes.opencode:OPENCODE",
}
"""The charter's ``agent``, and where its recipe is. A program of one's own needs none: ``argv``."""


def recipe_of(name: str) -> Recipe:
    """One of the table.

    Raises:
        KeyError: there is none of that name.
    """
    module, _, row = RECIPES[name].partition(":")
    found: Recipe = getattr(import_module(module), row)
    return found
