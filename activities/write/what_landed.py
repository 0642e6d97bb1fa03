"""What a merge gave the base, as git finds it: the one record that run, books, follow-up and rollback use (P4, P11)."""

from contracts.modes import WriteAction
from contracts.rollback import Merged
from ports.forge import Forge
from ports.repository import Landing, Repository, RepositoryError


def merge_found(repository: Repository, forge: Forge, planned: Merged) -> Merged | None:
    """Our commit on the base, or the one that a forge or a person made of our pull request; None: neither.

    Raises:
        ForgeError, RepositoryError: could not be asked.
    """
    base = repository.fetch_base()
    found = repository.landing(planned.merge_sha, base)
    if found is None:
        pull = forge.find_pull_request(f"{planned.run.run_id}/{WriteAction.OPEN_PULL_REQUEST}")
        found = repository.landing(pull.merge_sha, base) if pull and pull.merge_sha else None
    return _filled(repository, planned, found) if found else None


def merge_shown(repository: Repository, planned: Merged, commit: str) -> Merged:
    """The same of a commit that the remote named as landed.

    Raises:
        RepositoryError: the base cannot be fetched, or does not show it (yet).
    """
    base = repository.fetch_base()
    found = repository.landing(commit, base)
    if found is None:
        raise RepositoryError(f"the base at {base} does not hold {commit}")
    return _filled(repository, planned, found)


def _filled(repository: Repository, planned: Merged, found: Landing) -> Merged:
    tree = repository.tree_of(found.commit)
    return planned.model_copy(update={"merge_sha": found.commit, "parent_sha": found.parent, "tree_sha": tree})
