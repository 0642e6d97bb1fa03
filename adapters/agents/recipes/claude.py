"""Claude Code of Anthropic."""

from adapters.agents.recipes.recipe import AGENT, ENDPOINT, NO_KEY, Recipe, Registry

CLAUDE = Recipe(
    title="Claude Code",
    registry=Registry.NPM,
    package="@anthropic-ai/claude-code",
    version="2.1.197",
    dialect="messages",
    argv=(
        f"{AGENT}/node_modules/@anthropic-ai/claude-code-linux-x64/claude",
        *("-p", "@TASK@", "--output-format", "stream-json", "--verbose", "--permission-mode", "bypassPermissions"),
        # The second defence: without them its hooks, endpoint and servers come from the repository.
        *("--model", "@MODEL@", "--setting-sources", "user", "--strict-mcp-config"),
    ),
    environment={
        "ANTHROPIC_BASE_URL": ENDPOINT,
        "ANTHROPIC_API_KEY": NO_KEY,
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_TELEMETRY": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_MAX_RETRIES": "0",
        "SHELL": "/bin/bash",
    },
    first_bytes=76_000,
    seen=(
        "Started as its manual says, it runs hooks and servers of the repository and takes its endpoint from there.",
        "A program of Bun, it obeys neither bunfig.toml nor .env of the repository.",
        "By npm on Node 20 an older version than was asked for is taken silently: hence the pin.",
        "Its JSON says subtype success beside is_error true.",
        "210 MB of memory at most; it needs 4 GiB of address space.",
    ),
)
