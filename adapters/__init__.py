"""The outside world behind the ports.

agents/        Agent backends behind ``ports.agents``
alerts/        Ways by which alerts reach people: a file, the terminal, and whatever apprise knows
effects/       Writing to the outside: one jailed child process per effect, alone with the credential
environments/  Check environments: wheels only, read from the base commit
forges/        Where pull requests live: the local folder, Gitea or Forgejo, GitHub (``ports/forge.py``)
git/           Git behind ports.repository: the only package that starts git
models/        The gateway: the only way to a model, for every backend (``ports/models.py``)
policy_files/  The operator's policy folder: read whole or refused, with file, line, key and nearest valid key
probes/        Health probes by URL: each one asked by a child process that can be killed, whatever it waits for
sandbox/       The sandbox: everything a repository can influence runs in here, or not at all (P8)
sources/       Where records come from (runbook §5), behind ``ports.sources``
store/         What is kept on this machine: artifacts, audit logs, the index of runs
survey/        Getting to know a repository for ``init``: what is there, and the target file that says so
temporal/      The durable engine: connection, embedded server, and conversations with Control
tools/         Deterministic engineering tools: they find, mend, and find again on the changed tree
killable_child.py  A question asked by a child process that can be killed, whatever it waits for
one_request.py     The child: asks for one URL, of hosts that the operator named; the standard library alone
secret_shapes.py   What a secret looks like: a review refuses it, a transcript is kept without it
"""
