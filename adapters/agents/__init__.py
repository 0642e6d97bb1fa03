"""Agent backends behind ``ports.agents``.

equality.py         The port's answer from the proof that the tools' own changes have to pass (``inside/equality.py``)
reviewer.py         The deterministic reviewer: compares two trees, and believes neither the coder nor its tools
tools_backend.py    The embedded default backend: deterministic engineering tools instead of a model
tree_difference.py  How two checkouts differ, seen by reading them: nobody's list of changes is believed
inside/             Scripts that run inside the sandbox, on files nobody vouches for: standard library, codespell
tools/              The registry of deterministic engineering tools: one file per tool
"""
