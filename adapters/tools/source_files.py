"""What a source says of the tree (runbook §5): a data file that is not what was recorded, or a file it reports."""

from adapters.tools.source_tree import SourceTree
from adapters.tools.tool import Seen, Sighting, findings_of, unread_of
from adapters.tools.tool_runner import ToolRunner
from contracts.task import FindingFacts, Proof, TaskContract, TaskType, Words
from policies.counted import counted
from policies.paths.rules import in_scope
from policies.settings.schema import EffectivePolicy
from policies.settings.sources import SourcePolicy
from policies.source.files import records_in, rendered, what_changes
from policies.source.sightings import SEVERITIES, reports

_REPORTED = 0.8
"""How sure a source in PRODUCTION is: it met its thresholds, and nobody proved what it says."""


class SourceFilesTool:
    """One finding for each file that is not what its source says; the rule is the source's name.

    A file that is not there yet is its owner's to begin: an empty list, committed once. Of a source for candidates, one
    for each record about a file of the tree; the rule is ``<source>/<severity>``, and a person has it, not a fixer.
    """

    name = "source"

    def facts(self, rule: str, policy: EffectivePolicy) -> FindingFacts:
        """The file alone, exactly as recorded; of a report, what its severity is worth."""
        name, reported, severity = rule.partition("/")
        if reported:
            return FindingFacts(
                confidence=_REPORTED,
                value=SEVERITIES[severity],
                type=TaskType.RELIABILITY_FIX,
                for_person=True,
                words=Words(
                    verb="Look into",
                    one=f"a {severity} report of {name}",
                    many=f"{severity} reports of {name}",
                    why=f"The source {name} says so; no tool here has a fix for it.",
                ),
            )
        files = [each.file.path for each in policy.sources.sources if each.name == rule and each.file]
        return FindingFacts(
            confidence=0.9,
            type=TaskType.DOCUMENTATION_UPDATE,
            may_change=tuple(f"/{path}" for path in files),
            proof=Proof.RECORDED,
            is_fault=False,
            words=_words(f"They are what the source {rule} says now, one by one."),
        )

    def detect(self, tree: SourceTree, policy: EffectivePolicy, bench: ToolRunner) -> Seen | None:
        """Compare each file with what was recorded; a source that gave no answer says nothing of its file."""
        ours, told = self._ours(policy, bench), self._reports(policy, bench)
        if not ours and not told:
            return None
        sightings, files = [], 0
        unread: dict[str, str] = {}
        for source, recorded in told:
            assert source.candidates is not None  # noqa: S101  # `_reports` gives such alone
            found, refused = reports(records_in(recorded), source.candidates)
            files += len(found) + len(refused)
            unread |= {f"{source.name}: {key}": reason for key, reason in refused.items()}
            for each in found:
                if each.path in tree.files:
                    rule = f"{source.name}/{each.severity}"
                    sightings.append(Sighting(rule, each.path, each.line, each.message, False, each.key))
                else:
                    unread[each.path] = f"{source.name} reports it, and it is no file of the tree"
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
                origin = self._origin(source, policy, bench)
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

    def _origin(self, source: SourcePolicy, policy: EffectivePolicy, bench: ToolRunner) -> SourcePolicy:
        """Whose records these are: its own, or its fallback's."""
        name = bench.recorded.get(f"from/{source.name}", b"").decode()
        return next((each for each in policy.sources.sources if each.name == name), source)

    def _ours(self, policy: EffectivePolicy, bench: ToolRunner) -> list[tuple[SourcePolicy, bytes]]:
        return [(each, recorded) for each, recorded in _recorded(policy, bench) if each.file]

    def _reports(self, policy: EffectivePolicy, bench: ToolRunner) -> list[tuple[SourcePolicy, bytes]]:
        return [(each, recorded) for each, recorded in _recorded(policy, bench) if each.candidates]


def _recorded(policy: EffectivePolicy, bench: ToolRunner) -> list[tuple[SourcePolicy, bytes]]:
    ours = policy.sources.of(policy.target.name)
    return [(each, bench.recorded[each.name]) for each in ours if each.name in bench.recorded]


def _words(why: str) -> Words:
    return Words(verb="Refresh", one="the records", many="data files", why=why)
