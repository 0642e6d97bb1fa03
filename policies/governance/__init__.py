"""The weekly review (runbook §11): numbers from facts, and "not enough data" where there are too few.

baselines.py    Every baseline metric: formula, target, and how many cases it takes to say anything
calibration.py  The risk score against what happened
earned.py       Whether a kind of task has earned SELECTIVE_AUTO, and what is missing
proposals.py    At most one bounded step of one threshold, as a patch for a person
review.py       The whole review of a window, by target, mode and task type
"""
