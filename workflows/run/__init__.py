"""``DailyRun``, the nine steps of runbook §4, and ``SourceExpansion`` (§5), a gate before each step.

ci.py         Waiting for the forge's own CI, by a durable timer, until a deadline (runbook §3, §6.2)
context.py    A run as its parts see it: gate, ledger, what it shows, and its ways to wait, to do a step and to write
daily_run.py  ``DailyRun``: the nine steps of runbook §4, a gate before each, one report at the end whatever happens
gate.py       The durable pause point every step and every write passes (P1)
ledger.py     What a run has produced so far: kept by the workflow
merge.py      SELECTIVE_AUTO after the pull request: check, canary, release again, merge
one_run.py    What every run is: admitted by Control, gated, reported, its end told, whatever it does in between
source_expansion.py  ``SourceExpansion``: scout, plan, fetches by durable timers, judgement (runbook §5)
"""
