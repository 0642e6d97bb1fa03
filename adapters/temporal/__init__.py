"""The durable engine: connection, embedded server, and conversations with Control.

activity_failures.py  What is done to the failure of any activity: a full disk says so, a forge's delay is kept to
alert_sink.py       Handing alerts to the ``Alerts`` workflow, from synchronous activities
commanded_tasks.py  What a workflow commands must not depend on how messages are grouped into workflow tasks (P16)
connection.py       Connecting to a Temporal server, and making sure the namespace is what the runbook needs
control_desk.py     Conversations with Installation and Control over a Temporal client, from synchronous activities
crew.py             A worker as one thing: runs' steps and Control's own with slots of their own each
embedded_server.py  The embedded Temporal server with its UI: one process, one SQLite file, dies with its parent
installation.py     The one ``Installation``: started where it is missing, claimed for one home, never lost for long
open_workflow.py    The long-lived workflows, each the only one of its id: started where it is missing
plugin.py           One plugin for worker, starter, tests and replay: converter, sandbox runner
schedules.py        A target's Temporal Schedule, paused and continued with the target (runbook §7)
server_view.py      Looking at schedules, Controls and open workflows over a Temporal client
ui_front.py         Before the embedded server's UI: only pages of its own may talk to it
"""
