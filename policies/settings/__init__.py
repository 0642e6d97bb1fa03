"""The shape of the policy files: every setting with its meaning right below it.

alerts.py        The shape of ``alerts.toml`` (runbook §9). Every setting has its meaning right below it
charter.py       The shape of ``charter.toml``: who acts in which role, and what a backend may use
environment.py   ``[environment]``, ``[[fixers]]``, ``[dependencies]``: what checks run in, what mends in there
forge_access.py  ``[forge_access]`` of a target: where its forge is, who we are there, where tokens come from
merging.py       The policy of merging by itself: the smaller budget, the canary, the probes, CI, what comes after
schema.py        The shape of the policy files. Every setting has its meaning right below it
section.py       What every table of the policy files is made of, and what a name that is none may have meant
sources.py       The shape of ``sources.toml`` (runbook §5)
tasks.py         What an agent may be asked for beside findings: ``tasks.toml``, and ``[issues]``
tightening.py    Merging a target's settings into the common policy: overrides may only tighten
"""
