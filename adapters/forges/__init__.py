"""Where pull requests live: the local folder, Gitea or Forgejo, GitHub (``ports/forge.py``).

kinds.py       The kinds of forges: one row each. What a row does not name is refused, in the child as in look-ups
local.py       The embedded forge, read: a bare repository, and pull requests and tickets as JSON files beside it
local_issues.py   Issues of a target without a forge of its own, as a person opens them
local_desk.py  What a person does with a pull request of the local forge: close it
gitea/         Gitea and Forgejo behind the forge port: the API version 1 that both speak
github/        GitHub behind the forge port: github.com and Enterprise Server, over the REST API of version 2022-11-28
http/          What every forge with an API over HTTP needs: its address, tokens, a careful client
"""
