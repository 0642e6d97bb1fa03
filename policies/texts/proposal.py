"""A proposal to change the policy, in a maintainer's words: what, why, by what, and how it is undone."""

import tomllib

from contracts.proposal import PolicyEdit, PolicyProposal
from contracts.release import WhatIf
from contracts.task import Words
from policies.counted import counted
from policies.texts.inert_markdown import inert_line, one_line

_NAMED = 10


def proposal_words(proposal: PolicyProposal) -> Words:
    """For the title and the text of its pull request, and for the command that shows it."""
    verb, what = _what(proposal)
    return Words(
        verb=verb,
        one=what,
        many=what,
        why=_sentence(inert_line(one_line(proposal.because))),
        more=tuple(_points(proposal)),
    )


def _what(proposal: PolicyProposal) -> tuple[str, str]:
    """``Lower``, ``caps.open_pull_requests from 5 to 4``."""
    if proposal.adds:
        return "Add", f"the source {_added(proposal.adds)}"
    first = next((each for each in proposal.edits if each.key == "state"), proposal.edits[0])
    if first.entry:
        verb = "Promote" if proposal.kind == "source_promotion" else "Lower"
        return verb, f"the source {first.entry} to {first.after}"
    before, after = first.before, first.after
    numbers = isinstance(before, int | float) and isinstance(after, int | float)
    verb = "Set" if not numbers else "Lower" if float(after or 0) < float(before or 0) else "Raise"
    return verb, f"{first.name} from {before} to {after}"


def _added(entry: str) -> str:
    """Its name: what may be proposed was looked at when it was kept."""
    return str(tomllib.loads(entry)["sources"][0]["name"])


def _points(proposal: PolicyProposal) -> list[str]:
    points = [_change(each) for each in proposal.edits] if len(proposal.edits) > 1 else []
    points += [_sentence(each) for each in proposal.measured]
    if proposal.what_if is not None:
        points.append(_replayed(proposal.what_if))
    if proposal.fallback:
        points.append(f"Fallback: {proposal.fallback}.")
    if proposal.demotion_plan:
        points.append(f"Demotion: {proposal.demotion_plan.rstrip('.')}.")
    if proposal.off_switch:
        points.append(f"Off switch: {proposal.off_switch.rstrip('.')}.")
    points += [f"Evidence: {each.name}, SHA-256 {each.sha256}." for each in proposal.evidence]
    points.append(
        f"Proposed on {proposal.made_at:%Y-%m-%d} as {proposal.proposal_id}; to say no for good, close this and type "
        f"starter.py policy withdraw {proposal.proposal_id}."
    )
    return points


def _change(edit: PolicyEdit) -> str:
    before = "not set" if edit.before is None else edit.before
    return f"{edit.name}: {before} becomes {'not set' if edit.after is None else edit.after}."


def _replayed(what_if: WhatIf) -> str:
    if not what_if.decisions:
        return "What it would have changed of past release decisions is not known: none can be made again yet."
    text = f"Of {counted(what_if.decisions, 'past release decision')} it would have changed {len(what_if.others)}"
    named = [
        f"{each.run_id} {each.decided.value} to {each.would_be.value}{f' ({each.became})' if each.became else ''}"
        for each in what_if.others[:_NAMED]
    ]
    rest = len(what_if.others) - len(named)
    return f"{text}{': ' if named else ''}{', '.join(named)}{f' and {rest} more' if rest else ''}."


def _sentence(text: str) -> str:
    line = text.strip().rstrip(".")
    return f"{line[:1].upper()}{line[1:]}."
