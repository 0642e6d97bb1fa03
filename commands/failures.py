"""What went wrong, in one sentence that says what to do, with the exit status that belongs to it."""

from pydantic import ValidationError

from commands.exit_statuses import Exit
from composition import AnotherHome, HomeUnusable, ServerUnavailable
from policies.counted import shortened
from ports.environments import EnvironmentUnavailable
from ports.forge import ForgeError
from ports.full_disk import is_full_disk, named
from ports.policy_source import PolicyError
from ports.repository import RepositoryError
from ports.sandbox import SandboxUnavailable
from ports.store import StoreError

_SPEAK_FOR_THEMSELVES = (RepositoryError, StoreError, SandboxUnavailable, EnvironmentUnavailable, ForgeError, OSError)
_NOBODY_THERE = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"}


class CommandFailed(Exception):
    """Ends a command with a status and a sentence."""

    def __init__(self, status: Exit, message: str) -> None:
        super().__init__(message)
        self.status = status


class NoAnswer(CommandFailed):
    """The server is there, but what was asked does not answer: nobody works, or it cannot."""


class NoWorker(NoAnswer):
    """The server answers, but nobody works."""

    def __init__(self, more: str = "") -> None:
        start = "start one with `starter.py up` or `python -m worker`"
        super().__init__(Exit.NO_SERVER, f"no worker answers: {start}{more}")


class Unreadable(NoAnswer):
    """A worker is running, but this one workflow does not answer: it is stuck, or is not what its id says."""

    def __init__(self, workflow_id: str, problem: str, remedy: str) -> None:
        super().__init__(Exit.TROUBLE, f"{workflow_id} does not answer ({shortened(problem, 300)}): {remedy}")
        self.remedy = remedy


def explain(problem: Exception) -> CommandFailed:
    """The failure to show for an exception."""
    if isinstance(problem, CommandFailed):
        return problem
    if isinstance(problem, ServerUnavailable):
        return CommandFailed(Exit.NO_SERVER, str(problem))
    if isinstance(problem, (AnotherHome, HomeUnusable)):
        return CommandFailed(Exit.REFUSED, str(problem))
    if isinstance(problem, PolicyError):
        return CommandFailed(Exit.BAD_POLICY, str(problem))
    if type(problem).__module__.startswith("temporalio."):
        return _of_temporal(problem)
    if isinstance(problem, ValidationError):
        from workflows.messages.malformed import complaints  # noqa: PLC0415  # it brings Temporal along

        return CommandFailed(Exit.USAGE, f"not a valid value: {complaints(problem)}")
    if isinstance(problem, _SPEAK_FOR_THEMSELVES) or is_full_disk(problem):
        return CommandFailed(Exit.TROUBLE, named(problem))
    return _unexpected(problem)


def _of_temporal(problem: Exception) -> CommandFailed:
    # Imported here: whoever asks no server does not pay for the client.
    from temporalio.client import WorkflowUpdateFailedError  # noqa: PLC0415
    from temporalio.service import RPCError  # noqa: PLC0415

    if isinstance(problem, WorkflowUpdateFailedError):
        return CommandFailed(Exit.REFUSED, f"refused: {problem.cause}")
    if not isinstance(problem, RPCError):
        return _unexpected(problem)
    if problem.status.name in _NOBODY_THERE:
        return CommandFailed(Exit.NO_SERVER, f"the Temporal server does not answer: {problem.message}")
    return CommandFailed(Exit.TROUBLE, f"the Temporal server refused the request: {problem.message}")


def _unexpected(problem: Exception) -> CommandFailed:
    told = f"unexpected {type(problem).__name__}: {problem}"
    return CommandFailed(Exit.TROUBLE, f"{told} (`starter.py --debug …` shows where; please report it)")
