"""Sources at work (runbook §5).

reading.py  One answer of a source: recorded, read, compared with its baseline, graded
"""
