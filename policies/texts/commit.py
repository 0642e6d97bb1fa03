"""What the commits say that move the base: which pull request, which run; and for a revert, what is undone and why.

Text of agents and people is data here as well: on a forge a commit closes tickets and calls people as a body does.
"""

from contracts.rollback import Idea, RevertWords, RollbackInput
from policies.counted import shortened
from policies.texts.inert_markdown import code_span, inert_line, one_line
from policies.texts.outcome import IncidentPlaces, run_report

_TITLE, _REASON = 100, 300


def merge_message(number: int, title: str, run_id: str, task_id: str) -> str:
    """Of the commit that merges a pull request; ``number`` 0: the forge does not show it."""
    which = f" #{number}" if number else ""
    return f"Merge pull request{which}: {_calm(title, _TITLE)}\n\nRun: {run_id}\nTask-Id: {_calm(task_id, _TITLE)}\n"


def revert_words(request: RollbackInput, idea: Idea | None, own: int = 0) -> RevertWords:
    """Of the revert itself, and of the merge of its pull request; ``own`` is that one's number, 0 until it is open."""
    merged = request.merged
    title = _calm(idea.title, _TITLE) if idea and idea.title else merged.run.run_id
    pull = f" (pull request #{merged.pull_request})" if merged.pull_request else ""
    why = f"Ordered by {_calm(request.commanded_by, _TITLE)}" if request.commanded_by else "A measured regression"
    trailers = f"Run: {merged.run.run_id}\nIncident: {request.incident}\n"
    text = (
        f"This restores what was there before commit {merged.merge_sha}.\n"
        f"{why}: {_calm(request.reason, _REASON)}\n\n{trailers}"
    )
    undone = f'the revert of "{title}"{pull}'
    landing = f"Merge {undone}\n\n{text}"
    if own:
        landing = f"Merge pull request #{own}: {rollback_title(request)}\n\nIt holds {undone}.\n{text}"
    return RevertWords(revert=f'Revert "{title}"{pull}\n\n{text}', landing=landing)


def _calm(text: str, limit: int) -> str:
    return shortened(inert_line(one_line(text)[: 4 * limit]), limit) or "-"


# What the pull request of a rollback says: which change it undoes, why, and where to read on (runbook §8).

_LINE, _REASON = 300, 1000


def rollback_title(request: RollbackInput) -> str:
    """One line; names the run, and not the idea: that is text of an agent."""
    return f"Roll back {request.merged.run.run_id}"


def rollback_body(request: RollbackInput, idea: Idea | None, places: IncidentPlaces) -> str:
    """The pull request it undoes, with title and commit; whose word the reason is; incident and run, to read on.

    A number alone is ours and may be a link; titles, names and reasons are others' words and act on nothing.
    """
    merged = request.merged
    title = shortened(inert_line(one_line(idea.title)), _LINE) if idea and idea.title else ""
    pull = f"pull request #{merged.pull_request}" if merged.pull_request else "a change without a pull request"
    why = code_span(shortened(one_line(request.reason), _REASON))
    who = f"Ordered by {code_span(request.commanded_by)}" if request.commanded_by else "A measured regression"
    merger = f", merged by {code_span(merged.by)}" if merged.by else ""
    lines = [
        f"Undoes {pull}{f': {title}' if title else ''}",
        "",
        f"- Merge commit: {merged.merge_sha}{merger}",
        f"- {who}: {why}",
        f"- Incident: {code_span(request.incident)}, {places.of(request.incident)}",
        f"- Run: {code_span(merged.run.run_id)}, {run_report(merged.run.run_id, places.run)}",
    ]
    return "\n".join([*lines, ""])
