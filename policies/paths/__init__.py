"""Which paths and how much of them a base and a change may have.

base_limits.py  What a base may hold at most (``[limits]`` of a target), counted entry by entry
canonical.py    What a path means to every file system and every eye, and which names are refused whole (P5)
diff_budget.py  How big a change may be (policy defaults "diff budget"; runbook §4)
pointers.py     Pointers of git LFS: the text where a large file's content is kept elsewhere (P5)
rules.py        Which paths a change may touch (promise P5; runbook §3 "protected-path denylist", §6.1)
"""
