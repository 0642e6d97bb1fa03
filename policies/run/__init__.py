"""Before a run and around it: may it start, is it alone, does it get on.

alerts.py     Which alerts the end of a run raises (runbook §9)
caps.py       What the policy says to Control: its terms, each period's caps, a step's worst case
dead_man.py   The dead-man's switch (runbook §9): a daily run that did not end in time, and why
known_bad.py  Cases every gate must refuse. A gate never seen to refuse is not trusted (runbook §3)
obstacles.py  What keeps a run from its repository and is no fault of its change: which cure helps, one sentence each
preflight.py  The six checks before any run (runbook §3), as far as they are pure
strangers.py  Marks of another installation on the same remote: branches
stuck.py      Which open workflows do not get on (runbook §9; P15: a stuck run alerts)
"""
