"""opencode."""

from adapters.agents.recipes.recipe import AGENT, ENDPOINT, NO_KEY, Recipe, Registry

_CONFIGURATION = f"""\
{{"share": "disabled", "autoupdate": false, "model": "gateway/@MODEL@", "small_model": "gateway/@MODEL@",
 "permission": {{"edit": "allow", "bash": "allow", "webfetch": "deny", "external_directory": "deny"}},
 "provider": {{"gateway": {{"npm": "@ai-sdk/openai-compatible", "name": "gateway",
   "options": {{"baseURL": "{ENDPOINT}/v1", "apiKey": "{NO_KEY}"}},
   "models": {{"@MODEL@": {{"name": "@MODEL@", "limit": {{"context": 100000, "output": 8000}}}}}}}}}}}}
"""

OPENCODE = Recipe(
    title="opencode",
    registry=Registry.NPM,
    package="opencode-ai",
    version="1.18.33",
    dialect="chat",
    argv=(
        f"{AGENT}/node_modules/opencode-linux-x64/bin/opencode",
        *("run", "--format", "json", "-m", "gateway/@MODEL@", "@TASK@"),
    ),
    environment={
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
        # The second defence.
        "OPENCODE_DISABLE_PROJECT_CONFIG": "1",
        "SHELL": "/bin/bash",
    },
    files={".config/opencode/opencode.json": _CONFIGURATION},
    first_bytes=29_000,
    calls=("registry.*:443",),
    seen=(
        "It asks for a plugin of its own at npm's registry.",
        "Started as its manual says, it takes its endpoint from the repository's opencode.json, and rewrites it.",
        "A program of Bun, it obeys neither bunfig.toml nor .env of the repository.",
        "It asks for a title first, without tools.",
        "Nothing bounds its own retries: our deadline does.",
        "887 MB of memory at most; more than 4 GiB of address space.",
    ),
)
