"""Messages as they arrive: what may be anything, what is malformed, and what a person states.

malformed.py   Malformed messages end at the sender (P14), and never in a handler
signals.py     Reading a signal whose payload may be anything at all (P1)
starts.py      Reading what somebody started a run with: strict enough to be safe, clear enough to be mended
statements.py  Who says so, and why: blanks are no statement (P14)
"""
