"""Codex of OpenAI: a native program, small and fast."""

from adapters.agents.recipes.recipe import AGENT, ENDPOINT, HOME, NO_KEY, Recipe, Registry

_PROGRAM = "node_modules/@openai/codex-linux-x64/vendor/x86_64-unknown-linux-musl/bin/codex"
_CONFIGURATION = f"""\
model = "@MODEL@"
model_provider = "gateway"
check_for_update_on_startup = false

[model_providers.gateway]
name = "gateway"
base_url = "{ENDPOINT}/v1"
env_key = "MODEL_KEY"
wire_api = "responses"
request_max_retries = 0
stream_max_retries = 0

[analytics]
enabled = false
"""

CODEX = Recipe(
    title="Codex",
    registry=Registry.NPM,
    package="@openai/codex",
    version="0.169.0",
    dialect="responses",
    # Its own sandbox cannot nest in ours, so it is switched off.
    argv=(
        f"{AGENT}/{_PROGRAM}",
        *("exec", "--json", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox"),
        *("-C", "/work", "@TASK@"),
    ),
    environment={"MODEL_KEY": NO_KEY, "CODEX_HOME": f"{HOME}/.codex"},
    files={".codex/config.toml": _CONFIGURATION},
    first_bytes=39_000,
    calls=("api.github.com:443", "chatgpt.com:443", "github.com:443"),
    seen=(
        "It asks for its plugins at github.com and chatgpt.com.",
        "It takes no hooks, servers or endpoints from the repository's .codex/config.toml.",
        "Its own sandbox fails inside of ours, and it still ends with status 0: it is switched off.",
        "A refusal of the model ends with status 0 and nothing done.",
        "45 MB of memory at most.",
    ),
)
