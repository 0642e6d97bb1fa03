"""Agent backends behind ``ports.agents``.

backends.py         The backends there are: one row each
charter_check.py    Trying what a charter says of a role: one short question through the gateway, for a cent at most
first_exchange.py   What the first exchange of a role may cost at worst, which preflight looks at
model_backend.py    A model in a role that answers: one bounded exchange a question, held to our own contracts
model_request.py    One request to a model by pydantic-ai's direct interface, over a unix socket
command_backend.py  Any coding-agent program, in the sandbox: told by files, held by the gateway
installing.py       Installing agents: pinned, by npm or uv, and nothing of a package runs on this machine
reviewer.py         The deterministic reviewer: compares two trees, and believes neither the coder nor its tools
taken_out.py        What would give orders to a program: taken out before one starts, put back afterwards
task_folder.py      What a program is told: contract, bounds, and what is data, as files
tools_backend.py    The embedded default backend: deterministic engineering tools instead of a model
tree_difference.py  How two checkouts differ, seen by reading them: nobody's list of changes is believed
recipes/            Agents of others' making: how each is installed and started, what it was seen to do
"""
