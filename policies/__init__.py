"""The rules: TOML an operator edits, and pure functions that judge. No clock, disk, network, randomness, Temporal.

counted.py   How numbers, rounds and long reasons stand in a sentence
digests.py   Canonical JSON and SHA-256: how policies, contracts and tasks are pinned (P6)
verdicts.py  Making and reading verdict trees. The result of a rule is its own explanation (P12)
agents/      Agents of others' making: who may play which role, what would give them orders, how their work ended
after/       After a run: whose a regression is, what people asked, the incident's report
governance/  The weekly review: numbers from facts (runbook §11)
paths/       Which paths and how much of them a base and a change may have
release/     What a finished change may become: checks, CI, the release verdict, its rejection
run/         Before a run and around it: may it start, is it alone, does it get on
settings/    The shape of the policy files: every setting with its meaning right below it
source/      Sources: what an answer says, and how good it is (runbook §5)
task/        From findings to one bounded task, and what is remembered of ideas
texts/       What stands in pull requests, comments, commits and reports
"""
