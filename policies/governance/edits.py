"""A proposal's edits, made in the text of a policy file: comments, blank lines and order stay as they are.

What may be proposed at all is a short list. Everything else, whatever it says, is a person's own edit:

- a threshold: one step of `policies/governance/proposals.py`, within its bounds (none of them is a gate)
- a promotion of one source: its ``trial`` that was passed, with its ``state`` to PRODUCTION where it is another; or one
  new entry, in PRODUCTION, that names its trial
- a demotion of one source: its ``state``, downwards
"""

import difflib
from collections.abc import Mapping
from typing import Any, NamedTuple

import tomlkit
from pydantic import ValidationError
from tomlkit.exceptions import TOMLKitError

from contracts.proposal import PolicyEdit, PolicyProposal, Value
from contracts.source import SourceBook, SourceState
from policies.governance.proposals import FILE, is_step
from policies.settings.sources import Sources
from policies.source.lifecycle import refused, stands_in
from policies.source.scouting import not_as_tried

SOURCES_FILE = "sources.toml"
_LIVES = (SourceState.DISABLED, SourceState.CANDIDATE, SourceState.TRIAL, SourceState.DEGRADED, SourceState.PRODUCTION)
"""From least to most."""


class Applied(NamedTuple):
    """What became of the text."""

    text: str
    """With all edits made; as it was where they are not."""
    problem: str = ""
    """Why they are not made."""
    done: bool = False
    """All of it stands there already."""


def applied(
    text: str, proposal: PolicyProposal, catalogue: str | None = None, book: SourceBook | None = None
) -> Applied:
    """All edits or none.

    Rules, in order: the text is TOML · only what may be proposed · what stands there already is done · a source is the
    one that was tried · each ``before`` is what stands there · what comes out is a sources file again, where it was
    one, and the fallback of what is promoted may stand in for it.

    Args:
        text: the file as it is; empty where there is none yet.
        proposal: what is proposed.
        catalogue: ``catalogue.toml`` beside it; None: there is none.
        book: how far Control has lowered each source; None: only what the file says is known.
    """
    try:
        document = tomlkit.parse(text)
    except TOMLKitError as error:
        return Applied(text, f"{proposal.file} is no TOML: {error}")
    if proposal.file == SOURCES_FILE and not isinstance(document.get("sources", []), list):
        return Applied(text, f"{proposal.file}: `sources` is no list of entries")
    if problem := may_not(proposal):
        return Applied(text, problem)
    if not (missing := [each for each in proposal.edits if _standing(document, each) != each.after]):
        added = _added(proposal)
        if not added or added in document.unwrap().get("sources", []):
            return Applied(text, done=True)
    if proposal.tried:
        names = [str(added["name"])] if (added := _added(proposal)) else sorted({each.entry for each in proposal.edits})
        beside = (catalogue or "") if added else None
        if problem := next(filter(None, (not_as_tried(name, proposal.tried, text, beside) for name in names)), ""):
            return Applied(text, problem)
    for edit in missing:
        if isinstance(found := _standing(document, edit), _Nowhere):
            return Applied(text, f"{proposal.file} has no {found.what}")
        if found != edit.before:
            return Applied(text, f"{edit.name} is {_shown(found)}, not {_shown(edit.before)}, by now")
        _put(document, edit)
    changed = tomlkit.dumps(document)
    if proposal.adds:
        changed = f"{changed.rstrip()}\n\n{proposal.adds.strip()}\n".lstrip()
    if problem := _breaks(proposal, changed, book or SourceBook()):
        return Applied(text, problem)
    return Applied(changed)


def patch(text: str, proposal: PolicyProposal, catalogue: str | None = None) -> str:
    """A unified diff, from the policy folder; empty where nothing is to be done, or nothing can be."""
    lines = (text.splitlines(keepends=True), applied(text, proposal, catalogue).text.splitlines(keepends=True))
    return "".join(difflib.unified_diff(*lines, f"a/{proposal.file}", f"b/{proposal.file}"))


def about(proposal: PolicyProposal) -> frozenset[str]:
    """What it is about: a value of ``autopilot.toml``, or a source as a whole; only the newest is open."""
    added = {f"sources.{_added(proposal).get('name', '')}"} if proposal.adds else set()
    return frozenset({f"sources.{each.entry}" if each.entry else each.name for each in proposal.edits} | added)


def may_not(proposal: PolicyProposal) -> str:
    """Why this may not be proposed, whatever the file says; empty: it may."""
    if not proposal.edits and not proposal.adds:
        return "it proposes nothing"
    if proposal.kind == "threshold":
        if proposal.file != FILE or proposal.adds or len(proposal.edits) != 1:
            return f"a threshold is one value of {FILE}"
        [edit] = proposal.edits
        if edit.entry or not is_step(edit.table, edit.key, edit.before, edit.after):
            return f"{edit.name}: {_shown(edit.before)} to {_shown(edit.after)} is no step that may be proposed"
        return ""
    if proposal.file != SOURCES_FILE:
        return f"sources are in {SOURCES_FILE}, not in {proposal.file}"
    wrong = [each.name for each in proposal.edits if not _of_a_source(proposal, each)]
    if wrong:
        return f"{', '.join(wrong)}: only a person changes that"
    if len({each.entry for each in proposal.edits}) + bool(proposal.adds) != 1:
        return "it is about more than one source"
    if proposal.kind == "source_demotion":
        return "only a promotion adds a source" if proposal.adds else ""
    return _may_not_promote(proposal)


def _of_a_source(proposal: PolicyProposal, edit: PolicyEdit) -> bool:
    if not edit.entry or edit.table:
        return False
    if edit.key == "trial":
        return proposal.kind == "source_promotion" and isinstance(edit.after, str) and bool(edit.after)
    if edit.key != "state" or edit.after not in _LIVES:
        return False
    if proposal.kind == "source_promotion":
        return edit.after == SourceState.PRODUCTION
    before = SourceState.CANDIDATE if edit.before is None else edit.before
    return before in _LIVES and _LIVES.index(SourceState(str(edit.after))) < _LIVES.index(SourceState(str(before)))


def _may_not_promote(proposal: PolicyProposal) -> str:
    no_trial = "a promotion names the trial that was passed"
    if not proposal.adds:
        return "" if any(each.key == "trial" for each in proposal.edits) else no_trial
    try:
        entry = _added(proposal)
    except TOMLKitError as error:
        return f"the new entry is no TOML: {error}"
    if not entry:
        return "what is added must be one [[sources]] entry, and nothing else"
    if entry.get("state") != SourceState.PRODUCTION:
        return "the new entry is not in PRODUCTION"
    return "" if entry.get("trial") else no_trial


def _added(proposal: PolicyProposal) -> dict[str, Any]:
    """The new entry's values; empty: there is none, or something else beside it."""
    found = tomlkit.parse(proposal.adds).unwrap()
    entries = found.get("sources")
    one = set(found) == {"sources"} and isinstance(entries, list) and len(entries) == 1
    return dict(entries[0]) if one and isinstance(entries, list) else {}


class _Nowhere(NamedTuple):
    """There is no such place."""

    what: str


def _place(document: tomlkit.TOMLDocument, edit: PolicyEdit) -> Any:
    """The table that holds the key."""
    here: Any = document
    if edit.entry:
        entries = document.get("sources", [])
        here = next((each for each in entries if isinstance(each, Mapping) and each.get("name") == edit.entry), None)
        if here is None:
            return _Nowhere(f"source {edit.entry!r}")
    for part in edit.table.split(".") if edit.table else ():
        here = here.get(part)
        if not isinstance(here, Mapping):
            return _Nowhere(f"[{edit.table}]")
    return here


def _standing(document: tomlkit.TOMLDocument, edit: PolicyEdit) -> Any:
    place = _place(document, edit)
    if isinstance(place, _Nowhere):
        return place
    found = place.get(edit.key)
    return found.unwrap() if hasattr(found, "unwrap") else found


def _put(document: tomlkit.TOMLDocument, edit: PolicyEdit) -> None:
    place = _place(document, edit)
    if edit.after is None:
        del place[edit.key]
        return
    # ``lines = 60``, not ``60.0``: the file's own check would refuse that.
    whole = isinstance(place.get(edit.key), int) and isinstance(edit.after, float)
    place[edit.key] = int(edit.after) if whole and isinstance(edit.after, float) else edit.after


def _breaks(proposal: PolicyProposal, changed: str, book: SourceBook) -> str:
    if proposal.file != SOURCES_FILE:
        return ""
    try:
        sources = Sources.model_validate(tomlkit.parse(changed).unwrap())
    except (ValidationError, TOMLKitError) as error:
        message = (
            "; ".join(each["msg"] for each in error.errors()) if isinstance(error, ValidationError) else str(error)
        )
        return f"{proposal.file} would be no sources file any more: {message}"
    if proposal.kind != "source_promotion":
        return ""
    promoted = {each.entry for each in proposal.edits} | {_added(proposal).get("name")}
    for source in sources.sources:
        if source.name not in promoted:
            continue
        if refused(source):
            return "a source whose use is refused needs compliance = 'approved' first"
        other = sources.named(source.fallback)
        if other and (problem := stands_in(other, book.of(other.name))):
            return f"its fallback {other.name} may not stand in: {problem}"
    return ""


def _shown(value: Value) -> str:
    return "not set" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
