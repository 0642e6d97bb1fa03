"""GitHub behind the forge port: github.com and Enterprise Server, over the REST API of version 2022-11-28.

api.py         One repository's part of GitHub's API, as values
app_tokens.py  A GitHub App's installation tokens: signed for by its key, for one repository
checks.py      Check runs and commit statuses as one: what GitHub's two kinds of CI results say of a commit, by name
checkup.py     Whether a target's GitHub can be used as its file says
client.py      githubkit with every door closed: one origin, no redirect, no proxy, no cache, no repeat
forge.py       ports.forge.Forge over GitHub's API: its CI, its protection, its people
writer.py      Writing to a GitHub: how its pull requests land
"""
