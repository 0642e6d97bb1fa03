"""Which checks of the forge's CI count for a commit: what is reported, named, demanded, and what was there before."""

from __future__ import annotations

from contracts.forge_facts import CommitCheck
from policies.ci import counted, heard
from ports.forge import Forge
from ports.repository import Repository

_EARLIER = 5
"""Commits before one that are looked at for a word of CI."""


def checks_of(
    forge: Forge, commit: str, named: tuple[str, ...], ignored: tuple[str, ...], before: tuple[CommitCheck, ...] = ()
) -> tuple[CommitCheck, ...] | None:
    """What counts for the commit; ``before`` is missed where it is gone. None: there is no CI.

    Raises:
        ForgeError: could not be asked.
    """
    demanded = (*named, *forge.protection().required_checks) if ignored else named
    return counted(forge.required_checks(commit, named), before, ignored=ignored, demanded=demanded)


def checks_before(forge: Forge, repository: Repository, base: str, ignored: tuple[str, ...]) -> tuple[CommitCheck, ...]:
    """What reported on the base, or else on the last commit before it of which CI said anything.

    Raises:
        ForgeError, RepositoryError: could not be asked.
    """
    for commit in repository.line(base, 1 + _EARLIER):
        found = checks_of(forge, commit, (), ignored) or ()
        if said := tuple(check for check in found if heard(check)):
            return said
    return ()
