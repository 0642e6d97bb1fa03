"""Sources (runbook §5): what an answer says, and how good it is. Pure: the same bytes, the same records.

quality.py  The trial metrics, and what a source's thresholds make of them
records.py  From an answer to records: parsed, selected, checked, sorted
"""
