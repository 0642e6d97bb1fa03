"""The steps of the installation: alerts, the watch, the dashboards.

alerting.py   Alerts on their way: raised by workflows, delivered through channels (runbook §9)
dashboard.py  The dashboard tickets: looked at, compared, and written only where they do not say what is true
watching.py   The watch: what nobody would tell is looked for (runbook §9; a dead-man's switch)
"""
