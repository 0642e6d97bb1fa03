"""The flake ledger (runbook §10: check stability): same commit, different answers, over runs. It excuses nothing."""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime

from contracts.evidence import ChecksReport, CheckStatus
from contracts.governance import CheckSeen, Flake, KnownFlake

_ANSWERS = frozenset({CheckStatus.GREEN, CheckStatus.RED})
"""A timeout and a check that could not be run are no answers: neither says anything about the commit."""
_Key = tuple[str, str]
KEPT = re.compile(r"(checks/(checks|base)|observations/[^/]+/checks)\.json")
"""Artifacts of a run that tell of checks."""
_FAILED = re.compile(r"^(?:FAILED|ERROR) ([^\s:]+\.py)::(\S+)", re.MULTILINE)
_NAMED = 20


def looks(target: str, report: ChecksReport, at: datetime) -> Iterator[CheckSeen]:
    """Every look at a tree that an artifact tells of."""
    for result in report.results:
        yield CheckSeen(
            target=target,
            check=result.name,
            tree=report.tree_sha,
            environment=report.environment,
            base_count=result.base_count,
            status=result.status,
            seconds=tuple(attempt.seconds for attempt in result.attempts),
            at=at,
        )


def failing_tests(output: str) -> tuple[tuple[str, str], ...]:
    """Path and name of the tests that pytest says failed, in order, each once; of other runners none."""
    return tuple(dict.fromkeys((found[1], found[2]) for found in _FAILED.finditer(output)))[:_NAMED]


def flakes(seen: Iterable[CheckSeen], known: Sequence[KnownFlake], today: date) -> tuple[Flake, ...]:
    """Of each check that flaked, or that the policy says is flaky: how often, since when, whose, and until when.

    A check flaked where it was red and then green within one run, or where two looks at the same tree in the same
    environment, against the same base count, differ. What a run took over from an earlier one is the same look.
    """
    by_check: dict[_Key, dict[CheckSeen, None]] = defaultdict(dict)
    for each in sorted(seen, key=lambda each: each.at):
        looks = by_check[each.target, each.check]
        # Taken over: all is equal but the run that says so.
        if not any(each.model_copy(update={"at": earlier.at}) == earlier for earlier in looks):
            looks[each] = None
    entries = {(each.target, each.check): each for each in known}
    found = (_flake(key, list(by_check.get(key, {})), entries, today) for key in {**by_check, **entries})
    told = [each for each in found if each.flaked or each.until]
    return tuple(sorted(told, key=lambda each: (not each.overdue, -each.flaked, each.target, each.check)))


def _flake(key: _Key, looks: list[CheckSeen], entries: Mapping[_Key, KnownFlake], today: date) -> Flake:
    entry, when = entries.get(key), _flaked(looks)
    until = entry.until if entry else None
    return Flake(
        target=key[0],
        check=key[1],
        seen=len(looks),
        flaked=len(when),
        first=min(when, default=None),
        last=max(when, default=None),
        owner=entry.owner if entry else "",
        until=until,
        overdue=until is not None and until < today,
    )


def _flaked(looks: Sequence[CheckSeen]) -> list[datetime]:
    """When it did: of looks at one tree that differ, when the latest of them was made."""
    when = [each.at for each in looks if each.status is CheckStatus.FLAKY]
    same: dict[tuple[str, str, int | None], list[CheckSeen]] = defaultdict(list)
    for each in looks:
        if each.status in _ANSWERS:
            same[each.tree, each.environment, each.base_count].append(each)
    return when + [group[-1].at for group in same.values() if len({each.status for each in group}) > 1]
