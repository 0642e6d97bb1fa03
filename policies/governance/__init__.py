"""The weekly review (runbook §11): numbers from facts, and "not enough data" where there are too few.

baselines.py    Every baseline metric: formula, target, and how many cases it takes to say anything
calibration.py  The risk score against what happened
earned.py       Whether a kind of task has earned SELECTIVE_AUTO, and what is missing
edits.py        A proposal's edits in the text of a policy file: all or none, and only what may be proposed
flakes.py       The flake ledger: same commit, different answers, over runs
proposals.py    At most one bounded step of one threshold, for a person to take or leave
review.py       The whole review of a window, by target, mode and task type
"""
