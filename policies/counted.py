"""How numbers, rounds and long reasons stand in a sentence."""

from collections.abc import Iterable, Sequence

CUT = " …"


def counted(number: float, noun: str, plural: str = "") -> str:
    """``1 file``, ``2 files``, ``1.5 hours``; a plural that is not the noun with an s is given.

    With a verb: ``counted(n, "pull request waits", "pull requests wait")``.
    """
    shown = f"{number:g}" if isinstance(number, float) else number
    return f"{shown} {noun if number == 1 else plural or f'{noun}s'}"


def sized(files: int, lines: int) -> str:
    """``1 file, 2 lines``."""
    return f"{counted(files, 'file')}, {counted(lines, 'line')}"


def shortened(text: str, limit: int) -> str:
    """At most ``limit`` characters, cut between words where there are any, and marked as cut."""
    if len(text) <= limit:
        return text
    room = max(0, limit - len(CUT))
    head = text[:room]
    between = not head or head[-1].isspace() or text[room].isspace()
    words = head if between else head.rsplit(None, 1)[0] if len(head.split()) > 1 else head
    return words.rstrip().rstrip(",;:") + CUT


def joined(items: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return f"{', '.join(items[:-1])} and {items[-1]}" if len(items) > 1 else "".join(items)


def in_rounds(steps: Iterable[str], of_a_round: Sequence[str]) -> list[str]:
    """The names of a run's steps, with the round of those that came again: ``code``, ``check``, ``code, round 2``.

    ``of_a_round``: the steps that a round is made of; the first one begins it.
    """
    named, number = [], 0
    for step in steps:
        number += step == of_a_round[0]
        named.append(f"{step}, round {number}" if number > 1 and step in of_a_round else str(step))
    return named


DAY, IN_DAYS = 24, 48
"""Hours."""


def aged(hours: float) -> str:
    """``3 hours``, ``2,521 days``: from 48 hours on in days."""
    number, unit = (hours / DAY, "day") if hours >= IN_DAYS else (hours, "hour")
    return f"{number:,.0f} {unit}{'' if round(number) == 1 else 's'}"
