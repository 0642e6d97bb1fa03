"""What a tool is, and what one says of the findings it makes."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from adapters.tools.source_tree import SourceTree
from adapters.tools.tool_runner import ToolRunner
from contracts.task import Finding, FindingFacts, TaskContract, UnreadFile, Words
from policies.counted import shortened
from policies.settings.schema import EffectivePolicy


@dataclass(frozen=True)
class Seen:
    """What one tool saw, and what it should have seen."""

    findings: tuple[Finding, ...]
    files: int
    """It should have looked at; those left out by their owner or by us (generated, vendored, test data) are none."""
    unread: tuple[UnreadFile, ...] = ()
    """Of these, the ones it could not look at."""
    lookup: bytes = b""
    """What it found out elsewhere, as JSON: kept with the run, and all that later steps ask (`ToolRunner.recorded`)."""

    @property
    def unread_share(self) -> float:
        """0.0 to 1.0."""
        return len(self.unread) / max(self.files, len(self.unread)) if self.unread else 0.0


def unread_of(tool: str, reasons: Mapping[str, str]) -> tuple[UnreadFile, ...]:
    """From paths and the reasons why they could not be looked at."""
    return tuple(UnreadFile(tool=tool, path=path, reason=shortened(reasons[path], 200)) for path in sorted(reasons))


class Tool(Protocol):
    """Detects, fixes, and is asked to detect again on the changed tree."""

    @property
    def name(self) -> str:
        """As it stands in findings and contracts."""

    def facts(self, rule: str, policy: EffectivePolicy) -> FindingFacts:
        """Of its findings of one rule: how sure it is, what its fixes may change, what must be shown of them."""

    def detect(self, tree: SourceTree, policy: EffectivePolicy, bench: ToolRunner) -> Seen | None:
        """Everything the tool sees, and which files it could not look at; None: this target gives it no part.

        Raises:
            ToolUnavailable: it could not look at all; an empty answer always means "looked, and found nothing".
        """

    def fix(self, tree: SourceTree, contract: TaskContract, policy: EffectivePolicy, bench: ToolRunner) -> None:
        """Repair the contract's rule in the files of its scope, and touch nothing else.

        Raises:
            ToolUnavailable: it could not work.
        """


@dataclass(frozen=True)
class Sighting:
    """A finding before it has its fingerprint."""

    rule: str
    path: str
    line: int
    message: str
    fixable: bool
    code: str = ""
    """Finer than the rule, for the fingerprint alone."""
    words: Words | None = None
    about: str = ""


def findings_of(
    tool: Tool, tree: SourceTree, policy: EffectivePolicy, sightings: Iterable[Sighting]
) -> tuple[Finding, ...]:
    """Give each sighting its facts and its fingerprint.

    That survives moved lines, and tells equal lines apart by their order.
    """
    sightings = sorted(sightings, key=lambda each: (each.path, each.line, each.rule, each.code, each.message))
    facts = {rule: tool.facts(rule, policy) for rule in {each.rule for each in sightings}}
    seen: Counter[tuple[str, str, str]] = Counter()
    findings = []
    for sighting in sightings:
        text = tree.line(sighting.path, sighting.line).strip()
        place = (sighting.code or sighting.rule, sighting.path, text)
        parts = (tool.name, *place, str(seen[place]))
        seen[place] += 1
        digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
        findings.append(
            Finding(
                fingerprint=digest[:16],
                tool=tool.name,
                rule=sighting.rule,
                path=sighting.path,
                line=sighting.line,
                message=shortened(sighting.message, 300),
                fixable=sighting.fixable,
                facts=facts[sighting.rule],
                words=sighting.words,
                about=sighting.about,
            )
        )
    return tuple(findings)
