"""GitHub behind the forge port: github.com and Enterprise Server, over the REST API of version 2022-11-28.

answers.py     GitHub's answers as values; each holds what we use and no more
api.py         One repository's part of GitHub's API, as values
app_tokens.py  A GitHub App's installation tokens: signed for by its key, for one repository
checks.py      Check runs and commit statuses as one: what GitHub's two kinds of CI results say of a commit, by name
checkup.py     Whether a target's GitHub can be used as its file says: read only, one clear sentence each
client.py      githubkit with every door closed: one origin, no redirect, no proxy, no cache, no repeat
forge.py       ports.forge.Forge over GitHub's API; branches are read with git, as everywhere
writes.py      Inside the jail, for a GitHub: look, act once, and after an unclear answer look again
"""
