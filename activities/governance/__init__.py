"""What the weekly review looks at (runbook §11).

comparing.py       Past runs by who coded in them (``starter.py agents compare``)
earning.py         What each kind of task lacks to merge by itself, cheaply, for every admission
gathering.py       The facts of a review, from the targets' audit logs and from what their runs and incidents left
kept_proposals.py  Proposals to change the policy, written once, until they are withdrawn
past_decisions.py  Past release decisions under another policy (``starter.py policy what-if``)
reviewing.py       The review: gathered, judged, kept
"""
