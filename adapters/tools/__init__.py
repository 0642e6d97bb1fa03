"""Deterministic engineering tools: they find, mend, and find again on the changed tree; one file per tool.

advisories.py      Known vulnerabilities, as the ecosystems' own programs print them
benchmark.py       A benchmark's ratio: run in turn on a change and on its base, and told apart from noise
check_measures.py  Effects that a target's own checks show
comparison.py      What our scripts in the sandbox say of a change: equal or not, and what its syntax holds
covered_lines.py   Which named lines a check of the target runs, by the report that it leaves itself
dependencies.py    A newer release of one package, made by the ecosystem's own command, in the lock files alone
dependency_look.py  What there is beyond a lock file: asked of its registry, tried twice, judged whole
fixers.py          Fixers of the owner's own, in the repository's own environment; repeatable, or refused
idle_tests.py      Tests that tell nobody anything, and new lines that no test runs: for a person to see
locks.py           Lock files: what is locked, and the commands that change it, a row each
measures.py        Measuring with them: the tools there are, and the ways in which a task's effect is counted
other_linters.py   What the owner's other linters leave out: flake8, pycodestyle and pylint, by whose names ruff's
owners_files.py    Files in which an owner sets up other tools: pre-commit's hooks, and settings like ``setup.cfg``
path_patterns.py   Which paths a repository's own regular expressions match, by a child that can be killed
pins.py            One package, one pin: requirement files and ``pyproject.toml`` must not demand different versions
policy_edits.py    Proposals to change the policy, in the repository that holds its files
python_support.py  Which Python versions a package promises to support: no tool may modernise above that
ruff.py            ruff's findings, one task per rule family; of its fixes those that are proven to change nothing
ruff_settings.py   What the repository's owner selected of ruff, and what we look for where nothing is selected
source_files.py    Data files that a source refreshes (runbook §5)
source_tree.py     A checkout as the tools see it: ordinary files of the project's own, nothing vendored or generated
spelling.py        codespell on documents, comments and docstrings; never on code, data or names
tool.py            What a tool is, and what one says of the findings it makes
tool_runner.py     Runs a tool's program on a tree, in the sandbox (P8)
inside/            Scripts that run inside the sandbox, on files nobody vouches for: standard library, codespell
"""
