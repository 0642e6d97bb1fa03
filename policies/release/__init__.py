"""What a finished change may become: checks, CI, the release verdict, its rejection.

checks.py       Whether tests really ran (P18): what did not run, or ran nothing
ci.py           Whether the forge's own CI lets a commit pass (runbook §3, §6.2): a missing result is not green
ci_findings.py  Whether the CI of a target's forge can ever say yes
health.py       What probes and their results mean (issue: canary, follow-up; P13: could not find out is never a yes)
landing.py      Last words before a merge of ours: what people decided
rejection.py    What a rejection states: reason code, failed gate, remediation, whether and when to retry
release.py      The outcome policy allows for one change
what_if.py      A past decision made again from its facts, under another policy
"""
