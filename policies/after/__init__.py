"""After a run: whose a regression is, what people asked, the incident's report.

attribution.py        Whose regression is it? (runbook §6.3). Only a red that began with our merge is ours
incident_matrix.py    The incident matrix: what happens when something goes wrong, in which order
incident_report.py    The post-incident report (runbook §12): its seven parts, and who may change what, when
requested_changes.py  A review that requests changes on a pull request of ours: who waits for what, what we say
served_branches.py    Which branches of ours have served their purpose: those may go, and no other
"""
