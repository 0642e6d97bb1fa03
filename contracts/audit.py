"""The tamper-evident log's record (P10)."""

from pydantic import AwareDatetime

from contracts.artifact import Contract
from contracts.modes import Role
from contracts.verdict import Fact

GENESIS = "0" * 64


RECORDS_LOST = "records lost"
"""Of a log that its writer found cut, replaced or gone; ``audit_head`` is the head that it had."""


class AuditEvent(Contract):
    """What a step wants recorded: who, what, on which facts."""

    key: str
    """Unique in the run; a retried step that records the same key again adds nothing."""
    role: Role
    event: str
    """Verb phrase in the past tense, for example ``write cleared``."""
    facts: dict[str, Fact] = {}
    artifacts: tuple[str, ...] = ()
    """Digests of the artifacts this event is about."""


class AuditRecord(AuditEvent):
    """An event in the chain. ``hash`` is SHA-256 over the canonical JSON of all other fields."""

    seq: int
    log: str
    """Which log: ``run/<runId>`` or ``target/<name>``."""
    at: AwareDatetime
    previous: str
    hash: str


class AuditProblem(Contract):
    """The first bad record that ``audit verify`` found."""

    log: str
    seq: int
    problem: str


class AuditVerification(Contract):
    """What ``audit verify`` answers."""

    log: str
    records: int
    head: str
    anchors: dict[str, str] = {}
    """Where the head is also kept (``mirror ref``, ``temporal``), and what was found there."""
    problem: AuditProblem | None = None
