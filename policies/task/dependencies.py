"""Which release of a dependency is proposed, and what of an update is a person's to decide."""

import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from contracts.dependency import PackageChange, Said

_PLAIN = re.compile(r"v?(\d{1,9})(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?:\.(\d{1,9}))?(?:\.post(\d{1,9}))?(?:\+[\w.-]+)?")
_PARTS, _COMPARED = 5, 3
Number = tuple[int, ...]


class Release(NamedTuple):
    """One version that a registry has."""

    version: str
    at: datetime | None
    """None: the registry does not say."""
    taken_back: bool


def number(version: str) -> Number | None:
    """A final release by its numbers; None: a prerelease, or nothing that can be compared."""
    found = _PLAIN.fullmatch(version)
    return tuple(int(each or 0) for each in found.groups()) if found else None


def is_major(before: Number, after: Number) -> bool:
    """Whether a step may break its users: by semantic versioning, in which below 1.0 each minor may."""
    kept = next((at for at in range(_PARTS) if before[at]), _COMPARED) + 1
    return before[: min(kept, _COMPARED)] != after[: min(kept, _COMPARED)]


class Choice(NamedTuple):
    """What is there beyond the locked version."""

    offered: tuple[Release, ...] = ()
    """Without a major step, to be tried in this order."""
    majors: tuple[Release, ...] = ()
    """The newest beyond one, for a person."""


def choose(
    before: str, releases: Iterable[Release], now: datetime, minimum_age: timedelta, *, insecure: bool
) -> Choice:
    """The newest patch or minor that is old enough, never a prerelease, never one that was taken back.

    For one with known vulnerabilities, also the newest of any age, if the older one does not help.
    """
    locked = number(before)
    if locked is None:
        return Choice()
    known = ((number(each.version), each) for each in releases if not each.taken_back)
    newer = sorted((each for each in known if each[0] and each[0] > locked), key=lambda each: each[0] or ())
    old = [(at, each) for at, each in newer if each.at and now - each.at >= minimum_age]
    near = [each for at, each in old if at and not is_major(locked, at)][-1:]
    if insecure:
        near += [each for at, each in newer if at and not is_major(locked, at)][-1:]
    far = [each for at, each in old if at and is_major(locked, at)][-1:]
    return Choice(tuple(dict.fromkeys(near)), tuple(far))


def objection(changes: Sequence[PackageChange], now: datetime, minimum_age: timedelta, *, insecure: bool) -> str:
    """Why a person has to decide on an update; empty: nothing speaks against proposing it.

    Rules, in order, for all that it changes in the lock file: it changes something · no step is a major one, back, or
    to a prerelease · what it brings was not taken back, and is old enough · no licence changes, and each could be read.
    """
    if not changes:
        return "the command changes no version in the lock file"
    for each in changes:
        if reason := _step(each) or _unfit(each, now, minimum_age, insecure) or _licence(each):
            return reason
    return ""


def _step(each: PackageChange) -> str:
    if not each.after or not each.before:
        # What comes new has no version to be compared with, and what goes harms nobody's licence.
        return (
            "" if not each.after or number(each.after) else f"it brings {each.package} {each.after}, no final release"
        )
    before, after = number(each.before), number(each.after)
    if before is None or after is None:
        return f"{each.package}: {each.before} and {each.after} cannot be compared as final releases"
    if after < before:
        return f"it takes {each.package} back from {each.before} to {each.after}"
    return (
        f"it takes {each.package} from {each.before} to {each.after}, a major step" if is_major(before, after) else ""
    )


def _unfit(each: PackageChange, now: datetime, minimum_age: timedelta, insecure: bool) -> str:
    if each.taken_back:
        return f"it brings {each.package} {each.after}, which was taken back"
    if not each.after or insecure:
        return ""
    if each.released is None:
        return f"the registry does not say when {each.package} {each.after} was released"
    if now - each.released < minimum_age:
        return f"it brings {each.package} {each.after}, released {each.released:%Y-%m-%d}, which is too young"
    return ""


def _licence(each: PackageChange) -> str:
    if not each.before or not each.after:
        return ""
    if each.said_before is None or each.said_after is None:
        return f"the licences of {each.package} {each.before} and {each.after} could not be compared: {each.unsaid}"
    if same_licence(each.said_before, each.said_after):
        return ""
    was, becomes = (licence.licence or "none that it names" for licence in (each.said_before, each.said_after))
    return f"the licence of {each.package} changes: {was} before, {becomes} after"


def same_licence(before: Said, after: Said) -> bool:
    """By its name, else by its words."""
    if before.licence and after.licence and before.licence.lower() == after.licence.lower():
        return True
    return before.text == after.text and bool(before.text or not (before.licence or after.licence))
