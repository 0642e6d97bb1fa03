"""Whether a contract lets Coding touch a path."""

from contracts.task import TaskContract
from policies.paths.rules import matches, within


def in_scope(contract: TaskContract, path: str) -> bool:
    """The same reading of the scope as the one the change is judged by."""
    return within(path, contract.scope.allowed_paths) and not matches(path, contract.scope.blocked_paths)
