"""What a tool is, and the tools there are."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from adapters.tools.source_tree import SourceTree
from adapters.tools.tool_runner import ToolRunner
from contracts.task import Finding, TaskContract, UnreadFile
from policies.counted import shortened
from ports.agents import Brief


@dataclass(frozen=True)
class Seen:
    """What one tool saw, and what it should have seen."""

    findings: tuple[Finding, ...]
    files: int
    """It should have looked at; those left out by their owner or by us (generated, vendored, test data) are none."""
    unread: tuple[UnreadFile, ...] = ()
    """Of these, the ones it could not look at."""

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

    def detect(self, tree: SourceTree, brief: Brief, bench: ToolRunner) -> Seen:
        """Everything the tool sees, and which files it could not look at.

        Raises:
            ToolUnavailable: it could not look at all; an empty answer always means "looked, and found nothing".
        """

    def fix(self, tree: SourceTree, contract: TaskContract, brief: Brief, bench: ToolRunner) -> None:
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


def findings_of(tool: str, tree: SourceTree, sightings: Iterable[Sighting]) -> tuple[Finding, ...]:
    """Give each sighting its fingerprint: it survives moved lines, and tells equal lines apart by their order."""
    seen: Counter[tuple[str, str, str]] = Counter()
    findings = []
    for sighting in sorted(sightings, key=lambda each: (each.path, each.line, each.rule, each.code, each.message)):
        text = tree.line(sighting.path, sighting.line).strip()
        place = (sighting.code or sighting.rule, sighting.path, text)
        parts = (tool, *place, str(seen[place]))
        seen[place] += 1
        digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).hexdigest()
        findings.append(
            Finding(
                fingerprint=digest[:16],
                tool=tool,
                rule=sighting.rule,
                path=sighting.path,
                line=sighting.line,
                message=shortened(sighting.message, 300),
                fixable=sighting.fixable,
            )
        )
    return tuple(findings)
