"""Agent backends behind ``ports.agents``.

backends.py         The backends there are: one row each
reviewer.py         The deterministic reviewer: compares two trees, and believes neither the coder nor its tools
tools_backend.py    The embedded default backend: deterministic engineering tools instead of a model
tree_difference.py  How two checkouts differ, seen by reading them: nobody's list of changes is believed
"""
