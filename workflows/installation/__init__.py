"""One of each per installation: the global status, the alerts, the dashboards, the weekly review.

alert_rules.py   What becomes of a raised alert: pure rules over ``AlertsState`` (runbook §9)
alerts.py        ``alerts``: every alert of the installation
dashboards.py    ``dashboards``: one ticket per target says how it stands, kept by edit. One per installation
governance_review.py  ``GovernanceReview``: the weekly review over all targets (runbook §11)
installation.py  ``control``: the global status of runbook §7 and the list of targets. One per installation
"""
