"""Proposals to change the policy, where a target's repository holds its files: one idea each, made to the letter."""

from adapters.tools.source_tree import SourceTree
from adapters.tools.tool import Seen, Sighting, findings_of
from adapters.tools.tool_runner import ToolRunner
from contracts.proposal import POLICY_TOOL, PolicyProposal
from contracts.task import Concern, FindingFacts, Proof, TaskContract, TaskType
from policies.settings.schema import EffectivePolicy

_PLACE = "proposals/"


class PolicyEditsTool:
    """One finding for each proposal that does not stand on the base; the rule is the proposal's id.

    One whose values are others by now is said, and left. What is done is nothing to find.
    """

    name = POLICY_TOOL

    def facts(self, rule: str, policy: EffectivePolicy) -> FindingFacts:  # noqa: ARG002  # which proposal is the same
        """One file of the folder, exactly as proposed; its type is the proposal's own, which ``detect`` knows."""
        folder = policy.target.policy_folder
        return FindingFacts(
            # Nothing is guessed: a person merges exactly what was proposed, or does not.
            confidence=1.0,
            value=1.0,
            type=TaskType.POLICY_TUNING,
            may_change=(f"/{folder.path}/autopilot.toml", f"/{folder.path}/sources.toml") if folder else (),
            proof=Proof.RECORDED,
            concern=Concern.HOOK,
            is_fault=False,
        )

    def detect(self, tree: SourceTree, policy: EffectivePolicy, bench: ToolRunner) -> Seen | None:
        """What is proposed, against what stands there."""
        if policy.target.policy_folder is None:
            return None
        # Only such a target pays for reading TOML with its comments.
        from policies.governance.edits import applied  # noqa: PLC0415
        from policies.texts.proposal import proposal_words  # noqa: PLC0415

        sightings, paths, types = [], set(), dict[str, TaskType]()
        for proposal in self._proposals(bench):
            path = f"{policy.target.policy_folder.path}/{proposal.file}"
            paths.add(path)
            types[proposal.proposal_id] = proposal.task_type
            found = applied(tree.text(path), proposal, _catalogue(bench))
            if found.done:
                continue
            problem = found.problem
            if path not in tree.files:
                problem = "it is not in the tree, or is no ordinary file of the project's own: commit an empty one"
            words = proposal_words(proposal)
            message = f"{proposal.proposal_id}: {problem}" if problem else words.why
            sightings.append(
                Sighting(proposal.proposal_id, path, 1, message, not problem, code=proposal.proposal_id, words=words)
            )
        findings = findings_of(self, tree, policy, sightings)
        typed = [(each, each.facts.model_copy(update={"type": types[each.rule]})) for each in findings]
        return Seen(tuple(each.model_copy(update={"facts": facts}) for each, facts in typed), len(paths))

    def fix(self, tree: SourceTree, contract: TaskContract, policy: EffectivePolicy, bench: ToolRunner) -> None:
        """Make one proposal's edits."""
        from policies.governance.edits import applied  # noqa: PLC0415

        folder = policy.target.policy_folder
        for proposal in self._proposals(bench):
            if folder and proposal.proposal_id == contract.rule:
                path = f"{folder.path}/{proposal.file}"
                found = applied(tree.text(path), proposal, _catalogue(bench))
                if not found.problem and not found.done:
                    tree.write(path, found.text.encode("utf-8", "surrogateescape"))

    def _proposals(self, bench: ToolRunner) -> list[PolicyProposal]:
        bodies = [body for name, body in sorted(bench.recorded.items()) if name.startswith(_PLACE)]
        return [PolicyProposal.model_validate_json(body) for body in bodies]


def _catalogue(bench: ToolRunner) -> str | None:
    """Of the base, as Sensing recorded it: what lies in the worker's own folder may be another."""
    body = bench.recorded.get("catalogue.toml")
    return None if body is None else body.decode("utf-8", "surrogateescape")
