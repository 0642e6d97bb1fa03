"""Getting to know a repository for ``init``: what is there, and the target file that says so.

surveyor.py     A look at a new repository: layout, tests, linters, requirements. Nothing of it is executed (P8)
target_file.py  Writes ``targets/<name>.toml`` for a person to read: every setting with its reason
"""
