"""The steps of a run (runbook §4), in their order, and what they share.

agent_records.py   What agents did in a run, by our own records; also of steps that did not end (P9)
asking.py          What an agent could be asked for on this base, gathered by Sensing
auditing.py        Step 9: the final run report, the archived history, the chain's head in the mirror
background.py      What an agent is told beside its task: conventions, related files, findings, past attempts
checking.py        Step 7: a target's checks, run on one exact tree, and how their results are read (P4, P8)
ci.py              One look at the forge's own CI, and at the pull request whose commit it is about (runbook §3, §6.2)
coding.py          Step 5: the change, made inside the contract's scope and measured by us
coverage.py        Which lines the target's own checks ran, beside the lines of recent commits
flaky_checks.py    This target's flake ledger, as its last runs left it, for Sensing
measuring.py       What is run to measure a task's effect: checks and commands on copies of a tree (P6, P8)
merging.py         Before a merge: is the merge result the one that was checked? If the base moved
open_pulls.py      What becomes of earlier runs' pull requests and branches: moot, asked to change, served
partial_tree.py    What an interrupted agent left: kept, and gone on from
planning.py        Step 4: one bounded task (``task_contract.json``), approved by policy or by a person
preflight.py       Step 1: the six checks of runbook §3, each with a receipt
proposals.py       Asking an agent: its answer must fit our contract, or it is asked again, at most N times (P6)
questions.py       Questions on issues, planned by whichever step finds one unclear
quarantine.py      What an escalated run left behind, believed only as far as its own audit log vouches for it
reading.py         Reading what a run left, its failed checks too, for a report that must be made whatever became of it
releasing.py       Step 8: the outcome policy allows, as a verdict tree (``release_decision.json``)
responding.py      Walks a row of the incident matrix for a run whose verdict escalated
reviewing.py       Step 6: a second look by somebody who did not write it (``review_report.json``)
rollback_drill.py  The rollback drill: merge and revert for real in a scratch clone, with the code real rollbacks use
rounds.py          Another round of Coding: what failed is told to it, as data
sensing.py         Step 2: what is there, measured on the base commit (``state_snapshot.json``)
spending.py        Around the work of an agent step: reserve its worst case, measure, settle what it really cost (P9)
strangers.py       Telling a second installation on the same remote by its marks, once a day
triaging.py        Step 3: what could be done, ranked, with what is remembered of it (``candidate_tasks.json``)
"""
