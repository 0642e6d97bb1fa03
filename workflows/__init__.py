"""Durable flows: order, waiting, state. No I/O; every effect is an activity named in ``activities.api``.

api.py         Names and ids of the durable conversations: what starter, tests and the Temporal UI refer to
epochs.py      Epochs are only compared: the highest is the newest, whoever was terminated or reset in between
polling.py     Waiting by a durable timer, and looking again until a look says enough
after/         What follows a run: its merge or pull request, a rollback, an incident
control/       ``control/<target>``: the one serial place of a target's status, mode, epoch, queue
installation/  One of each per installation: the global status, the alerts, the dashboards
messages/      Messages as they arrive: what may be anything, what is malformed, and what a person states
run/           ``DailyRun``: the nine steps of runbook §4, a gate before each
"""
