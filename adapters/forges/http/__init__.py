"""What every forge with an API over HTTP needs: its address, tokens, a careful client, the mark of what is ours.

address.py          Where a target's forge is: derived from the remote, or as stated
answer_deadline.py  A deadline for an answer as a whole
answers.py          Answers that Gitea and GitHub give in the same shape; each holds what we use and no more
json_api.py         A careful HTTP client for one forge: TLS checked, no redirect followed, no proxy, no cookie
mirrored_forge.py   What reading Gitea and GitHub have in common: branches come by git; ours is told by branch
our_author.py       Whose name our commits on the base carry: the account's
ownership.py        The hidden lines of a text: which write opened a pull request or ticket (adoption looks for it
rate_limits.py      How long a forge says to wait: its own word for a rate limit, primary or secondary
shapes.py           A forge's answer as a value, or the reason why it is none
skipped.py          Jobs that a forge says it skipped, where nobody demands any by name
tokens.py           Tokens: from the worker's environment or a command, into the environment of one process
"""
