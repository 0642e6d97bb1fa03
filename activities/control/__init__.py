"""Control's own steps, and what a Control that lost its books takes over.

admitting.py       Admission, the run's last word, and Control's own steps
ended_by_force.py  What a run that was ended by force had done: read from its history
lost_books.py      What the audit logs say is still in flight
telling.py         What workflows tell a Control, and what lists say of it
"""
