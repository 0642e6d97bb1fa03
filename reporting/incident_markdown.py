"""``post_incident_report.md``: the seven parts of runbook §12 for people."""

from contracts.incident import NamedPull, PostIncidentReport
from contracts.rollback import RollbackTag
from policies.texts.inert_markdown import link
from reporting.wording import visible

_OPEN = "*Not stated yet: a person fills this in with `starter.py incident edit`.*"


def render_incident(report: PostIncidentReport, missing: tuple[str, ...]) -> str:
    """The report as Markdown; the same report always makes the same text."""
    evidence = report.evidence
    parts = (
        ("Incident id and time", f"`{report.incident}`, opened {report.opened_at.isoformat(timespec='seconds')}"),
        ("Trigger", _trigger(report)),
        ("Impact", _text(report.impact) or _OPEN),
        ("Root cause", _text(report.root_cause) or _OPEN),
        ("Immediate remediation", _remediation(report)),
        ("Long-term prevention", _text(report.prevention) or _OPEN),
        (
            "Owner and due date",
            f"{_text(report.owner) or 'nobody yet'}, due on {report.due_on or 'no date yet'}"
            + ("" if report.owner and report.due_on else f"\n\n{_OPEN}"),
        ),
    )
    lines = [f"# Post-incident report {report.incident}", "", f"State: **{report.state}**{_end(report)}", ""]
    if missing:
        lines += [f"Still missing: {', '.join(missing)}.", ""]
    for number, (title, text) in enumerate(parts, 1):
        lines += [f"## {number}. {title}", "", text, ""]
    lines += _rollback(report.rollback)
    lines += [
        "## Timeline",
        "",
        "Each fact is a record of the audit log named behind it; `starter.py audit verify`",
        "",
    ]
    lines += [
        f"- {fact.at.isoformat(timespec='seconds')} {_text(fact.text)} (`{fact.log}` `{fact.record[:16]}`)"
        for fact in report.timeline
    ] or ["- none collected yet"]
    lines += ["", "## Evidence", ""]
    lines.append(
        f"`{evidence.name}`, {evidence.size} bytes, SHA-256 `{evidence.sha256}`; its `manifest.json` names every file."
        if evidence
        else "Not collected yet."
    )
    lines += ["", f"Ticket: {report.ticket or 'not opened yet'}"]
    pulls = ((report.pull_request, "the change"), (report.rollback_pull_request, "its rollback"))
    if named := [f"{_pull(pull)} ({what})" for pull, what in pulls if pull]:
        lines += ["", f"Pull requests: {', '.join(named)}"]
    if report.edited_by:
        lines += ["", f"Stated by: {', '.join(_text(name) for name in report.edited_by)}"]
    return "\n".join([*lines, ""])


def _trigger(report: PostIncidentReport) -> str:
    where = f"run `{report.run_id}` of {report.target}: {_text(report.trigger_reason)}"
    if report.ordered_by:
        who = f"`{_text(report.ordered_by)}`"
        return f"A person, {who}, ordered the rollback of {where}\n\nThis is their reason; nothing was measured."
    return f"{report.opened_as} {where}"


def _remediation(report: PostIncidentReport) -> str:
    if report.remediation:
        return _text(report.remediation)
    if not report.proposed_remediation:
        return _OPEN
    return f"Proposed, from what was done by itself: {_text(report.proposed_remediation)}.\n\n{_OPEN}"


def _rollback(tag: RollbackTag | None) -> list[str]:
    if tag is None:
        return []
    lines = [
        "## Rollback",
        "",
        f"- outcome: **{tag.outcome}**, after {tag.seconds:.1f} s",
        f"- why: {_text(tag.reason)}",
    ]
    lines += [f"- impact: {_text(tag.impact)}"] if tag.impact else []
    lines += [f"- revert: `{tag.revert_sha}`"] if tag.revert_sha else []
    lines += [f"- restored tree: `{tag.restored_tree}`"] if tag.restored_tree else []
    return [*lines, ""]


def _pull(pull: NamedPull) -> str:
    """A link where the forge has a page for it."""
    return link(f"pull request #{pull.number}", pull.url)


def _end(report: PostIncidentReport) -> str:
    message = f" by {_text(report.closed_by)}: {_text(report.closed_because)}" if report.closed_by else ""
    if report.prevention_done_by:
        message += f". Prevention done, says {_text(report.prevention_done_by)}: {_text(report.prevention_evidence)}"
    return message


def _text(text: str) -> str:
    """What people, agents and repositories wrote: nothing hidden, no HTML, no heading of its own."""
    return visible(text).replace("<", "&lt;").replace("\n#", "\n\\#")
