"""What stands in pull requests, comments, commits and reports.

commit.py          What the commits say that move the base: which pull request, which run; and for a revert
inert_markdown.py  The last word before text goes to a forge: outside code spans nothing pings, links
outcome.py         What stands at the head of a text of ours once it is known: how a pull request ended
proposal.py        A proposal to change the policy: what, why, by what, and how it is undone
pull_request.py    What a pull request says. Equal in DRY_RUN and PR_ONLY on the same base (P3): no run id, no time
question.py        What is asked on an issue that nobody could do
run_report.py      The final report of a run, and the five questions of runbook §10, answered from facts alone
"""
