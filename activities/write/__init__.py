"""Outside effects: planned by a run, cleared by Control, done once (P1, P3, P7).

cleared_write.py  Cleared writes: around every outside effect begin_write, log, begin_write again, child, settle_write
commenting.py     What became of a pull request: at its text's head, and as a comment when we acted on it
writing.py        The writes a run planned, each as cleared writes: in DRY_RUN the very same call (P3)
"""
