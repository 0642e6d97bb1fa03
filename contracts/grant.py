"""Grants: a person releases a quarantined change, once, for a while."""

from typing import Annotated

from pydantic import AwareDatetime, Field

from contracts.artifact import Contract


class GrantRequest(Contract):
    """Update ``grant`` of Control. It loosens, so it carries the epoch the person saw."""

    expected_epoch: int
    run_id: str = Field(min_length=1, max_length=200)
    """The escalated run whose change is in quarantine."""
    head_sha: str = Field(pattern=r"^[0-9a-f]{40,64}$")
    """The quarantined commit: the grant is for exactly this change."""
    paths: tuple[Annotated[str, Field(min_length=1, max_length=1000)], ...] = Field(min_length=1, max_length=50)
    """The protected paths it may touch; exact, no patterns."""
    expires_at: AwareDatetime
    escalated_record: str = Field(default="", pattern=r"^([0-9a-f]{64})?$")
    """Hash of the audit record that says the run ended ESCALATED. Needed for a run that Control has forgotten; the
    admission of the run that takes the grant reads that log itself."""
    reason: str = Field(min_length=3, max_length=2000)
    actor: str = Field(min_length=1, max_length=200)


class Grant(GrantRequest):
    """A grant in Control's books; handed to the one run that asks for it."""

    granted_at: AwareDatetime
    used_by: str = ""
    """The run that took it."""
