"""After a run: whose a regression is, what people asked, the incident's report.

attribution.py   Whose regression is it? (runbook §6.3). Only a red that began with our merge is ours
incident.py      What a trigger brings about (runbook §6); the post-incident report and who may change it (§12)
later_review.py  The review of a run once its change was merged or closed (runbook §10): what became of it
open_pulls.py    What becomes of pull requests of ours: asked to change, and whose branch has served its purpose
"""
