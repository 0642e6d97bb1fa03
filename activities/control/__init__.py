"""Control's own steps, and what a Control that lost its books takes over.

admitting.py       Admission, the run's last word, and Control's own steps
budget_report.py   ``budget_alert_report.json`` (runbook §6.4): what Control found exhausted
ended_by_force.py  What a run that was ended by force had done: read from its history
lost_books.py      What the audit logs say is still in flight
schedule.py        Control's word to the target's Schedule (runbook §7)
telling.py         What workflows tell a Control, and what lists say of it
"""
