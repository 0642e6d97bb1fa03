"""From findings to one bounded task, and what is remembered of ideas.

acceptance.py   What an owner accepts: what comes first, what people here answered, and what goes quiet
asked.py        What an agent is asked for: a red check, an issue, a standing task; one way to a candidate
candidates.py   From findings to ranked ideas, whether one is worth a run, and why the rest is not
compliance.py   Uncertain compliance escalates (policy): what a licence says is not for a machine to change
dependencies.py  Which release of a dependency is proposed, and what of an update is a person's to decide
idea_memory.py  What earlier runs and people said about an idea, per tool, rule and path
measure_words.py  What an effect is called, by the way it is measured, a row each
planning.py     From the chosen candidate to the one bounded contract of a run (runbook §4 Planning; task contracts)
questions.py    Questions on issues: which are unclear, whose answers count, what is quiet until then
remediation.py  Remediations (runbook §6.2): the same fix on fewer files
risk.py         The risk score
rounds.py       Whether what failed goes back to the agent that coded, within the same run
target_memory.py  What a rollback leaves for later runs (runbook §8): the idea stays away for a while
task_words.py   What a task is in a maintainer's words: its title, and why
"""
