"""What the pull request of a rollback says: which change it undoes, why, and where to read on (runbook §8)."""

from __future__ import annotations

from contracts.rollback import Idea, RollbackInput
from policies.counted import shortened
from policies.inert_markdown import code_span, inert_line, one_line

_LINE, _REASON = 300, 1000


def rollback_title(given: RollbackInput) -> str:
    """One line; names the run, and not the idea: that is text of an agent."""
    return f"Roll back {given.merged.run.run_id}"


def rollback_body(given: RollbackInput, idea: Idea | None) -> str:
    """The pull request it undoes, with title and commit; whose word the reason is; the incident.

    A number alone is ours and may be a link; titles, names and reasons are others' words and act on nothing.
    """
    merged = given.merged
    title = shortened(inert_line(one_line(idea.title)), _LINE) if idea and idea.title else ""
    pull = f"pull request #{merged.pull_request}" if merged.pull_request else "a change without a pull request"
    why = code_span(shortened(one_line(given.reason), _REASON))
    who = f"Ordered by {code_span(given.commanded_by)}" if given.commanded_by else "A measured regression"
    merger = f", merged by {code_span(merged.by)}" if merged.by else ""
    lines = [
        f"Undoes {pull}{f': {title}' if title else ''}",
        "",
        f"- Merge commit: {merged.merge_sha}{merger}",
        f"- {who}: {why}",
        f"- Incident: {code_span(given.incident)} (`starter.py incident show {given.incident}`)",
        f"- Run: {code_span(merged.run.run_id)}",
    ]
    return "\n".join([*lines, ""])
