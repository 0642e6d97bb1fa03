"""What the weekly review looks at (runbook §11).

past_decisions.py  Past release decisions under another policy (``starter.py policy what-if``)
"""
