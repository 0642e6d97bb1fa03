"""Ways by which alerts reach people: a file, the terminal, and whatever apprise knows.

apprise_channel.py  Alerts through apprise: Slack, e-mail, webhooks, PagerDuty and a hundred more
apprise_child.py    ``python -m adapters.alerts.apprise_child``: one notification, in a process that can be killed
built_in.py         The channels that need no service: lines of a file, and the worker's terminal
"""
