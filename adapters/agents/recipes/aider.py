"""aider: it calls no tools, and edits by search and replace in the answer's text."""

from adapters.agents.recipes.mini_swe_agent import LITELLM
from adapters.agents.recipes.recipe import AGENT, PYTHON, TASK, Recipe, Registry

AIDER = Recipe(
    title="aider",
    registry=Registry.PYPI,
    package="aider-chat",
    version="0.86.2",
    dialect="chat",
    argv=(
        *(*PYTHON, f"{AGENT}/bin/aider", "--model", "openai/@MODEL@", "--yes-always", "--no-git", "--no-stream"),
        *("--no-check-update", "--no-show-model-warnings", "--no-pretty", "--analytics-disable"),
        *("--no-show-release-notes", "--no-detect-urls", "--edit-format", "diff", "--message-file", TASK),
        "@FILES@",
    ),
    environment=LITELLM,
    leaves=(".aider.chat.history.md", ".aider.input.history", ".aider.tags.cache.*/"),
    calls=("raw.githubusercontent.com:443",),
    seen=(
        "It sees only the files that it is given: those that the contract names, none where it names patterns alone.",
        "It leaves .aider files in the tree, which are dropped as orders to agents.",
        "It asks for a price list in spite of the variable, and goes on without one.",
        "227 MB of memory at most.",
    ),
)
