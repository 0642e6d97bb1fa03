"""Coding agents of others' making: one file each says how it is installed and started, and what it was seen to do.

recipe.py          What a recipe says, and the table of them
aider.py           aider: no tools, edits by search and replace in the answer's text
claude.py          Claude Code
codex.py           Codex
gemini.py          Gemini CLI, on a Node of its own
gptme.py           gptme
mini_swe_agent.py  mini-swe-agent: a hundred lines around one shell
opencode.py        opencode
"""
