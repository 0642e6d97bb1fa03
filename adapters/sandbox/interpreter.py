"""Where a Python interpreter lives, so that it can be shown inside."""

from pathlib import Path


def interpreter_mounts(executable: Path) -> tuple[tuple[Path, str], ...]:
    """The installation ``executable`` (a binary or the link a virtual environment holds) belongs to.

    It appears where the link says it is: interpreters find their library by that path. Nothing for those
    below ``/usr``, which is always there.
    """
    prefix = executable.parent.parent
    if prefix.is_relative_to("/usr") and prefix.resolve().is_relative_to("/usr"):
        return ()
    return ((prefix.resolve(), str(prefix)),)
