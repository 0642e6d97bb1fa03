"""Sources at work (runbook §5).

reading.py    One answer of a source: recorded, read, compared with its baseline, graded
recording.py  What a run uses of its target's sources, recorded by Sensing
"""
