"""The steps of ``FollowUp``, ``Rollback`` and ``Incident``.

evidence.py       The evidence bundle of an incident: ``evidence.tar`` with a manifest of digests (runbook §6.1)
incident.py       What an ``Incident`` does to the world: its ticket, its report, its audit log
later_reviews.py  The review of a run after its merge or close (runbook §10), filled in as time goes by
observing.py      Looks at commits of the base after a merge (runbook §6.3, §8): required checks and probes
outcomes.py       What became of a pull request that we merged or undid, said on it: by whoever did it
probing.py        Runs a target's probes on one commit: the operator's argv in the sandbox, or a URL (P8, P13)
revert_plan.py    What a rollback will write, computed without writing anything (P11)
reverting.py      The steps of a rollback (runbook §8, P11): plan the exact tree before any write, write, read back
"""
