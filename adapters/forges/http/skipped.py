"""Jobs that a forge says it skipped, where nobody demands any by name."""

from collections.abc import Iterable

from contracts.forge_facts import CheckState, CommitCheck


def undemanded(reported: Iterable[CommitCheck]) -> tuple[CommitCheck, ...]:
    """The same checks; the skipped ones marked as ``idle``: whether they had to run, the rules of CI say."""
    return tuple(check.model_copy(update={"idle": _skipped(check)}) for check in reported)


def _skipped(check: CommitCheck) -> bool:
    return check.state is CheckState.MISSING and not check.stopped
