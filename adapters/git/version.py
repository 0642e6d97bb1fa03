"""Which git this is: `merge-tree` writes trees since 2.38 only."""

import re

from adapters.git.environment import ClosedGit
from ports.repository import RepositoryError

_OLDEST_GIT = (2, 38)


def demand_new_enough(git: ClosedGit) -> None:
    """Refuse a git that cannot do it.

    Raises:
        RepositoryError: it is older.
    """
    said = git.run("version").text
    found = re.search(r"(\d+)\.(\d+)", said)
    if found is None or (int(found[1]), int(found[2])) < _OLDEST_GIT:
        raise RepositoryError(f"git {_OLDEST_GIT[0]}.{_OLDEST_GIT[1]} or newer is needed; this is {said!r}")
