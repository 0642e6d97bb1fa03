"""The JSON Schemas of all artifacts: ``python -m reporting.schemas`` writes them, ``--check`` compares."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from contracts.artifact import Contract
from contracts.audit import AuditRecord
from contracts.budget import BudgetAlertReport
from contracts.change import Change
from contracts.ci import CiReport
from contracts.dependency import DependencyLook
from contracts.evidence import ChecksReport, PreflightReport, ReviewReport
from contracts.exchange import AgentRecord, PartialTree
from contracts.governance import CoverageLook, FlakyChecks, GovernanceReport
from contracts.incident import EvidenceManifest, PostIncidentReport
from contracts.later_review import LaterReview
from contracts.proposal import PolicyProposal
from contracts.release import KeptFacts, ReleaseDecision
from contracts.report import RunReport
from contracts.task import CandidateTasks, StateSnapshot, TaskContract
from contracts.trial import CandidateSources, SourceTrialReport

FOLDER = Path(__file__).parents[1] / "contracts" / "schemas"
ARTIFACTS: dict[str, type[Contract]] = {
    "agent_record.json": AgentRecord,
    "audit_record.json": AuditRecord,
    "budget_alert_report.json": BudgetAlertReport,
    "candidate_sources.json": CandidateSources,
    "candidate_tasks.json": CandidateTasks,
    "change.json": Change,
    "checks.json": ChecksReport,
    "ci.json": CiReport,
    "dependencies.json": DependencyLook,
    "coverage.json": CoverageLook,
    "flaky_checks.json": FlakyChecks,
    "evidence_manifest.json": EvidenceManifest,
    "governance_review.json": GovernanceReport,
    "partial_tree.json": PartialTree,
    "policy_proposal.json": PolicyProposal,
    "post_incident_report.json": PostIncidentReport,
    "post_run_review.json": LaterReview,
    "preflight.json": PreflightReport,
    "release_decision.json": ReleaseDecision,
    "release_facts.json": KeptFacts,
    "review_report.json": ReviewReport,
    "run_report.json": RunReport,
    "source_trial_report.json": SourceTrialReport,
    "state_snapshot.json": StateSnapshot,
    "task_contract.json": TaskContract,
}


class WrittenSchema(GenerateJsonSchema):
    """The schema of what we write, which is always every field, also those a reader may leave out."""

    def field_is_required(self, field: Any, total: bool) -> bool:  # noqa: ARG002  # the names are the base class's
        """Always."""
        return True


def schemas() -> dict[str, str]:
    """File name to text, as the models are now."""
    return {
        name: json.dumps(
            {
                "$schema": "https://json-schema.org/draft/2020-12/schema",
                **model.model_json_schema(schema_generator=WrittenSchema, mode="serialization"),
            },
            indent=2,
            sort_keys=True,
        )
        + "\n"
        for name, model in ARTIFACTS.items()
    }


def stale(folder: Path = FOLDER) -> tuple[str, ...]:
    """Names of the files that are missing, outdated or left over."""
    kept = {path.name: path.read_text() for path in folder.glob("*.json")}
    current = schemas()
    return tuple(sorted(name for name in kept | current if kept.get(name) != current.get(name)))


def write(folder: Path = FOLDER) -> None:
    """Bring the folder up to date."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.json"):
        path.unlink()
    for name, text in schemas().items():
        (folder / name).write_text(text)


def main() -> int:
    """Write, or with ``--check`` fail when the files are not what the models say."""
    parser = argparse.ArgumentParser(prog="python -m reporting.schemas", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit status 1 when a file is outdated")
    if not parser.parse_args().check:
        write()
        return 0
    if outdated := stale():
        sys.stderr.write(f"outdated: {', '.join(outdated)}; run `python -m reporting.schemas`\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
