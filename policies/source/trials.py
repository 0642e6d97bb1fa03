"""A trial judged (runbook §5): shapes, differences, metrics, gates, and the promotion that is proposed. Pure."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from itertools import groupby, pairwise
from typing import Any

import tomlkit
from pydantic import JsonValue

from contracts.artifact import ArtifactRef
from contracts.proposal import PolicyEdit, PolicyProposal
from contracts.source import Grade, Record, SourceBook, SourceState
from contracts.task import Finding
from contracts.trial import (
    CONSEQUENCE,
    Difference,
    Differences,
    ReplayCheck,
    SourceTrial,
    SourceTrialReport,
    TriageReplay,
    TrialFetch,
    TrialMetrics,
)
from contracts.verdict import Verdict
from policies.counted import aged, counted, shortened
from policies.digests import digest
from policies.settings.schema import EffectivePolicy
from policies.settings.sources import SourcePolicy, Sources
from policies.source.lifecycle import outdated, stands_in
from policies.source.quality import AT_MOST
from policies.task.candidates import rank
from policies.task.idea_memory import Memory
from policies.verdicts import all_of, allow, deny

LISTED = 200
"""Differences that a report lists; all are counted."""
_LONGEST = 200
_LONGEST_ID = 100
_TOOL = "source"
"""Whose findings a source's are."""


def shape_of(records: Sequence[Record]) -> dict[str, str]:
    """Fields that every record has, and the kinds of their values: what a program that reads them relies on."""
    if not records:
        return {}
    common = set.intersection(*(set(each.payload) for each in records))
    return {name: " or ".join(sorted({_kind(each.payload[name]) for each in records})) for name in sorted(common)}


def shape_changes(fetches: Sequence[TrialFetch]) -> tuple[str, ...]:
    """How the records changed between the first readable fetch and later ones; the same change is said once."""
    readable = [each for each in fetches if each.shape]
    found: dict[str, None] = {}
    for earlier, later in pairwise(readable):
        before, after = earlier.shape, later.shape
        for name in sorted(before.keys() | after.keys()):
            if name not in after:
                found[f"fetch {later.number}: not every record has {name} any more"] = None
            elif name not in before:
                found[f"fetch {later.number}: every record has {name}, which was not so before"] = None
            elif set(before[name].split(" or ")).isdisjoint(after[name].split(" or ")):
                found[f"fetch {later.number}: {name} is {after[name]}, and was {before[name]}"] = None
    return tuple(found)


def differences(ours: Sequence[Record], theirs: Sequence[Record], compared: Sequence[str]) -> Differences:
    """What source and baseline do not say alike, each with what explains it."""
    mine, other = {each.key: each for each in ours}, {each.key: each for each in theirs}
    listed = list(_differences(mine, other, compared))
    common = mine.keys() & other.keys()
    return Differences(
        compared=len(common),
        only_here=len(mine.keys() - other.keys()),
        only_there=len(other.keys() - mine.keys()),
        conflicts=sum(bool(each.field) for each in listed),
        listed=tuple(sorted(listed, key=lambda each: not each.field)[:LISTED]),
    )


def metrics(fetches: Sequence[TrialFetch]) -> TrialMetrics:
    """Over the trial, each at its worst."""
    seen = [each.reading.quality for each in fetches]

    def worst(name: str, pick: Any) -> float | None:
        values = [value for each in seen if (value := getattr(each, name)) is not None]
        return pick(values) if values else None

    return TrialMetrics(
        fetches=len(fetches),
        good=sum(each.reading.grade is Grade.GOOD for each in fetches),
        availability=sum(each.available for each in seen) / len(seen) if seen else None,
        freshness_hours=worst("freshness_hours", max),
        coverage=worst("coverage", min),
        schema_validity=worst("schema_validity", min),
        conflict_rate=worst("conflict_rate", max),
    )


def gates(
    trial: SourceTrial,
    source: SourcePolicy,
    fetches: Sequence[TrialFetch],
    replay: ReplayCheck,
    sources: Sources,
    book: SourceBook,
) -> Verdict:
    """Whether a promotion may be proposed: every gate says yes.

    Args:
        trial: its contract.
        source: its entry as it is now: licence and compliance may have been stated in the meantime.
        fetches: what was recorded.
        replay: whether the same bytes gave the same records in a fresh sandbox.
        sources: the file's.
        book: how far Control has lowered each.
    """
    return all_of(
        "the source may be proposed for production",
        (
            _licence(source),
            _compliance(source),
            _enough(trial, fetches),
            _thresholds(fetches),
            _steady(fetches),
            _replayed(replay, fetches),
            _fallback(source, sources, book),
            _since(trial, book),
        ),
    )


def would_change(
    source: str, findings: tuple[Finding, ...], unread: Sequence[str], policy: EffectivePolicy, today: str
) -> TriageReplay:
    """Today's triage with the source in use, beside the one without.

    Args:
        source: its name.
        findings: of the base, with the source's among them.
        unread: why a file of it could not be looked at.
        policy: the pinned one, with the source in PRODUCTION.
        today: the run's ISO date.
    """
    mine: list[Finding] = []
    others: list[Finding] = []
    for each in findings:
        (mine if each.tool == _TOOL and each.rule.partition("/")[0] == source else others).append(each)
    if not mine:
        return TriageReplay(sentence="; ".join(("nothing would change", *unread[:3])))
    memory = Memory(today=date.fromisoformat(today))
    before = {each.task_id for each in rank(tuple(others), policy, memory).candidates}
    after = rank(findings, policy, memory).candidates
    lines = [f"{counted(len(mine), 'finding')} more"]
    if len(mine) == 1:
        lines[0] += f" ({mine[0].message})"
    lines += [
        f"at place {place} of {len(after)}: {each.title}"
        for place, each in enumerate(after, 1)
        if each.task_id not in before
    ]
    if gone := before - {each.task_id for each in after}:
        lines.append(f"{counted(len(gone), 'other candidate')} less")
    return TriageReplay(sentence=", ".join(lines), changes=len(mine))


def promotion(report: SourceTrialReport, evidence: ArtifactRef) -> PolicyProposal:
    """What a person merges or applies: state and trial of an entry, or the catalogue's entry as a new one."""
    trial, source = report.trial, SourcePolicy.model_validate(report.trial.entry)
    edits: tuple[PolicyEdit, ...] = ()
    adds = ""
    if trial.origin == "sources.toml":
        edits = (
            PolicyEdit(table="", entry=source.name, key="trial", before=source.trial or None, after=trial.trial_id),
        )
        if source.state is not SourceState.PRODUCTION:
            before = source.state.value if "state" in trial.entry else None
            edits = (PolicyEdit(table="", entry=source.name, key="state", before=before, after="PRODUCTION"), *edits)
    else:
        entry = source.model_dump(mode="json", exclude_defaults=True, exclude_none=True)
        adds = tomlkit.dumps({"sources": [_in_lines({**entry, "state": "PRODUCTION", "trial": trial.trial_id})]})
    lasting = source.thresholds.sustained
    often = f"{lasting} breaches in a row" if lasting > 1 else "A breach"
    return PolicyProposal(
        proposal_id=report.proposal_id,
        kind="source_promotion",
        file="sources.toml",
        edits=edits,
        adds=adds,
        because=f"It passed its trial {trial.trial_id}",
        evidence=(evidence,),
        measured=(in_words(report.metrics), *_thresholds_in_words(trial)),
        made_at=report.ended_at,
        tried=report.tried,
        fallback=source.fallback,
        demotion_plan=(
            f"{often} of a threshold, one breach of the conflict rate, or compliance that is gone gives way to "
            f"{source.fallback} for good; only a new trial and a person bring it back"
        ),
        off_switch=f'starter.py sources disable {report.target} {source.name}, or state = "DISABLED" in sources.toml',
    )


def promotion_id(trial_id: str, target: str) -> str:
    """Of the promotion that a passed trial proposes; one that is too long ends in a digest of all of it."""
    name = f"{trial_id}-{target}"
    return name if len(name) <= _LONGEST_ID else f"{name[: _LONGEST_ID - 9]}-{digest(name)[:8]}"


def reasons_by_fetch(fetches: Sequence[TrialFetch]) -> list[str]:
    """What spoke against them: ``fetch 2: status 503``, ``fetches 1 to 3: …`` where it is the same in a row."""
    told: list[str] = []
    for reasons, group in groupby(fetches, key=lambda each: "; ".join(each.reading.reasons)):
        numbers = [each.number for each in group]
        which = f"fetch {numbers[0]}" if len(numbers) == 1 else f"fetches {numbers[0]} to {numbers[-1]}"
        if reasons:
            told.append(f"{which}: {reasons}")
    return told


def in_words(measured: TrialMetrics) -> str:
    """``7 of 7 fetches good, newest record at most 3 h old, coverage at least 98 %``."""
    parts = [f"{measured.good} of {counted(measured.fetches, 'fetch', 'fetches')} good"]
    if measured.availability is not None:
        parts.append(f"available {_percent(measured.availability)}")
    if measured.freshness_hours is not None:
        parts.append(f"its newest record at most {aged(measured.freshness_hours)} old")
    if measured.coverage is not None:
        parts.append(f"coverage at least {_percent(measured.coverage)}")
    if measured.schema_validity is not None:
        parts.append(f"valid at least {_percent(measured.schema_validity)}")
    if measured.conflict_rate is not None:
        parts.append(f"in conflict at most {_percent(measured.conflict_rate)}")
    return ", ".join(parts)


def _thresholds_in_words(trial: SourceTrial) -> tuple[str, ...]:
    """``no answer breached: freshness hours at most 72, coverage at least 0.9``; empty: none is judged."""
    kept = [
        f"newest record at most {aged(bounds.breach)} old"
        if name == "freshness_hours"
        else f"{name.replace('_', ' ')} at {'most' if name in AT_MOST else 'least'} {bounds.breach:g}"
        for name, bounds in sorted(trial.thresholds.items())
    ]
    return (f"no answer breached: {', '.join(kept)}",) if kept else ()


def _in_lines(value: Any, depth: int = 0) -> Any:
    """What lies deep and is flat stands on one line, as a person writes it."""
    if not isinstance(value, dict):
        return value
    made = {name: _in_lines(each, depth + 1) for name, each in value.items()}
    if depth < 2 or any(isinstance(each, dict) for each in made.values()):  # noqa: PLR2004  # a table of the entry's own
        return made
    line = tomlkit.inline_table()
    line.update(made)
    return line


def _licence(source: SourcePolicy) -> Verdict:
    rule = "the licence of the data is known"
    if source.licence == "unknown":
        return deny(rule, f"the licence of {source.name} is unknown: nothing of it may be kept")
    return allow(rule, source.licence)


def _compliance(source: SourcePolicy) -> Verdict:
    rule = "compliance approved it, and where is written"
    if source.compliance != "approved":
        return deny(rule, f"compliance of {source.name} is {source.compliance}")
    if not source.compliance_reference:
        return deny(rule, f"who approved {source.name}, and where, is not written: compliance_reference")
    return allow(rule, source.compliance_reference)


def _enough(trial: SourceTrial, fetches: Sequence[TrialFetch]) -> Verdict:
    rule = "enough fetches were good"
    good = sum(each.reading.grade is Grade.GOOD for each in fetches)
    text = f"{good} of {counted(trial.fetches, 'fetch', 'fetches')} good; {trial.at_least} are needed"
    if good >= trial.at_least:
        return allow(rule, text)
    if trial.barred:
        return deny(rule, text, **CONSEQUENCE)
    return deny(rule, shortened("; ".join([text, *reasons_by_fetch(fetches)[:3]]), 500))


def _thresholds(fetches: Sequence[TrialFetch]) -> Verdict:
    rule = "no answer breached a threshold"
    bad = [each for each in fetches if each.reading.grade is Grade.BREACH and each.reading.quality.available]
    if bad:
        told = reasons_by_fetch(bad)
        return deny(rule, shortened(f"{told[0]}{_and_more(len(told) - 1)}", 500))
    if not any(each.reading.quality.available for each in fetches):
        return deny(rule, "there was no answer to judge", **CONSEQUENCE)
    return allow(rule, f"in {counted(len(fetches), 'fetch', 'fetches')}")


def _steady(fetches: Sequence[TrialFetch]) -> Verdict:
    rule = "its records kept their shape through the trial"
    changes = shape_changes(fetches)
    if changes:
        return deny(rule, shortened(f"{changes[0]}{_and_more(len(changes) - 1)}", 500))
    if not any(each.shape for each in fetches):
        return deny(rule, "there was no record to tell a shape by", **CONSEQUENCE)
    return allow(rule, "every record kept its fields and their kinds")


def _replayed(replay: ReplayCheck, fetches: Sequence[TrialFetch]) -> Verdict:
    rule = "the same recorded bytes give the same records in a fresh sandbox"
    if replay.problem:
        return deny(rule, f"it could not be found out: {replay.problem}")
    if replay.different:
        return deny(rule, f"{', '.join(replay.different[:3])} gave other records{_and_more(len(replay.different) - 3)}")
    if not replay.answers or not fetches:
        return deny(rule, "there was no answer to replay", **CONSEQUENCE)
    return allow(rule, counted(replay.answers, "answer"))


def _fallback(source: SourcePolicy, sources: Sources, book: SourceBook) -> Verdict:
    rule = "it has a fallback that may stand in for it"
    if not source.fallback:
        return deny(rule, f"{source.name} names no fallback")
    other = sources.named(source.fallback)
    if other is None:
        return deny(rule, f"its fallback {source.fallback} is no source of sources.toml")
    if problem := stands_in(other, book.of(other.name)):
        return deny(rule, f"its fallback {other.name} may not stand in: {problem}")
    return allow(rule, f"{other.name} is {other.state}")


def _since(trial: SourceTrial, book: SourceBook) -> Verdict:
    rule = "it was not lowered since the trial began"
    problem = outdated(trial.began_at, book.of(trial.source))
    return deny(rule, problem) if problem else allow(rule, f"it began on {trial.began_at:%Y-%m-%d %H:%M}")


def _differences(
    mine: Mapping[str, Record], other: Mapping[str, Record], compared: Sequence[str]
) -> Iterator[Difference]:
    for key in sorted(mine.keys() | other.keys()):
        if key not in other:
            yield Difference(key=key, ours=_shown(mine[key].payload), explained="the baseline has no such record")
        elif key not in mine:
            yield Difference(key=key, theirs=_shown(other[key].payload), explained="the source has no such record")
        else:
            yield from _fields(mine[key], other[key], compared)


def _fields(mine: Record, other: Record, compared: Iterable[str]) -> Iterator[Difference]:
    explained = "they conflict: neither is known to be newer"
    if mine.at and other.at and mine.at != other.at:
        newer = "source" if mine.at > other.at else "baseline"
        explained = f"the {newer}'s record is the newer one"
    for name in compared or sorted(mine.payload.keys() | other.payload.keys()):
        ours, theirs = mine.payload.get(name), other.payload.get(name)
        if ours != theirs:
            yield Difference(key=mine.key, field=name, ours=_shown(ours), theirs=_shown(theirs), explained=explained)


def _shown(value: JsonValue) -> str:
    return shortened(json.dumps(value, sort_keys=True, ensure_ascii=False), _LONGEST)


def _kind(value: JsonValue) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "text"
        case list():
            return "list"
        case _:
            return "object"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _and_more(number: int) -> str:
    return f", and {number} more" if number > 0 else ""
