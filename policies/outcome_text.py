"""What stands at the head of a text of ours once it is known: how a pull request ended; how an incident stands.

Everything foreign stands in code spans; a number is a pull request of ours.
"""

from __future__ import annotations

from contracts.incident import PostIncidentReport
from contracts.rollback import Merged, RollbackInput, RollbackOutcome
from policies.counted import shortened
from policies.inert_markdown import code_span, one_line

_REASON = 300
_ROLLBACK = "RB-"


def merged_head(merged: Merged) -> str:
    """By whom, as which commit, and how to undo it; a rollback's own is undone by people only."""
    by = f"by {code_span(merged.by)}" if merged.by else "by itself"
    if merged.run.run_id.startswith(_ROLLBACK):
        return f"**Outcome: merged {by}**, as {merged.merge_sha}."
    undo = code_span(f"starter.py rollback {merged.run.run_id} --reason …")
    return f"**Outcome: merged {by}**, as {merged.merge_sha}; undo it with {undo}."


def updated_head(head_sha: str) -> str:
    """Of one whose text somebody wrote in: what it shows now, as that text is no longer ours to keep."""
    return f"**Brought up to date by us**: it is at {head_sha} now; the text below is as people left it."


def closed_head(who: str, reason: str = "") -> str:
    """By whom; ``reason`` is Markdown of our own, on one line. ``who`` is empty: by us."""
    by = code_span(who) if who else "us"
    return f"**Outcome: closed by {by}**" + (f": {reason}." if reason else "; nothing of it was merged.")


def rolled_back_head(given: RollbackInput, revert_sha: str, pull_request: int) -> str:
    """By which revert, and why."""
    by = f"{revert_sha}, the merge of pull request #{pull_request}," if pull_request else revert_sha
    why = code_span(shortened(one_line(given.reason), _REASON))
    return f"**Outcome: merged, then rolled back** by {by} for {code_span(given.incident)}: {why}."


def restored_head(revert_sha: str, pull_request: int) -> str:
    """Of a rollback's own pull request."""
    return f"**Outcome: merged by itself**, as {revert_sha}; it undid pull request #{pull_request}."


def incident_head(report: PostIncidentReport, evidence: str, change: str) -> str:
    """As the report has it now; the addresses are of its own folder and of its run's."""
    closed = f"**Closed by {code_span(report.closed_by)}**: {_said(report.closed_because)}"
    tag = report.rollback
    outcome = "nothing was rolled back"
    if tag is not None:
        how = f"rolled back by {tag.revert_sha}" if tag.outcome is RollbackOutcome.RESTORED else "rollback escalated"
        outcome = f"{how}, after {tag.seconds:.0f} s: {_said(tag.reason)}"
    due = f", prevention due on {code_span(report.due_on)}" if report.due_on else ""
    done = f"; done, says {code_span(report.prevention_done_by)}" if report.prevention_done_by else ""
    lines = [
        closed if report.closed_by else "**Open**",
        "",
        f"- Outcome: {outcome}",
        f"- Cause: {_said(report.root_cause)}",
        f"- Owner: {_said(report.owner)}{due}{done}",
        f"- Links: report {code_span(evidence)}, run {code_span(report.run_id)} in {code_span(change)}",
    ]
    return "\n".join(lines)


def _said(words: str) -> str:
    return code_span(shortened(one_line(words), _REASON)) if words else "not stated yet"
