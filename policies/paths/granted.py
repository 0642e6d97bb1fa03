"""What a grant adds to a contract: the protected paths a person released, as the quarantined change touches them."""

from collections.abc import Sequence

from contracts.change import ChangedPath
from contracts.grant import Grant
from contracts.task import TaskContract
from policies.paths.rules import protection
from policies.settings.schema import EffectivePolicy


def granted_entries(
    grant: Grant, quarantined: Sequence[ChangedPath], contract: TaskContract, policy: EffectivePolicy
) -> tuple[ChangedPath, ...]:
    """The quarantined change's entries that are protected and named in the grant, letter by letter.

    A path that nothing protects needs no grant, and gets nothing from one.
    """
    return tuple(
        entry
        for entry in quarantined
        if entry.path in grant.paths and protection(entry.path, policy, contract.type) is not None
    )


def widened(contract: TaskContract, granted: Sequence[ChangedPath]) -> TaskContract:
    """The contract with room for the granted entries; its lines, and every limit of the policy, stay as they are."""
    if not granted:
        return contract
    scope = contract.scope
    statuses = [entry.status for entry in granted]
    more = {
        "allowed_paths": (*scope.allowed_paths, *(entry.path for entry in granted)),
        "max_files": scope.max_files + len(granted),
        "max_new_files": scope.max_new_files + statuses.count("A"),
        "max_deletions": scope.max_deletions + statuses.count("D"),
    }
    return contract.model_copy(update={"scope": scope.model_copy(update=more)})
