"""Agent backends behind ``ports.agents``.

backends.py         The backends there are: one row each
charter_check.py    Trying what a charter says of a role: one short question through the gateway, for a cent at most
model_backend.py    A model in a role that answers: one bounded exchange a question, held to our own contracts
model_request.py    One request to a model by pydantic-ai's direct interface, over a unix socket
reviewer.py         The deterministic reviewer: compares two trees, and believes neither the coder nor its tools
tools_backend.py    The embedded default backend: deterministic engineering tools instead of a model
tree_difference.py  How two checkouts differ, seen by reading them: nobody's list of changes is believed
"""
