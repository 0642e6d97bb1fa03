"""After a run: whose a regression is, what people asked, the incident's report.

attribution.py        Whose regression is it? (runbook §6.3). Only a red that began with our merge is ours
incident.py           What a trigger brings about (runbook §6); the post-incident report and who may change it (§12)
requested_changes.py  A review that requests changes on a pull request of ours: who waits for what, what we say
served_branches.py    Which branches of ours have served their purpose: those may go, and no other
"""
