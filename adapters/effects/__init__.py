"""Writing to the outside: one jailed child process per effect, alone with the credential.

base_branch.py    Merge and revert: the base branch moves on by one commit of ours, by compare-and-swap
child.py          Inside the jail: refuse, arm the kernel's timer, look, act, look again
local_records.py  The local forge's records: one JSON file per pull request or ticket, found, read, opened, changed
local_writes.py   Inside the jail, for the local forge: pull requests, what is said below them, tickets
order.py          What the parent tells the child, once, on standard input
process_jail.py   Bubblewrap as a process jail: nothing started inside outlives its end, its caller or its kill
runner.py         ports.forge.Effects: starts the child for one effect and reads what it found
"""
