"""What the steps need from the outside world, as small protocols. Activities know these, never an adapter.

agents.py         Agents propose, and say what it cost; validated, and measured by others (P6, P9)
alerts.py         Alerts go out at least once, carrying their fingerprint (P7, runbook §9)
clock.py          The one clock that deadlines of writes are told by
control_desk.py   How a step talks to Control: ask, settle, report. The only place where clearances come from
crashpoints.py    Named places where a test can make the worker die
environments.py   Check environments: binary wheels only, nothing of the repository executed outside the sandbox
forge.py          The forge, split by power: reading needs no clearance, every write demands one
full_disk.py      A full disk is called that, whoever met it: git, a library
measures.py       What is in a tree, what a task's effect is, what a change leaves as it was; no agent's part (P6)
models.py         Asking a model: only through a gateway of ours, which reserves, records and types (P8, P9)
policy_source.py  Where policies come from: files of the operator, read whole or refused (P6, P13)
probes.py         Asking a URL for the health of a commit
removal.py        Folders for one attempt, and the one way to remove what a repository or a killed process left
repository.py     Git, as the steps need it: one target's bare mirror, outside every sandbox (P8)
sandbox.py        Where everything a repository can influence runs (P8)
server.py         The Temporal server: what keeps a process from it, and what the watch can look at
sources.py        Sources of records (runbook §5): asked once, answered with bytes, and all that was said about them
store.py          Artifacts, audit logs, the list of ended runs: content-addressed, atomic, never half written
"""
