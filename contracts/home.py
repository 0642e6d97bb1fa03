"""Whose files an installation works on."""

from contracts.artifact import Contract


class HomeMark(Contract):
    """An AUTONOMY_HOME: its id lies in it, so that it is known on whatever path or machine it is mounted."""

    id: str
    path: str
    """Where the worker that claimed it saw it; for people."""
