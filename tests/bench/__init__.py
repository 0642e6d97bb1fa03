"""`make bench`: what the system costs, as ratios inside one run, by CPU time.

raw.py     The reference of a run: as many steps that do nothing, and nothing else
ratios.py  The table of docs/performance.md, printed line by line; no line fails, as a machine's moods are no bug
"""
