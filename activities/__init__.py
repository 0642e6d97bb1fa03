"""The steps: what touches the world, one module per capability, behind ports.

api.py           The typed face of every step: what a workflow may call. Importing this loads no implementation
heartbeat.py     Beating while a step works: the only way a step learns that it is cancelled
step_session.py  What every step of a run has in hand: the pinned policy, artifacts, the audit log, the repository
work_folder.py   An empty folder for one attempt of one step; what killed workers left behind goes first
after/           The steps of ``FollowUp``, ``Rollback`` and ``Incident``
control/         Control's own steps, and what a Control that lost its books takes over
governance/      What the weekly review looks at (runbook §11)
operate/         The steps of the installation: alerts, the watch, the dashboards
run/             The steps of a run (runbook §4), in their order, and what they share
source/          Sources at work (runbook §5)
write/           Outside effects: planned by a run, cleared by Control, done once (P1, P3, P7)
"""
