"""What the commits say that move the base: which pull request, which run; and for a revert, what is undone and why.

Text of agents and people is data here as well: on a forge a commit closes tickets and calls people as a body does.
"""

from __future__ import annotations

from contracts.rollback import Idea, RollbackInput
from contracts.rollback_work import RevertWords
from policies.counted import shortened
from policies.inert_markdown import inert_line, one_line
from policies.rollback_text import rollback_title

_TITLE, _REASON = 100, 300


def merge_message(number: int, title: str, run_id: str, task_id: str) -> str:
    """Of the commit that merges a pull request; ``number`` 0: the forge does not show it."""
    which = f" #{number}" if number else ""
    return f"Merge pull request{which}: {_calm(title, _TITLE)}\n\nRun: {run_id}\nTask-Id: {_calm(task_id, _TITLE)}\n"


def revert_words(given: RollbackInput, idea: Idea | None, own: int = 0) -> RevertWords:
    """Of the revert itself, and of the merge of its pull request; ``own`` is that one's number, 0 until it is open."""
    merged = given.merged
    title = _calm(idea.title, _TITLE) if idea and idea.title else merged.run.run_id
    pull = f" (pull request #{merged.pull_request})" if merged.pull_request else ""
    why = f"Ordered by {_calm(given.commanded_by, _TITLE)}" if given.commanded_by else "A measured regression"
    trailers = f"Run: {merged.run.run_id}\nIncident: {given.incident}\n"
    text = (
        f"This restores what was there before commit {merged.merge_sha}.\n"
        f"{why}: {_calm(given.reason, _REASON)}\n\n{trailers}"
    )
    undone = f'the revert of "{title}"{pull}'
    landing = f"Merge {undone}\n\n{text}"
    if own:
        landing = f"Merge pull request #{own}: {rollback_title(given)}\n\nIt holds {undone}.\n{text}"
    return RevertWords(revert=f'Revert "{title}"{pull}\n\n{text}', landing=landing)


def _calm(text: str, limit: int) -> str:
    return shortened(inert_line(one_line(text)[: 4 * limit]), limit) or "-"
