"""What an operator types: one module for each noun.

agents.py         Coding agents of others' making: which there are, what each was seen to do, installing
alerts.py          ``alerts``: what was raised, what became of it, and a test of every channel
app.py             The command line: which command is where. A command's module is imported when it is typed
audit.py           ``audit verify``: the audit logs against the heads kept elsewhere (P10)
budget.py          ``budget``: what was spent and reserved, a cap for the present period, and the cost nobody reported
charter.py         ``charter``: who acts in which role, what each may do and spend, and whether it can be reached
conversations.py   Questions and commands to Installation, Control and runs over a client
dashboard.py       ``dashboard``: what a target's dashboard ticket says, and how its latest look went
doctor.py          ``doctor``: what is missing, and what to do about it
exit_statuses.py   Exit statuses of ``starter.py``; the README and ``--help`` show this table
failures.py        What went wrong, in one sentence that says what to do, with the exit status that belongs to it
grant.py           ``grant``: a person releases the quarantined change of an escalated run, once, for a while
home.py            One embedded server per home folder: who holds it, and where that server answers
incident.py        ``incident list | show | edit | close | prevented``: post-incident work (runbook §12)
init.py            ``init``: a look at a repository, its checks tried on its base, a target file for a person to read
furnishing.py      The first check environment of a repository that can be made: as declared, or with less
introduction.py    Getting to know a repository: fetch, survey, and a trial of the proposed checks on its base
issue.py           ``issue open | list | close``: of a target without a forge of its own
leaving.py         The one way out of every process that used the Temporal client
mode.py            ``mode`` and ``decide``: what only a person says
pause.py           ``pause``: the brake, and how to know that it holds (P1)
policy.py          ``policy``: what is in force, and what another policy would have decided
pr.py              ``pr``: a person's answer to pull requests on the local forge, which has no page to give it on
recover.py         ``recover``: a Control, or the Installation, that cannot answer any more is replaced by a new one
report.py          ``runs`` and ``report``: ended runs, from the artifact store; no server needed
resume.py          ``resume``: the ladder back, step by step (P2)
review.py          ``review``: the governance review (runbook §11); no server needed
rollback.py        ``rollback``: a person undoes a merge of ours; and what follow-ups and rollbacks show of themselves
run.py             ``run``: one run of one target, now
schedule.py        ``schedule``: the daily start, as a Temporal Schedule that everybody sees in the UI
sights.py          A look at several targets at once: each answers for itself, with its own error and what to do
silence.py         ``silence``: keep a kind of alert quiet for a while, under somebody's name
sources.py         ``sources``: where Sensing learns something (runbook §5), and how good an answer is
status.py          ``status`` and ``queue``: what the installation and its targets are doing
terminal.py        Where commands speak: results on stdout, everything else on stderr; how each ends; who is typing
try_agent.py       ``try``: one DRY_RUN with an agent on one task; nothing is written
up.py              ``up``: the embedded server, its UI and a worker, until Ctrl-C
watch.py           ``watch``: one run until it ends, a line per step on stderr, the result at the end
why.py             ``why``: why a target works or not, why a run went as it did, what an incident is
"""
