"""The branch a remote itself calls its own: what its HEAD names."""

from adapters.git.environment import ClosedGit
from adapters.git.remotes import checked_remote
from ports.repository import RepositoryError

_SYMBOLIC = "ref: refs/heads/"


def default_branch(git: ClosedGit, remote: str) -> str | None:
    """The branch behind the remote's HEAD; None when HEAD is detached or its branch has no commit.

    Raises:
        RepositoryError: the remote cannot be reached.
    """
    answer = git.run("ls-remote", "--symref", checked_remote(remote), "HEAD", accept=(0, 128), seconds=120)
    if answer.code:
        raise RepositoryError(f"the remote {remote} cannot be reached: {answer.error}")
    for line in answer.out.decode(errors="surrogateescape").splitlines():
        if line.startswith(_SYMBOLIC):
            return line.removeprefix(_SYMBOLIC).split("\t")[0]
    return None
