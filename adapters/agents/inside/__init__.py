"""Scripts that run inside the sandbox, on files nobody vouches for; standard library and codespell only.

They import nothing of ours and read nothing but the tree and their arguments.
"""
