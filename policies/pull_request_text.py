"""What a pull request says. Equal in DRY_RUN and PR_ONLY on the same base (P3): no run id, no time, no mode.

Text that an agent or a repository wrote is data: in prose it loses everything a forge acts on (mentions, links,
references, HTML), in Markdown it stands in code spans.
"""

from __future__ import annotations

import re
import unicodedata

from contracts.change import Change
from contracts.ci import CiReport
from contracts.evidence import ChecksReport
from contracts.forge_facts import CheckState
from contracts.grant import Grant
from contracts.modes import Outcome
from contracts.release import ReleaseDecision
from contracts.remediation import TASK_PREFIX
from contracts.task import TaskContract
from policies.digests import digest
from policies.planning import terms_digest

_TITLE, _LINE = 100, 300
_CHECKS = 50
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_ACTIVE = (
    (re.compile(r"[\w+.-]*://"), ""),
    (re.compile(r"\bwww\.", re.IGNORECASE), "www "),
    (re.compile(r"\bGH-(?=\d)", re.IGNORECASE), "GH "),
    (re.compile(r"[@#!](?=\w)"), " "),
    (re.compile(r"[<>`\[\]|*]"), " "),
)


def title(contract: TaskContract) -> str:
    """One line, nothing in it that a forge would act on."""
    return _plain(contract.title, _TITLE) or contract.task_id


def branch(contract: TaskContract, base_sha: str) -> str:
    """``autonomy/<task id>-<8 hex of the base>``: one task on one base is one branch.

    Each attempt of a remediation takes other files, and the one before may have left its branch: their digest tells
    them apart.
    """
    part = ""
    if contract.task_id.startswith(TASK_PREFIX):
        part = f"-{digest(sorted(contract.scope.allowed_paths))[:6]}"
    return f"autonomy/{re.sub(r'[^a-z0-9]+', '-', contract.task_id.lower()).strip('-')}{part}-{base_sha[:8]}"


def commit_message(contract: TaskContract) -> str:
    """Subject, objective and trailers."""
    return (
        f"{title(contract)}\n\n{_plain(contract.objective, _LINE)}\n\n"
        f"Task-Id: {_plain(contract.task_id, _TITLE)}\nContract-Digest: {terms_digest(contract)}\n"
    )


def body(
    contract: TaskContract,
    decision: ReleaseDecision,
    checks: ChecksReport,
    change: Change,
    grant: Grant | None = None,
) -> str:
    """The metadata a pull request must carry (task contracts), as Markdown; of a released change, who released it."""
    plan = contract.rollback
    lands = decision.outcome is Outcome.CANARY_ALLOWED
    rows = (
        ("Task", _code(contract.task_id)),
        ("Type", contract.type.value),
        ("Risk level", f"{decision.risk.level.value} ({decision.risk.total:.2f})"),
        ("Policy outcome", decision.outcome.value),
        ("Rollback plan", f"{plan.strategy}, at most {plan.maximum_minutes} minutes"),
        ("Expected impact", _code(f"{contract.metric}: {contract.expected_metric_delta:+d}")),
        ("Measured impact", _code(f"{change.metric}: {change.metric_before} to {change.metric_after}")),
        ("Size", f"{len(change.paths)} files, {change.lines} lines"),
        ("Contract digest", _code(decision.contract_digest)),
        ("Policy digest", _code(decision.policy_digest)),
        ("Checked tree", _code(checks.tree_sha)),
        *([("Merges by itself", f"after its canary, as {_code(checks.commit_sha)}")] if lands else []),
    )
    return "\n".join(
        [
            _code(contract.objective),
            "",
            _code(contract.rationale),
            "",
            "| | |",
            "|---|---|",
            *(f"| {name} | {value} |" for name, value in rows),
            "",
            *(_granted(grant) if grant else ()),
            "**Checks on the exact merge result**",
            "",
            *(f"- {_code(result.name)}: {result.status.value}" for result in checks.results),
            "",
            "**Evidence**",
            "",
            *([f"- {_code(item)}" for item in contract.evidence] or ["- none"]),
            "",
        ]
    )


def _granted(grant: Grant) -> tuple[str, ...]:
    return (
        "**Released from quarantine: this change touches protected paths**",
        "",
        f"- Granted by {_code(grant.actor)} until {_code(grant.expires_at.isoformat(timespec='seconds'))}",
        f"- Reason: {_code(grant.reason)}",
        f"- Quarantined by run {_code(grant.run_id)} as commit {_code(grant.head_sha)}",
        *(f"- Protected path: {_code(path)}" for path in grant.paths),
        "",
    )


def footer(run_id: str, run_key: str, report: str) -> str:
    """Which run opened it. Apart from the body, so that the body is equal in every mode."""
    return f"\n---\nRun {_code(run_id)} · key {_code(run_key)} · report {_code(report)}\n"


def not_released(ci: CiReport) -> str:
    """Why the pull request was closed again: what the forge's CI said of its commit."""
    failed = [check for check in ci.checks if check.state is not CheckState.GREEN]
    return "\n".join(
        [
            "",
            f"**Closed by us: CI rejected {_code(ci.commit_sha)}**",
            "",
            *(
                f"- {_code(check.name)}: {check.state.value}"
                + (f", {_code(check.detail)}" if check.detail else "")
                + (f", {_code(check.link)}" if check.link else "")
                for check in failed[:_CHECKS]
            ),
            "",
        ]
    )


def _code(text: str) -> str:
    """A code span: forges resolve no mention, link, reference or HTML inside."""
    return f"`{_one_line(text).replace('`', chr(39)).replace('|', '/')[:_LINE] or '-'}`"


def _plain(text: str, limit: int) -> str:
    for pattern, replacement in _ACTIVE:
        text = pattern.sub(replacement, _one_line(text))
    return _one_line(text)[:limit].rstrip()


def _one_line(text: str) -> str:
    visible = "".join(" " if unicodedata.category(char) in _HIDDEN else char for char in text)
    return " ".join(visible.split())
