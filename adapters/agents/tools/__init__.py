"""The registry of deterministic engineering tools: one file per tool.

flake8_settings.py  What flake8's configuration leaves out: its rules have the same names as ruff's
ini.py              Settings in the manner of ``setup.cfg``, which many tools share
pins.py             One package, one pin: requirement files and ``pyproject.toml`` must not demand different versions
pre_commit.py       The hooks of pre-commit's configuration: what the owner runs, on what, with which arguments
proof.py            Asks, in the sandbox, whether changes can be shown to be equal to what was there
python_facts.py     What the syntax of Python files says of them, read in the sandbox (``inside/python_facts.py``)
python_support.py   Which Python versions a package promises to support: no tool may modernise above that
registry.py         What a tool is, and the tools there are
ruff.py             ruff's findings, one task per rule family; of its fixes those that are proven to change nothing
ruff_settings.py    What the repository's owner selected of ruff, and what we look for where nothing is selected
scope.py            Whether a contract lets Coding touch a path
source_tree.py      A checkout as the tools see it: ordinary files of the project's own, nothing vendored or generated
spelling.py         codespell on documents, comments and docstrings; never on code, data or names
tool_runner.py      Runs a tool's program on a tree, in the sandbox (P8)
"""
