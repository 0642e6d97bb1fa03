"""What is told of checks that failed in the forge's CI (runbook §6.2), and what of it makes two failures the same."""

from __future__ import annotations

import re

from contracts.ci import CiReport, CiState
from contracts.evidence import CheckStatus, FailedCheck
from contracts.forge_facts import CheckState, CommitCheck
from contracts.remediation import FailureNote
from policies.counted import shortened
from policies.digests import digest
from policies.failed_checks import complaints, first_complaint

_LAST, _WIDTH = 15, 300
_LINK = re.compile(r"https?://\S+")


def failed_in_ci(ci: CiReport | None) -> tuple[FailedCheck, ...]:
    """Every check that is not green. What was not reported in time says nothing of the change."""
    return tuple(_shown(check) for check in ci.checks if check.state is not CheckState.GREEN) if ci else ()


def to_blame(ci: CiReport | None) -> list[CommitCheck]:
    """The checks a change can be blamed for: red ones, once CI has rejected it."""
    return [check for check in ci.checks if check.state is CheckState.RED] if ci and ci.state is CiState.RED else []


def fingerprint_in_ci(target: str, tool: str, rule: str, failed: list[CommitCheck]) -> str:
    """Digest of target, idea and the failing checks with what they said; no links: each run of a check has its own."""
    said = [
        ["ci", check.name, check.state.value, list(complaints(_said(check)))]
        for check in sorted(failed, key=lambda each: each.name)
    ]
    return digest([target, tool, rule, said])


def note_in_ci(check: CommitCheck) -> FailureNote:
    """One failing check in one line, for a remediation's evidence."""
    told = first_complaint(f"{check.detail}\n{check.log}".encode())
    detail = "; ".join(filter(None, (told, check.link)))
    return FailureNote(check=shortened(f"CI {check.name}", 200), status=CheckStatus.RED, detail=shortened(detail, 400))


def _said(check: CommitCheck) -> bytes:
    return _LINK.sub("<link>", f"{check.detail}\n{check.log}").encode()


def _shown(check: CommitCheck) -> FailedCheck:
    lines = [line[:_WIDTH].rstrip() for line in check.log.splitlines() if line.strip()]
    red = check.state is CheckState.RED
    return FailedCheck(
        name=check.name,
        kind="ci",
        tree="ci",
        required=True,
        status=CheckStatus.RED if red else CheckStatus.INFRASTRUCTURE,
        exit_code=None,
        seconds=0.0,
        attempts=1,
        detail=check.detail or check.state.value,
        first_lines=(),
        last_lines=tuple(lines[-_LAST:]),
        output="",
        link=check.link,
    )
