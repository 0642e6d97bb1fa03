"""Getting to know a repository for ``init``: what is there, and the target file that says so.

hooks.py         The owner's own fixers of Python's registry: pre-commit's hooks and formatters, as pinned
languages.py     Go, Rust and Node: how they are prepared and checked, from their manifests, scripts and CI
layout.py        Where a package and its tests lie in a tree
clients.py       what this machine has of a language, and which registry its own client would ask
own_commands.py  What a repository itself runs: its CI, tox, nox, scripts, Makefile, pre-commit
python_locks.py  Python prepared by commands: by a lock file of uv, poetry or pdm, or several packages
submodules.py    Submodules and git LFS files that a target's checks can be given
surveyor.py      A look at a new repository: layout, tests, linters, requirements. Nothing of it is executed (P8)
target_file.py   Writes ``targets/<name>.toml`` for a person to read: every setting with its reason
"""
