"""Gitea and Forgejo behind the forge port: the API version 1 that both speak.

api.py      One repository's part of the API, as values
checkup.py  Whether a target's Gitea can be used as its file says
forge.py    ports.forge.Forge over Gitea's API: its CI, its protection, its people
writer.py   Writing to a Gitea: how its pull requests land
"""
