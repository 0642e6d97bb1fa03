"""What agents' programs read as their own configuration: taken out before one starts, and protected (P5, P6).

gitignore-style, at any depth: hooks, servers of tools, endpoints, plugins, instruction files. Nobody can take a row out
of it; ``agent_orders`` of ``protected_paths.toml`` adds to it. ``policies.paths.rules.gives_orders`` matches.
"""

ORDERS = (
    # Claude Code
    ".claude/", ".claude-plugin/", ".claude.json", "CLAUDE*.md", ".mcp.json",
    # Codex, and what many read
    ".codex/", "AGENTS*.md", "AGENT.md", ".agents/", ".agent/", ".rules",
    # Gemini, Qwen: they take their endpoint from .env too, and so does aider
    ".gemini/", ".geminiignore", "GEMINI*.md", ".qwen/", ".qwenignore", "QWEN*.md", ".env", ".env.local",
    # opencode, Crush
    ".opencode/", "opencode.json*", ".opencode.json*", ".crush/", "*crush.json",
    # aider, vibe, Cline, Roo, Kilo, gptme, Goose, pi, OpenHands, mini-swe-agent
    ".aider*", ".vibe/", ".clinerules*", ".cline/", ".roo/", ".roorules*", ".roomodes", ".kilocode/", ".kilocodemodes",
    "gptme.toml", ".gptme/", ".goosehints", ".goose/", ".pi/", ".openhands/", ".openhands_instructions",
    ".mini-swe-agent/", ".swe-agent/",
    # Copilot, Cursor, Windsurf, Continue, Amp, Droid, Augment, Junie, Kiro, Trae, Serena, Jules
    "**/.github/copilot-instructions.md", "**/.github/instructions/", "**/.github/prompts/", "**/.github/agents/",
    "**/.github/chatmodes/", "**/.github/hooks/", "**/.vscode/mcp.json", ".copilot/", ".cursor/", ".cursorrules",
    ".cursorignore", ".windsurf/", ".windsurfrules", ".continue/", ".continuerc*", ".amp/", ".factory/", ".augment/",
    ".augment-guidelines", ".junie/", ".kiro/", ".trae/", ".serena/", "JULES.md",
)  # fmt: skip
