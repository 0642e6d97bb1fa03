"""What is handed over: frozen values that cross a boundary. No behaviour, no I/O, no clock.

admission.py      Admission and the life of a run, as Control and the run talk about it
alert.py          Alerts (runbook §9): at least once, each with its fingerprint
artifact.py       The base of every contract, and the reference by which artifacts travel
asked.py          What a person asks an agent for (``starter.py try``); it travels with the run
audit.py          The tamper-evident log's record (P10)
budget.py         The budget (runbook §3, §6.4; P9): caps, reservations, settlements
change.py         A run's change, as measured from two commit ids in our own bare mirror
ci.py             ``ci.json``: what the forge's own CI said of the commit that a run stands for (runbook §3, §6.2)
clearance.py      Clearances: what a step asks before an outside effect, and how the effect ended
control.py        Operators' messages to Control and Installation, and what these show of themselves
dashboard.py      The dashboard ticket of each target: what is shown, and how the looks went
dependency.py     What a run found out about a target's dependencies: ``lookups/dependencies.json``
exchange.py       Exchanges with a model, and how an agent's work on one step ended
effect.py         One outside effect, complete: what the effect's own child process is told to do
evidence.py       What Review and the deterministic checks leave behind
forge_facts.py    What a forge says about commits, branches and people; never what we would like it to say
governance.py     ``governance_review.json`` (runbook §11), and what it is made from
grant.py          Grants: a person releases a quarantined change, once, for a while
handover.py       What every step receives and returns
home.py           Whose files an installation works on
incident.py       Incidents (runbook §6, §12): triggers, the report's parts, what ``Incident`` and its steps hand over
later_review.py   ``post_run_review.json`` (runbook §10): what became of a run's change, looked at again later
merging.py        SELECTIVE_AUTO: the merge result that may land, its canary and its probes (P4)
messages.py       What is said to Control and asked of it: each message with its types
modes.py          The closed vocabularies of the runbook: modes, statuses, outcomes, roles
proposal.py       Proposals to change the policy (runbook §5, §11), for a person to take or leave
pull_request.py   A pull request as any forge shows it
release.py        ``release_decision.json``, and what it was made from: ``release_facts.json``
remediation.py    A remediation (runbook §6.2): a change was rejected by its checks
report.py         ``run_report.json`` (runbook §4, §10)
rollback.py       After a merge (runbook §6.3, §8; P11): probes, observations, the rollback and what it proves
source.py         Sources (runbook §5): where Sensing learns something, what it yielded, how good that was
task.py           Findings, candidates and the one task contract of a run (task contracts, runbook §4)
terms.py          What a target's policy says to its Control: it travels as one
trial.py          A source expansion (runbook §5): candidates, a trial's contract, its fetches, its report
verdict.py        A verdict is its own explanation: rule, decision, reason, facts, children (promise P12)
watching.py       What the watch sees (runbook §9: a run that is missing, a run that does not get on)
"""
