"""Scripts that run inside the sandbox, on files nobody vouches for: standard library, codespell, parsers, each other.

They import nothing else of ours and read nothing but the tree and their arguments.
"""
