"""A full disk is called that, whoever met it: git, a library, the kernel or a server each have words of their own."""

import errno

_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT})
_WORDS = ("no space left on device", "disk quota exceeded", "database or disk is full")
_CALLED = "the disk is full"


def is_full_disk(problem: BaseException | str) -> bool:
    """Whether this, or what it came from, is a disk (or a quota of one) without room."""
    if isinstance(problem, str):
        return any(words in problem.lower() for words in _WORDS)
    seen: set[int] = set()
    error: BaseException | None = problem
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if (isinstance(error, OSError) and error.errno in _ERRORS) or is_full_disk(str(error)):
            return True
        error = error.__cause__ or error.__context__
    return False


def named(problem: BaseException | str) -> str:
    """What it says, with the full disk named first where it was one."""
    message = str(problem)
    if _CALLED in message or not is_full_disk(problem):
        return message
    return f"{_CALLED}: make room and try again ({message})"
