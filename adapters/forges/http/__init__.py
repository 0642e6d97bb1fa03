"""What every forge with an API over HTTP needs, once: its address, tokens, a careful client, reading, writing, doctor.

address.py     Where a target's forge is, and under which address it knows our account
checkup.py     Whether a target's forge can be used as its file says: nothing is changed, one clear sentence each
forge.py       ports.forge.Forge over a forge's API: branches come by git; ours is told by branch, author and mark
json_api.py    Requests to one forge's JSON API: looking is repeated a little, acting never
ownership.py   The hidden lines of a text: which write opened a pull request or ticket, and our head above it
repository.py  One repository on a forge, as values: what the dialects of Gitea and GitHub have in common
tokens.py      Tokens: from the worker's environment or a command, into the environment of one process
wire.py        One request over the wire: bounded in size and in time, no redirect followed
writer.py      Inside the jail: look, act once, and after an unclear answer look again
"""
