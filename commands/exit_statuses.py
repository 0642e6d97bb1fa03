"""Exit statuses of ``starter.py``; the README and ``--help`` show this table."""

from enum import IntEnum

from contracts.modes import RunStatus


class Exit(IntEnum):
    """What a status means."""

    OK = 0
    """Accepted; a run: pull request opened, merged, dry run complete, nothing worth doing, or already ran today."""
    TROUBLE = 1
    """Something that should not happen; the message says what to do."""
    USAGE = 2
    """The command line is wrong."""
    REJECTED = 10
    """The run's outcome is REJECT; the report says which gate."""
    REFUSED = 11
    """Not allowed now (paused, budget, policy, preflight, epoch); the reason is printed."""
    ESCALATED = 12
    """A policy violation: everything is paused."""
    CANCELLED = 13
    """Cancelled by a person or an abort."""
    PAUSED = 14
    """Drained by a pause, or out of money for longer than a run holds."""
    FAILED = 15
    """A step could not be done; also a run that was lost."""
    BAD_POLICY = 16
    """Unknown target, or a policy file that cannot be used."""
    TAMPERED = 17
    """``audit verify`` found a bad record."""
    WAITING = 18
    """Stopped waiting before it ended (``--timeout``); it goes on."""
    NO_SERVER = 20
    """No Temporal server or no worker answers."""
    INTERRUPTED = 130
    """Ctrl-C."""


OF_RUN = {
    RunStatus.PR_OPENED: Exit.OK,
    RunStatus.MERGED: Exit.OK,
    RunStatus.DRY_RUN_COMPLETE: Exit.OK,
    RunStatus.NOTHING_TO_DO: Exit.OK,
    RunStatus.ALREADY_RAN: Exit.OK,
    RunStatus.REJECTED: Exit.REJECTED,
    RunStatus.REFUSED: Exit.REFUSED,
    RunStatus.ESCALATED: Exit.ESCALATED,
    RunStatus.CANCELLED: Exit.CANCELLED,
    RunStatus.PAUSED: Exit.PAUSED,
    RunStatus.FAILED: Exit.FAILED,
    RunStatus.LOST: Exit.FAILED,
}
