"""Uncertain compliance escalates (policy): what a licence says is not for a machine to change."""

from collections import Counter

from contracts.change import Change
from contracts.incident import Trigger
from contracts.verdict import Verdict
from policies.paths.rules import matches, readable
from policies.settings.schema import EffectivePolicy
from policies.verdicts import all_of, allow, escalate

_TAG = b"spdx-license-identifier"
_LISTED = 20


def is_licence_text(path: str, policy: EffectivePolicy) -> bool:
    """Whether a path is one of ``compliance`` in ``protected_paths.toml``, or takes the place of their folder."""
    patterns = policy.protected_paths.compliance
    return bool(patterns) and (matches(path, patterns) or matches(f"{path}/x", patterns))


def judge_compliance(change: Change, diff: bytes, policy: EffectivePolicy) -> Verdict:
    """Judge a change by its paths and its text.

    Rules, in order:

    1. No licence text is added, edited, deleted or renamed (ESCALATE).
    2. The ``SPDX-License-Identifier`` lines it removes are those it adds: one may move, none may change (ESCALATE).

    Args:
        change: measured from two commits.
        diff: its unified diff.
        policy: whose licence texts.
    """
    touched = [readable(entry.path) for entry in change.paths if is_licence_text(entry.path, policy)]
    found = [_uncertain("no licence text is touched", f"{path} is a licence text", path) for path in touched[:_LISTED]]
    found += [
        _uncertain("no licence identifier changes", f"the identifier {expression} changes", expression)
        for expression in _changed_identifiers(diff)[:_LISTED]
    ]
    if not found:
        found.append(allow("no licence text is touched", "no licence text or identifier is in the change"))
    return all_of("compliance is certain", found)


def _uncertain(rule: str, reason: str, what: str) -> Verdict:
    return escalate(rule, f"{reason}: a person must look at it", trigger=Trigger.UNCERTAIN_COMPLIANCE.value, what=what)


def _changed_identifiers(diff: bytes) -> list[str]:
    counts: Counter[bytes] = Counter()
    for line in diff.splitlines():
        text = line[1:].lower()
        if line[:1] in {b"+", b"-"} and _TAG in text:
            counts[text.partition(_TAG)[2].strip(b" \t:*/->\"'")] += 1 if line.startswith(b"+") else -1
    changed = sorted(expression for expression, count in counts.items() if count)
    return [readable(expression.decode("utf-8", "surrogateescape"))[:100] for expression in changed]
