"""Writing to the outside: one jailed child process per effect, alone with the credential.

base_branch.py    Merge and revert: the base branch moves on by one commit of ours, by compare-and-swap
child.py          Inside the jail: refuse, arm the kernel's timer, look, act, look again
deadline.py       The kernel ends this process at a moment, also when the machine slept until after it
local_pulls.py    The local forge's pull requests: opened for a branch that is there
local_records.py  The write side of the local forge: one JSON file per pull request or ticket
local_tickets.py  The local forge's tickets: records as of pull requests, and ``index.md`` for people
local_writes.py   Inside the jail, for the local forge: a record beside the bare repository
order.py          What the parent tells the child, once, on standard input
process_jail.py   Bubblewrap as a process jail: nothing started inside outlives its end, its caller or its kill
runner.py         ports.forge.Effects: starts the child for one effect and reads what it found
"""
