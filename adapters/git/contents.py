"""Contents by name or id, any number in one command."""

from collections.abc import Iterable

from adapters.git.environment import ClosedGit
from ports.repository import RepositoryError


def contents(git: ClosedGit, names: Iterable[str]) -> dict[str, bytes]:
    """The bytes behind each of ``names`` that is there: a full object id or a full ref name.

    Raises:
        RepositoryError: one is no file content, or git failed.
    """
    asked = list(dict.fromkeys(names))
    if not asked:
        return {}
    out = git.run("cat-file", "--batch", stdin="".join(f"{name}\n" for name in asked).encode()).out
    found: dict[str, bytes] = {}
    begin = 0
    for name in asked:
        end = out.index(b"\n", begin)
        header = out[begin:end].split(b" ")
        begin = end + 1
        if header[-1] == b"missing":
            continue
        if header[1] != b"blob":
            raise RepositoryError(
                f"object {name} is {header[1].decode()} in the mirror, and should be a file's content"
            )
        size = int(header[2])
        found[name] = out[begin : begin + size]
        begin += size + 1
    return found
