"""What follows a run: its merge or pull request, a rollback, an incident.

follow_up.py     ``follow-up/<run>``: what becomes of a merge of ours, or of a pull request that waits for a person
incident.py      ``incident/<target>/<id>``: evidence, ticket, what people know, the post-incident report
observations.py  Looks at the base, numbered and kept, for whoever follows a merge or restores one
older_rules.py   The rules of attribution as they were when ``FollowUp`` still judged inline
rollback.py      ``rollback/<run>``: undo one merge of ours, exactly, once (runbook §8, P11)
"""
