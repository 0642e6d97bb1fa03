"""Proposals to change the policy (runbook §5, §11): kept for a person, who takes them or not; nothing takes itself."""

from typing import Any, Literal

from pydantic import AwareDatetime, Field, model_validator

from contracts.artifact import ArtifactRef, Contract
from contracts.release import WhatIf
from contracts.task import TaskType

PROPOSALS = "PROPOSALS"
"""Where they are kept in the artifact store; capitals, so that it is never taken for a run's id."""

POLICY_TOOL = "policy"
"""Whose findings proposals are, where a target's repository holds the policy folder; the rule is the proposal's id."""

Kind = Literal["threshold", "source_promotion", "source_demotion"]
_TASK_TYPES: dict[Kind, TaskType] = {
    "threshold": TaskType.POLICY_TUNING,
    "source_promotion": TaskType.SOURCE_PROMOTION,
    "source_demotion": TaskType.SOURCE_DEMOTION,
}
Value = int | float | str | None
"""None: the key is not there."""


class PolicyEdit(Contract):
    """One value of one file of the policy folder."""

    table: str = Field(pattern=r"^[A-Za-z0-9_.-]*$", max_length=100)
    """``auto_merge``; of a ``[[sources]]`` entry the table within it, empty for its own keys."""
    entry: str = Field(default="", pattern=r"^[A-Za-z0-9_-]*$", max_length=100)
    """Name of the ``[[sources]]`` entry; empty: the file is no list of them."""
    key: str = Field(pattern=r"^[A-Za-z0-9_-]*$", max_length=100)
    before: Value
    """What stands there: where something else does, the edit is not made."""
    after: Value

    @property
    def name(self) -> str:
        """``candidates.minimum_confidence``, ``sources.gauges.state``."""
        return ".".join(part for part in ("sources" if self.entry else "", self.entry, self.table, self.key) if part)


class PolicyProposal(Contract):
    """``PROPOSALS/<id>.json``: one idea, written once; it is open until it stands in the file or is withdrawn."""

    schema_version: Literal[1] = 1
    proposal_id: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=100)
    kind: Kind
    file: str
    """In the policy folder: ``autopilot.toml``, ``sources.toml``."""
    edits: tuple[PolicyEdit, ...] = ()
    adds: str = ""
    """TOML text of one new ``[[sources]]`` entry, put at the end of the file; empty: none."""
    because: str
    evidence: tuple[ArtifactRef, ...] = ()
    measured: tuple[str, ...] = ()
    """What the evidence says, a sentence each."""
    made_at: AwareDatetime
    what_if: WhatIf | None = None
    """Of a threshold: what it would have changed of past release decisions."""
    tried: str = ""
    """Of a promotion: digest of the entry that was tried; where another stands, the edits are not made. Empty: it was
    proposed before entries were compared."""
    fallback: str = ""
    """Of a promotion: the source that is used when this one is degraded."""
    demotion_plan: str = ""
    """Of a promotion: when it is lowered again, and by whom."""
    off_switch: str = ""
    """Of a promotion: how a person ends it at once."""

    @property
    def task_type(self) -> TaskType:
        """Of the run that makes it a pull request."""
        return _TASK_TYPES[self.kind]

    @model_validator(mode="before")
    @classmethod
    def _of_an_older_review(cls, value: Any) -> Any:
        """Reviews that were kept before knew steps of ``autopilot.toml`` alone: key, before, after, patch."""
        if not isinstance(value, dict) or "key" not in value:
            return value
        table, _, key = str(value["key"]).partition(".")
        return {
            "proposalId": f"older-{value['key']}",
            "kind": "threshold",
            "file": "autopilot.toml",
            "edits": [{"table": table, "key": key, "before": value["before"], "after": value["after"]}],
            "because": value["because"],
            "madeAt": "1970-01-01T00:00:00Z",
            "whatIf": value["whatIf"],
        }


class Withdrawal(Contract):
    """``PROPOSALS/<id>.withdrawn.json``: it is not proposed any more."""

    schema_version: Literal[1] = 1
    proposal_id: str
    reason: str
    by: str
    at: AwareDatetime
