"""Gitea and Forgejo behind the forge port: the API version 1 that both speak.

acting.py   What every write to a Gitea has in common: one order, one act, and what an answer means
api.py      One repository's part of the API, as values
checkup.py  Whether a target's Gitea can be used as its file says: nothing is changed, one clear sentence each
forge.py    ports.forge.Forge over Gitea's API; branches are read with git, as everywhere
landing.py  Landing by pull request: the base becomes exactly the checked commit, by Gitea's ``fast-forward-only``
pulls.py    Pull requests on a Gitea: opened once, updated and closed while nobody else ended them
tickets.py  Tickets on a Gitea: one per key, opened, updated and closed; what a person closed stays closed
writes.py   Inside the jail, for a Gitea: look, act once, and after an unclear answer look again
"""
