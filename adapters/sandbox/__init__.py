"""The sandbox: everything a repository can influence runs in here, or not at all (P8).

bubblewrap.py     BubblewrapSandbox: start, watch, kill
enclosure.py      what the command sees: the bwrap arguments
process.py        a started sandbox: its first process, its streams, its end
private_copy.py   a command's own copy of a folder, in its tree
unprivileged.py   the user id a command runs under when we are root, and the tree it is lent
supervision.py    what a running command may take: time, output, memory, files, disk
outbound.py       what a command sent towards other machines: none of it left, each try is counted
interpreter.py    where a Python interpreter lives, so that it can be shown inside
self_test.py      tries to break out before anything is trusted to it
break_out.py      the tries, run inside
bwrap_program.py  Where the bubblewrap program is: the system's, else the one that came with the lock
"""
