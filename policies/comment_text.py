"""The one comment that says on a pull request what we did with it, and where the evidence is."""

from __future__ import annotations

from contracts.rollback import Merged, RollbackInput
from policies.counted import shortened
from policies.inert_markdown import code_span, one_line

_REASON = 500
_CLOSED = "\n**Closed by us: "


def merged_by_itself(merged: Merged, checked_tree: str, report: str) -> str:
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
            f"- Evidence: run {code_span(run_id)}, report {code_span(report)}",
            f"- Undo it: {code_span(f'starter.py rollback {run_id} --reason …')}",
            "",
        ]
    )


def rolled_back(given: RollbackInput, revert_sha: str, pull_request: int, report: str) -> str:
    """On the pull request that is undone: by what, why, and where to read on."""
    by = f"{revert_sha}, the merge of pull request #{pull_request}" if pull_request else revert_sha
    why = code_span(shortened(one_line(given.reason), _REASON))
    who = f"Ordered by {code_span(given.commanded_by)}" if given.commanded_by else "A measured regression"
    return "\n".join(
        [
            "**Rolled back**: the base holds nothing of this change any more.",
            "",
            f"- Revert: {by}",
            f"- {who}: {why}",
            f"- Incident: {code_span(given.incident)}; evidence {code_span(report)}",
            "",
        ]
    )


def closed_because(closing_text: str, run_id: str, report: str) -> str:
    """On one that we close: the reason that its own text ends with."""
    _, begins, reason = closing_text.rpartition(_CLOSED)
    said = f"**Closed by us: {reason}" if begins else "**Closed by us**: the reason stands at the end of its text.\n"
    return f"{said.rstrip()}\n\n- Evidence: run {code_span(run_id)}, report {code_span(report)}\n"


def closed_in_short(closing_text: str) -> str:
    """The first line of that reason, without its emphasis."""
    return closing_text.rpartition(_CLOSED)[2].strip().split("\n")[0].rstrip("*") if _CLOSED in closing_text else ""
