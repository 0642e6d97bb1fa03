"""What a source says of the tree (runbook §5): a data file that is not what was recorded, or a file it reports."""

from adapters.tools.source_tree import SourceTree
from adapters.tools.tool import Seen, Sighting, findings_of, unread_of
from adapters.tools.tool_runner import ToolRunner
from contracts.task import Concern, FindingFacts, Proof, TaskContract, TaskType, Words
from policies.counted import counted, shortened
from policies.paths.rules import in_scope
from policies.settings.schema import EffectivePolicy
from policies.settings.sources import SourcePolicy
from policies.source.files import records_in, rendered, what_changes
from policies.source.sightings import REFUSED, SEVERITIES, WHOLE, report_of

_REPORTED = 0.8
"""How sure a source in PRODUCTION is: it met its thresholds, and nobody proved what it says."""
_MOST = 200
"""Reports of one source, the worst first; the rest is counted."""


class SourceFilesTool:
    """One finding for each file that is not what its source says; the rule is the source's name.

    A file that is not there yet is its owner's to begin: an empty list, committed once. Of a source for candidates, one
    for each record; the rule is ``<source>/<severity>``, and a person has it, not a fixer.
    """

    name = "source"

    def facts(self, rule: str, policy: EffectivePolicy) -> FindingFacts:
        """The file alone, exactly as recorded; of a report, what its severity is worth."""
        if "/" in rule:
            return FindingFacts(
                confidence=_REPORTED,
                # An agent may name a rule that there is not.
                value=SEVERITIES.get(rule.partition("/")[2], 0),
                type=TaskType.RELIABILITY_FIX,
                is_fault=False,
                for_person=True,
            )
        files = [each.file.path for each in policy.sources.sources if each.name == rule and each.file]
        return FindingFacts(
            confidence=0.9,
            type=TaskType.DOCUMENTATION_UPDATE,
            may_change=tuple(f"/{path}" for path in files),
            proof=Proof.RECORDED,
            concern=Concern.OUTDATED,
            is_fault=False,
            words=_words(f"They are what the source {rule} says now, one by one."),
        )

    def detect(self, tree: SourceTree, policy: EffectivePolicy, bench: ToolRunner) -> Seen | None:
        """Compare each file with what was recorded; a source that gave no answer says nothing of its file."""
        ours, told = self._ours(policy, bench), self._reports(policy, bench)
        if not ours and not told:
            return None
        sightings, unread, files = [], {}, len(told)
        for source, recorded in told:
            sightings += _reported(source, origin_of(source, policy, bench), recorded, tree, policy)
        for source, recorded in ours:
            assert source.file is not None  # noqa: S101  # `_ours` gives such alone
            path, files = source.file.path, files + 1
            if path not in tree.files:
                unread[path] = "it is not in the tree, or is no ordinary file of the project's own: commit an empty one"
                continue
            changed, words = what_changes(tree.read(path), rendered(records_in(recorded), source.file.format))
            most = policy.autopilot.diff_budget.lines
            if changed > most:
                words += f"; {counted(changed, 'line')} against diff_budget.lines = {most}: refresh it by hand"
            if changed:
                origin = origin_of(source, policy, bench)
                why = f"They are what the source {origin.name} says now ({origin.licence}), one by one: {words}."
                if origin is not source:
                    why += f" It stands in for {source.name}, which cannot be used now."
                sightings.append(
                    Sighting(source.name, path, 1, words, changed <= most, words, _words(why), about=origin.name)
                )
        return Seen(findings_of(self, tree, policy, sightings), files, unread_of(self.name, unread))

    def fix(self, tree: SourceTree, contract: TaskContract, policy: EffectivePolicy, bench: ToolRunner) -> None:
        """Write what was recorded."""
        for source, recorded in self._ours(policy, bench):
            if source.name == contract.rule and source.file and in_scope(source.file.path, contract.scope):
                tree.write(source.file.path, rendered(records_in(recorded), source.file.format))

    def _ours(self, policy: EffectivePolicy, bench: ToolRunner) -> list[tuple[SourcePolicy, bytes]]:
        return [(each, recorded) for each, recorded in _recorded(policy, bench) if each.file]

    def _reports(self, policy: EffectivePolicy, bench: ToolRunner) -> list[tuple[SourcePolicy, bytes]]:
        return [(each, recorded) for each, recorded in _recorded(policy, bench) if each.candidates]


def _recorded(policy: EffectivePolicy, bench: ToolRunner) -> list[tuple[SourcePolicy, bytes]]:
    ours = policy.sources.of(policy.target.name)
    return [(each, bench.recorded[each.name]) for each in ours if each.name in bench.recorded]


def origin_of(source: SourcePolicy, policy: EffectivePolicy, bench: ToolRunner) -> SourcePolicy:
    """Whose records those of a source are: its own, or its fallback's."""
    name = bench.recorded.get(f"from/{source.name}", b"").decode()
    return policy.sources.named(name) or source


def _reported(
    source: SourcePolicy, origin: SourcePolicy, recorded: bytes, tree: SourceTree, policy: EffectivePolicy
) -> list[Sighting]:
    """The worst first. A record that can be no report is a finding all the same, and says why.

    A stranger's mistake must not look like a file that nobody could read.
    """
    assert source.candidates is not None  # noqa: S101  # `_reports` gives such alone
    told = [report_of(record, source.candidates, tree.files, policy) for record in records_in(recorded)]
    told.sort(key=lambda each: (-SEVERITIES[each.severity], each.path, each.line, each.key))
    words = {severity: _report_words(source, origin, severity) for severity in SEVERITIES}
    found = [
        Sighting(
            rule=f"{source.name}/{each.severity}",
            path=each.path,
            line=each.line,
            message=each.message,
            fixable=False,
            code=f"{source.name} {each.key}",
            words=words[each.severity],
        )
        for each in told[:_MOST]
    ]
    if (rest := len(told) - _MOST) > 0:
        more = f"{counted(rest, 'more record')}: {_MOST} are looked at, the worst first"
        kind, code = f"{source.name}/{REFUSED}", f"{source.name} rest"
        found.append(Sighting(kind, WHOLE, 1, more, fixable=False, code=code, words=words[REFUSED]))
    return found


def _report_words(source: SourcePolicy, origin: SourcePolicy, severity: str) -> Words:
    """Why it is worth a look, and when it is done."""
    if severity == REFUSED:
        return Words(
            verb="Look into",
            one=f"a record of {source.name} that cannot be a report",
            many=f"records of {source.name} that cannot be reports",
            why="What such a record says is wrong is in no file that a run may look at.",
        )
    kind = "" if severity == "unknown" else f"{severity} "
    origin_text = (
        f"`{shortened(' '.join(origin.command.argv), 120)}`" if origin.command else f"The source {origin.name}"
    )
    why = f"{origin_text} says so ({origin.licence}), and no tool here has a fix for it. "
    why += "Each run asks again on the base: it is done when it is said no more."
    if origin is not source:
        why += f" {origin.name} stands in for {source.name}, which cannot be used now."
    return Words(
        verb="Look into", one=f"a {kind}report of {source.name}", many=f"{kind}reports of {source.name}", why=why
    )


def _words(why: str) -> Words:
    return Words(verb="Refresh", one="the records", many="data files", why=why)
