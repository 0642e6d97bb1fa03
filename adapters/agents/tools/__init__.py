"""The registry of deterministic engineering tools: one file per tool."""
