"""``control/<target>``: the one serial place of a target's status, mode, epoch, queue, money and writes in flight.

admission.py         Admission: may this run start? (runbook §3, §7)
after_runs.py        Control's loops for what comes after a run: following it up, rolling it back (runbook §6.3, §8)
budget.py            The budget's rules (runbook §3, §6.4; P9): money is reserved before it is spent
budget_alerts.py     Thresholds and exhaustion of the budget (runbook §6.4, §9)
budget_book.py       What Control remembers of a target's money (P9): bounded, and part of its books
clearances.py        Clearances: may this write begin, and how did it end? (P1, P3, P7)
control.py           ``control/<target>``: the one serial place of a target's status, mode, epoch
earning.py           Whether a kind of task merges by itself: earned, or by a person's override
follow_ups.py        Follow-ups in Control's books: what a run leaves open on the forge, or on the base
grants.py            Grants: a person releases one quarantined change ("the work is kept")
incident_records.py  Incidents in Control's books (runbook §6, §12): opened once, shown until the prevention is done
loop.py              What takes Control time: registering, telling runs, logging, reaping, the ladder's smoke
pausing.py           Pause, also of itself and of the Schedule, and the resume ladder (runbook §7; P1, P2)
reaping.py           Runs and follow-ups that closed without saying so, and writes nobody settled
remediations.py      Control's remediations (runbook §6.2): one for each failure, counted, bounded
rollback_records.py  Rollbacks in Control's books (runbook §6.3, §8): once per run, one at a time, never in a loop
source_records.py    Sources in Control's books (runbook §5): lowered at once, raised by a person alone
state.py             Everything Control knows, in one bounded model: continue-as-new hands it on in one line
"""
