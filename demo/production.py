"""The service that runs what the demo's base branch holds, and says of any commit whether it is well.

It stands for what no check can see: somebody outside relies on the released bytes. A commit that nobody runs is well,
also on a canary branch; one that is on the base is well while its files are the released ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from demo.loopback import serving
from demo.repository import git
from demo.source_distribution import FetchFailed


@dataclass(frozen=True)
class Production:
    """What runs is read from the remote, at every question."""

    remote: Path
    released: str
    """The tree that those outside rely on."""

    @classmethod
    def of(cls, remote: Path) -> Production:
        """Production as it is when the demo begins."""
        return cls(remote, git(remote, "rev-parse", "main^{tree}").strip())

    def status(self, commit: str) -> HTTPStatus:
        """200: well, or not running here; 500: it runs, and is not what was relied on; 404: no such commit."""
        try:
            if (
                git(self.remote, "rev-parse", "--verify", "--end-of-options", f"{commit}^{{tree}}").strip()
                == self.released
            ):
                return HTTPStatus.OK
            running = git(self.remote, "rev-list", "--first-parent", "main").split()
        except FetchFailed:
            return HTTPStatus.NOT_FOUND
        return HTTPStatus.INTERNAL_SERVER_ERROR if commit in running else HTTPStatus.OK


@contextmanager
def served(production: Production) -> Iterator[str]:
    """Serve it on loopback; the URL of the health probe, with the place for the SHA."""
    with serving(lambda path: (production.status(path.rsplit("/", 1)[-1]), {}, b"")) as root:
        yield f"{root}/health/{{sha}}"
