"""Who could be tried, and who is: the catalogue, links of the repository, and the rules by which one is picked."""

import re
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

from pydantic import ValidationError

from contracts.source import SourceBook, SourceState
from contracts.trial import NOT_KNOWN, CandidateSource, Lead
from policies.counted import shortened
from policies.digests import digest
from policies.settings.sources import SourcePolicy, Sources
from policies.source.lifecycle import outdated

Origin = Literal["sources.toml", "catalogue.toml"]
CATALOGUE = "catalogue.toml"
"""In the policy folder: ``[[sources]]`` entries that nobody uses yet."""
_NAMED = 10
"""Leads of an agent, at most."""
AGAIN_AFTER = timedelta(days=28)
"""A source that did not pass is tried again then, or when its entry changes."""
_TRIED = frozenset({SourceState.CANDIDATE, SourceState.TRIAL, SourceState.DEGRADED})
"""States whose sources the Scout lists by itself; a person may name any."""
_WEIGHED_AT_THE_END = {
    "state",
    "targets",
    "licence",
    "provenance",
    "compliance",
    "compliance_reference",
    "trial",
    "terms",
    "fallback",
}
LOWERED = frozenset({SourceState.DEGRADED})
"""By file or by Control's books: the Scout lists them, for only a new trial brings them back."""
_LINK = re.compile(r"https?://[^\s<>\"'`)\]}|\\]{4,400}")
_DATA = re.compile(r"\.(json|jsonl|ndjson|csv|rss|atom|xml)$|/(feed|feeds|rss|atom|api)(/|$)", re.IGNORECASE)
_PROSE = re.compile(r"^(readme[^/]*|docs?/.+)\.(md|rst|txt|adoc)$|^readme$", re.IGNORECASE)


@dataclass(frozen=True)
class Tried:
    """A trial that began."""

    trial_id: str
    source: str
    entry_digest: str
    began_at: datetime
    ended_at: datetime | None = None
    """None: it is not over."""
    passed: bool = False


@dataclass(frozen=True)
class Choice:
    """What Planning picks."""

    candidate: CandidateSource | None
    unfinished: Tried | None = None
    """The trial that goes on."""
    reasons: tuple[str, ...] = ()
    """Why each of the others is not picked, or why none is."""


def catalogue_of(text: str, known: Sources, target: str) -> tuple[list[SourcePolicy], tuple[str, ...]]:
    """A catalogue's entries for a target, as sources beside the known ones; and what is wrong with the rest."""
    try:
        raw = tomllib.loads(text).get("sources", [])
    except tomllib.TOMLDecodeError as error:
        return [], (f"{CATALOGUE} is no TOML: {error}",)
    found: list[SourcePolicy] = []
    wrong: list[str] = []
    for place, entry in enumerate(raw if isinstance(raw, list) else [], 1):
        name = str(entry.get("name", f"entry {place}")) if isinstance(entry, dict) else f"entry {place}"
        if name in {each.name for each in known.sources}:
            # It was promoted: what counts is there.
            continue
        try:
            read = SourcePolicy.model_validate(entry)
            Sources(sources=(*known.sources, *found, read), trial=known.trial)
        except ValidationError as error:
            message = "; ".join(".".join(map(str, each["loc"])) + f": {each['msg']}" for each in error.errors())
            wrong.append(shortened(f"{CATALOGUE}: {name}: {message}", 500))
            continue
        if read.state is not SourceState.CANDIDATE:
            wrong.append(f"{CATALOGUE}: {name} is {read.state}: a catalogue holds candidates alone")
        elif not read.targets or target in read.targets:
            found.append(read)
    return found, tuple(wrong)


def candidates(
    known: Sources, catalogue: Sequence[SourcePolicy], target: str, named: str, lowered: Collection[str]
) -> tuple[CandidateSource, ...]:
    """All that could be tried, in the files' order; ``lowered``: what only a new trial brings back."""
    own = [each for each in known.of(target) if each.state in _TRIED or each.name == named or each.name in lowered]
    by_name = {each.name: each for each in (*known.sources, *catalogue)}
    listed: list[tuple[SourcePolicy, Origin]] = [(each, "sources.toml") for each in own]
    listed += [(each, "catalogue.toml") for each in catalogue]
    return tuple(_candidate(each, origin, by_name.get(each.baseline or each.fallback)) for each, origin in listed)


def barred(source: SourcePolicy) -> tuple[str, ...]:
    """Why nothing of a source may be fetched and kept."""
    found = []
    if source.licence == NOT_KNOWN:
        found.append(f"{source.name}: its licence is unknown, so nothing of it may be kept")
    if source.compliance == "refused":
        where = f" ({source.compliance_reference})" if source.compliance_reference else ""
        found.append(f"{source.name}: compliance refused its use{where}")
    return tuple(found)


def choose(
    found: Iterable[CandidateSource], known: Mapping[str, Sequence[Tried]], named: str, now: datetime, book: SourceBook
) -> Choice:
    """One source to try, or none. A trial from before the source was lowered is no trial of it any more.

    Rules, in order: the one that a person named, whatever speaks against it · never one that is barred · the trial that
    is not over yet, the oldest first · a source that its file holds in TRIAL, then DEGRADED, then CANDIDATE; of each,
    one that was never tried before one that was · one that was tried as it is now waits for four weeks, or a person.
    """
    listed = tuple(found)
    tried = {
        name: [each for each in trials if not outdated(each.began_at, book.of(name))] for name, trials in known.items()
    }
    if named:
        one = next((each for each in listed if each.name == named), None)
        if one is None:
            names = ", ".join(each.name for each in listed) or "none"
            return Choice(None, reasons=(f"no source {named!r} can be tried; there are: {names}",))
        return Choice(one, _unfinished(one, tried))
    reasons = [reason for each in listed for reason in each.barred]
    free = [each for each in listed if not each.barred]
    going = [(mine, each) for each in free if (mine := _unfinished(each, tried))]
    if going:
        unfinished, one = min(going, key=lambda pair: pair[0].began_at)
        return Choice(one, unfinished, tuple(reasons))
    order = (SourceState.TRIAL, SourceState.DEGRADED)
    ready = []
    for place, each in enumerate(free):
        over = [past for past in tried.get(each.name, ()) if past.ended_at and past.entry_digest == each.entry_digest]
        if waits := _waits(each, over, now):
            reasons.append(waits)
            continue
        rank = order.index(each.state) if each.state in order else len(order)
        ready.append((rank, bool(over), place, each))
    picked = min(ready, default=None)
    reasons += [f"{each.name}: another is tried first" for *_, each in sorted(ready)[1:]]
    return Choice(picked[-1] if picked else None, reasons=tuple(reasons))


def entry_digest(source: SourcePolicy, baseline: SourcePolicy | None) -> str:
    """Of what its answers and their grades depend on; who approved it, and its state, may change in mid-trial."""
    return digest([source.model_dump(mode="json", exclude=_WEIGHED_AT_THE_END), _asked(baseline)])


def tried_digest(source: SourcePolicy, baseline: SourcePolicy | None) -> str:
    """Of all that a trial's gates weighed: the entry but for what its promotion writes, and its baseline's answers."""
    return digest([source.model_dump(mode="json", exclude={"state", "trial"}), _asked(baseline)])


def not_as_tried(name: str, tried: str, text: str, catalogue: str | None) -> str:
    """Why a promotion is not made: its entry is another than the one that was tried; empty: it is the same.

    Args:
        name: of the source.
        tried: ``tried_digest`` when its trial ended.
        text: ``sources.toml`` as it is.
        catalogue: ``catalogue.toml`` as it is, where the entry stood there; None: it stood in ``sources.toml``.
    """
    again = f"try it as it is now: starter.py sources trial <target> {name}"
    file = "sources.toml" if catalogue is None else CATALOGUE
    try:
        entries = [each for each in (text, catalogue or "") for each in tomllib.loads(each).get("sources", [])]
        raw = {str(each["name"]): each for each in entries if isinstance(each, dict) and "name" in each}
        if name not in raw:
            return f"{file} has no source {name} any more"
        source = SourcePolicy.model_validate(raw[name])
        other = raw.get(source.baseline or source.fallback)
        same = tried_digest(source, SourcePolicy.model_validate(other) if other else None) == tried
    except (tomllib.TOMLDecodeError, ValidationError, TypeError) as wrong:
        return shortened(f"whether {name} is as it was tried cannot be told of {file}: {wrong}", 500)
    return "" if same else f"{name} of {file}, or what it is compared with, was changed after its trial; {again}"


def leads_in(path: str, text: str) -> list[Lead]:
    """Addresses in a text that look like data, without credentials and queries."""
    found = []
    for match in _LINK.findall(text):
        parts = urlsplit(match.rstrip(".,;:!?*_"))
        if parts.hostname and _DATA.search(parts.path):
            bare = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
            found.append(Lead(url=bare, path=path))
    return list({each.url: each for each in found}.values())


def named_leads(leads: Iterable[Lead], known: Collection[str], who: str) -> list[Lead]:
    """What an agent named, as leads: addresses that are not known yet, with its own word for what each is."""
    found: dict[str, Lead] = {}
    for each in leads:
        try:
            parts = urlsplit(each.url)
        except ValueError:
            continue
        # A whole address and nothing else; `localhost` and its like are nobody's publication.
        if parts.scheme != "https" or "." not in (parts.hostname or "") or not _LINK.fullmatch(each.url):
            continue
        bare = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, "", ""))
        if bare not in known and bare not in found and len(found) < _NAMED:
            words = {name: _word(getattr(each, name), who) for name in ("provenance", "licence", "compliance")}
            found[bare] = Lead(url=bare, path="", named_by=who, **words)
    return list(found.values())


def _word(text: str, who: str) -> str:
    return NOT_KNOWN if text.strip().lower() in {"", NOT_KNOWN} else f"{shortened(text, 200)} (says {who})"


def is_prose(path: str) -> bool:
    """Whether the Scout reads a file for leads."""
    return _PROSE.search(path) is not None


def _asked(baseline: SourcePolicy | None) -> dict[str, Any] | None:
    return baseline.model_dump(mode="json", exclude=_WEIGHED_AT_THE_END) if baseline else None


def _candidate(source: SourcePolicy, origin: Origin, baseline: SourcePolicy | None) -> CandidateSource:
    entry: dict[str, Any] = source.model_dump(mode="json", exclude_defaults=True)
    return CandidateSource(
        name=source.name,
        origin=origin,
        state=source.state,
        connector=source.connector,
        purpose=f"file {source.file.path}" if source.file else "candidates",
        provenance=source.provenance,
        licence=source.licence,
        compliance=source.compliance,
        compliance_reference=source.compliance_reference,
        entry=entry,
        entry_digest=entry_digest(source, baseline),
        barred=barred(source),
    )


def _unfinished(candidate: CandidateSource, tried: Mapping[str, Sequence[Tried]]) -> Tried | None:
    """Of the entry as it is now: one that has changed in mid-trial begins anew."""
    same = [each for each in tried.get(candidate.name, ()) if each.entry_digest == candidate.entry_digest]
    open_ones = [each for each in same if each.ended_at is None]
    return max(open_ones, key=lambda each: each.began_at, default=None)


def _waits(candidate: CandidateSource, over: Sequence[Tried], now: datetime) -> str:
    last = max((each for each in over if each.ended_at), key=lambda each: each.began_at, default=None)
    if last is None or last.ended_at is None:
        return ""
    if last.passed:
        return f"{candidate.name}: it passed {last.trial_id}; its promotion waits for a person"
    again = last.ended_at + AGAIN_AFTER
    return f"{candidate.name}: it did not pass {last.trial_id}; again after {again:%Y-%m-%d}" if now < again else ""
