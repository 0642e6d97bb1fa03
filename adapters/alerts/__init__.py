"""Ways by which alerts reach people: a file, the terminal, and whatever apprise knows.

alert_file.py       Alerts as lines of a file: the channel that needs nothing but a disk
apprise_channel.py  Alerts through apprise: Slack, e-mail, webhooks, PagerDuty and a hundred more
apprise_child.py    ``python -m adapters.alerts.apprise_child``: one notification, in a process that can be killed
terminal.py         Alerts on the worker's terminal, one line each
"""
