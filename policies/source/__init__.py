"""Sources (runbook §5): what an answer says, and how good it is. Pure: the same bytes, the same records.

files.py      A data file of the repository, as its source's records make it
lifecycle.py  What a source is now: the file is the most it may be, Control's books can only be lower
quality.py    The trial metrics, and what a source's thresholds make of them
records.py    From an answer to records: parsed, selected, checked, sorted
scouting.py   Who could be tried, and who is: the catalogue, links of the repository, the rules of the choice
sightings.py  Records that are for candidates: which file each is about, how bad it is
trials.py     A trial judged: shapes, differences, metrics, gates, and the promotion that is proposed
"""
