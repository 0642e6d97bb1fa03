"""What stands at the head of a text of ours once it is known: how a pull request ended; how an incident stands.

Everything foreign stands in code spans; a number is a pull request of ours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from policies.counted import shortened
from policies.texts.inert_markdown import code_span, is_plain_address, link, one_line

if TYPE_CHECKING:  # a child that writes starts at every effect: what it does not read, it does not import
    from contracts.incident import PostIncidentReport
    from contracts.rollback import Merged, RollbackInput

_REASON = 300
_ROLLBACK = "RB-"


@dataclass(frozen=True)
class IncidentPlaces:
    """Where to read on about an incident: web addresses of ours, each empty where there is none to follow."""

    report: str = ""
    run: str = ""
    ticket: str = ""

    @property
    def addresses(self) -> tuple[str, ...]:
        """What a text may link to."""
        return tuple(filter(None, (self.report, self.run, self.ticket)))

    def of(self, incident: str) -> str:
        """Its report, else the command that shows it; and its ticket, where that can be followed."""
        command = code_span(f"starter.py incident show {incident}")
        report = link("incident report", self.report) if self.report else command
        return f"{report}, {link('ticket', self.ticket)}" if is_plain_address(self.ticket) else report


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


def rolled_back_head(request: RollbackInput, revert_sha: str, pull_request: int) -> str:
    """By which revert, and why."""
    by = f"{revert_sha}, the merge of pull request #{pull_request}," if pull_request else revert_sha
    why = code_span(shortened(one_line(request.reason), _REASON))
    return f"**Outcome: merged, then rolled back** by {by} for {code_span(request.incident)}: {why}."


def restored_head(revert_sha: str, pull_request: int, incident: str, places: IncidentPlaces) -> str:
    """Of a rollback's own pull request."""
    read_on = f"{code_span(incident)}, {places.of(incident)}"
    return f"**Outcome: merged by itself**, as {revert_sha}; it undid pull request #{pull_request} for {read_on}."


def incident_head(report: PostIncidentReport, places: IncidentPlaces) -> str:
    """As the report has it now. Its pull requests are named by their numbers, which the write names as ours."""
    closed = f"**Closed by {code_span(report.closed_by)}**: {_said(report.closed_because)}"
    tag = report.rollback
    outcome = "nothing was rolled back"
    if tag is not None:
        how = f"rolled back by {tag.revert_sha}" if tag.outcome.value == "restored" else "rollback escalated"
        outcome = f"{how}, after {tag.seconds:.0f} s: {_said(tag.reason)}"
    due = f", prevention due on {code_span(report.due_on)}" if report.due_on else ""
    done = f"; done, says {code_span(report.prevention_done_by)}" if report.prevention_done_by else ""
    run = code_span(report.run_id)
    pulls = [(report.pull_request, "the change"), (report.rollback_pull_request, "its rollback")]
    named = ", ".join(f"pull request #{pull.number} ({what})" for pull, what in pulls if pull)
    lines = [
        closed if report.closed_by else "**Open**",
        "",
        f"- Outcome: {outcome}",
        f"- Cause: {_said(report.root_cause)}",
        f"- Owner: {_said(report.owner)}{due}{done}",
        *([f"- Pull requests: {named}"] if named else []),
        f"- Read on: {places.of(report.incident)}; run {run}: {run_report(report.run_id, places.run)}",
    ]
    return "\n".join(lines)


def run_report(run_id: str, page: str) -> str:
    """Where a run's report is, for somebody who reads on the forge."""
    return link("report", page) if page else code_span(f"starter.py report {run_id}")


def _said(words: str) -> str:
    return code_span(shortened(one_line(words), _REASON)) if words else "not stated yet"


# The one comment that says on a pull request what we did with it, and where the evidence is.

_COMMENT_REASON = 500
_CLOSED = "\n**Closed by us: "


def merged_by_itself(merged: Merged, checked_tree: str, page: str = "") -> str:
    """After a merge of ours: as which commit, and how to undo it. ``checked_tree`` is empty where nobody knows it."""
    run_id = merged.run.run_id
    same = merged.tree_sha == checked_tree
    as_checked = ", as checked" if same else f", **not the checked** {code_span(checked_tree)}"
    return "\n".join(
        [
            "**Merged by itself**: every required check and every probe was green, and policy asked for no person.",
            "",
            f"- Commit: {merged.merge_sha}",
            f"- Tree: {code_span(merged.tree_sha)}{as_checked if checked_tree else ''}",
            f"- Evidence: run {code_span(run_id)}, {run_report(run_id, page)}",
            f"- Undo it: {code_span(f'starter.py rollback {run_id} --reason …')}",
            "",
        ]
    )


def rolled_back(request: RollbackInput, revert_sha: str, pull_request: int, places: IncidentPlaces) -> str:
    """On the pull request that is undone: by what, why, and where to read on."""
    by = f"{revert_sha}, the merge of pull request #{pull_request}" if pull_request else revert_sha
    why = code_span(shortened(one_line(request.reason), _COMMENT_REASON))
    who = f"Ordered by {code_span(request.commanded_by)}" if request.commanded_by else "A measured regression"
    return "\n".join(
        [
            "**Rolled back**: the base holds nothing of this change any more.",
            "",
            f"- Revert: {by}",
            f"- {who}: {why}",
            f"- Incident: {code_span(request.incident)}, {places.of(request.incident)}",
            "",
        ]
    )


def closed_because(closing_text: str, run_id: str, page: str = "") -> str:
    """On one that we close: the reason that its own text ends with."""
    _, begins, reason = closing_text.rpartition(_CLOSED)
    text = f"**Closed by us: {reason}" if begins else "**Closed by us**: the reason stands at the end of its text.\n"
    return f"{text.rstrip()}\n\n- Evidence: run {code_span(run_id)}, {run_report(run_id, page)}\n"


def closed_in_short(closing_text: str) -> str:
    """The first line of that reason, without its emphasis."""
    return closing_text.rpartition(_CLOSED)[2].strip().split("\n")[0].rstrip("*") if _CLOSED in closing_text else ""
