"""What a pull request says. Equal in DRY_RUN and PR_ONLY on the same base (P3): no run id, no time, no mode.

Text that an agent or a repository wrote is data: in prose it loses everything a forge acts on (mentions, links,
references, HTML, commands), in Markdown it stands in code spans.
"""

import re
import textwrap
from collections.abc import Iterable, Iterator

from contracts.change import Change
from contracts.ci import CiReport
from contracts.evidence import CheckResult, ChecksReport, CheckStatus
from contracts.forge_facts import CheckState
from contracts.grant import Grant
from contracts.modes import Outcome
from contracts.release import ReleaseDecision, RiskScore
from contracts.remediation import TASK_PREFIX
from contracts.task import AskedBy, AskedTask, TaskContract
from contracts.verdict import Decision, Verdict
from policies.counted import CUT, counted, joined, shortened, sized
from policies.digests import digest
from policies.paths.rules import readable
from policies.release.checks import cautions
from policies.release.release import MODE_RULE, REVIEW_RULE
from policies.task.measure_words import shown
from policies.task.planning import terms_digest
from policies.task.task_words import amount, does
from policies.texts.inert_markdown import FOLDS, capped, code_block, code_span, inert_line, link, one_line

LARGEST = 60_000
"""Bytes: forges cut or refuse at 64 KiB, and the footer comes on top."""
_TITLE, _LINE, _LISTED = 100, 300, 30
_NAMED, _SPOKEN, _PATH, _CHECK_NAME = 3, 10, 120, 60
_DIFF_LINES, _DIFF_WIDTH, _DIFF_SIZE = 40, 200, 6_000
"""What a small diff is: more is a table of places, and the forge shows the whole."""
_WRAP = 72
# Besides what is inert anywhere: emphasis, table cells, and commands at the start of a line.
_LOUD = re.compile(r"[*|]")
_CHECKS = 50


def title(contract: TaskContract) -> str:
    """One line, nothing in it that a forge would act on; cut between words, or not used at all."""
    # An issue's title says what is wrong: alone, it would read as what the change does.
    issue = contract.asked.number if contract.asked else 0
    text = _plain(f"Resolve issue {issue}: {contract.title}" if issue else contract.title, _TITLE)
    whole = not text.endswith(CUT) or " " in text.removesuffix(CUT)
    return text if text and whole else _plain(contract.task_id, _TITLE)


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
    """What in a maintainer's words, then why, at last the trailers."""
    words = contract.words
    if words:
        rule = f" ({contract.rule})" if re.fullmatch(r"[\w-]{1,40}", contract.rule, re.ASCII) else ""
        why = textwrap.fill(f"{words.why} Found by {contract.tool}{rule}.", _WRAP)
    else:
        # Another's words stay on a line of their own: wrapped, one of them could begin a line.
        why = _plain(contract.objective, _LINE)
    return (
        f"{title(contract)}\n\n{why}\n\n"
        f"Task-Id: {_plain(contract.task_id, _TITLE)}\nContract-Digest: {terms_digest(contract)}\n"
    )


def body(
    contract: TaskContract,
    decision: ReleaseDecision,
    checks: ChecksReport,
    change: Change,
    grant: Grant | None = None,
    unseen: tuple[str, ...] = (),
    lands_as: str = "",
    diff: bytes = b"",
) -> str:
    """What a maintainer wants first: what, why, how it was checked, the change itself; the rest is folded away.

    First of all stands what did not run and, of ``unseen``, what could not look (P18). ``lands_as``: the merge commit,
    which names the pull request and so is known only once that is open. ``diff``: of base and change; a small one is
    shown.
    """
    first = [f"**{_plain(each, _LINE)}**" for each in cautions(checks, unseen)]
    if len(first) > _LISTED:
        first = [*first[:_LISTED], f"**And {len(first) - _LISTED} more could not look.**"]
    lines = [
        *(line for each in first for line in (each, "")),
        *(_granted(grant) if grant else ()),
        " ".join(_told(contract, decision, checks, change)),
        "",
        *_more(contract),
        *(_small(diff) or _places(change)),
        "",
        *_folded(
            FOLDS[1],
            [
                "| | |",
                "|---|---|",
                *(f"| {name} | {value} |" for name, value in _metadata(contract, decision, checks, change, lands_as)),
            ],
        ),
        *_folded(
            FOLDS[0],
            [
                "**Verdict**",
                "",
                *_verdict(decision.verdict),
                "",
                "**Checks on the exact merge result**",
                "",
                *_listed([f"{code_span(result.name)}: {result.status.value}" for result in checks.results]),
            ],
        ),
        *_folded(FOLDS[2], _rollback(contract)),
        *_folded(
            FOLDS[3],
            [
                *_listed([code_span(item) for item in contract.evidence]),
                "",
                "**Artifacts of the run that the last line names**",
                "",
                *_artifacts(checks, change),
            ],
        ),
    ]
    return capped("\n".join(lines), LARGEST)


def _folded(title: str, lines: Iterable[str]) -> Iterator[str]:
    yield from ("<details>", f"<summary>{title}</summary>", "", *lines, "", "</details>", "")


def _told(contract: TaskContract, decision: ReleaseDecision, checks: ChecksReport, change: Change) -> Iterator[str]:
    """What, why, how it was checked, what it waits for: sentences of ours about what was measured."""
    words = contract.words
    tool, done = code_span(contract.tool), max(0, change.metric_before - change.metric_after)
    if task := contract.asked:
        yield from _asked(task, change)
    elif words and done:
        yield f"{does(words)} {amount(words, done)} in {_files(change)}. {words.why}"
        it, left = "it" if done == 1 else "them", change.metric_after or "nothing"
        if not words.more:
            yield f"{tool} found {it} and finds {left} there now."
    else:
        yield f"Changes {_files(change)}. The plan: {code_span(contract.objective)}, {code_span(contract.rationale)}."
        measured = f"{change.metric_before} before, {change.metric_after} after"
        yield f"Measured on the changed tree: {code_span(change.metric)} {measured}."
    yield _checked(checks)
    mandatory = (*decision.verdict.children, None)[0]
    review = next((each for each in mandatory.children if each.rule == REVIEW_RULE), None) if mandatory else None
    if review is not None:
        says = "approves" if review.allowed else "does not approve"
        yield f"The review {says}: {code_span(review.reason.rstrip('.'))}."
    if decision.outcome is Outcome.CANARY_ALLOWED:
        yield "It merges by itself once its canary has passed."
    else:
        yield "It waits for your review."


def _asked(task: AskedTask, change: Change) -> Iterator[str]:
    """What an agent made, for whom, and what shows that it is that."""
    cause = {
        AskedBy.CHECK: f"because the check {code_span(task.check)} was red" if task.check else "because CI was red",
        AskedBy.REMEDIATION: f"because the own fix of {code_span(task.tool)} broke a check",
        AskedBy.ISSUE: f"for {link(f'issue {task.number}', task.url) if task.url else f'issue {task.number}'}",
        AskedBy.STANDING: "for a standing task of this repository",
        AskedBy.PERSON: "because a person asked for it",
    }[task.by]
    yield f"An agent changed {_files(change)}, {cause}."
    yield shown(task.measure, _checks_name(task), change.metric_before, change.metric_after)
    if task.by is AskedBy.ISSUE:
        yield f"Closes #{task.number}."


def _checks_name(task: AskedTask) -> str:
    return code_span(shortened(one_line(task.check or f"{task.tool} {task.rule}"), _CHECK_NAME))


def _more(contract: TaskContract) -> Iterator[str]:
    if contract.words and contract.words.more:
        yield from (*(f"- {_plain(each, _LINE)}" for each in contract.words.more[:_LISTED]), "")


def _checked(checks: ChecksReport) -> str:
    if not checks.results:
        return "No check ran."
    green = [_name(each) for each in checks.results if each.status is CheckStatus.GREEN]
    other = [f"{_name(each)} is {each.status.value}" for each in checks.results if each.status is not CheckStatus.GREEN]
    lines = [f"{_and(green)} {'is' if len(green) == 1 else 'are'} green"] if green else []
    where = f", in an environment prepared anew for it ({_and(_paths(checks))})" if checks.prepared_again else ""
    return f"Checked on the exact merge result{where}: {', '.join([*lines, *([_and(other)] if other else [])])}."


def _paths(checks: ChecksReport) -> list[str]:
    return [_path(each) for each in checks.prepared_again]


def _name(result: CheckResult) -> str:
    return code_span(shortened(one_line(result.name), _CHECK_NAME))


def _files(change: Change) -> str:
    paths = [_path(each.path) for each in change.paths]
    return _and(paths) if len(paths) <= _NAMED else counted(len(paths), "file")


def _path(path: str) -> str:
    """Of a very long one its end, which tells it from others."""
    shown = readable(path)
    return code_span(shown if len(shown) <= _PATH else f"…{shown[-_PATH:]}")


def _and(items: list[str]) -> str:
    listed = items[:_SPOKEN] + ([f"{len(items) - _SPOKEN} more"] if len(items) > _SPOKEN else [])
    return joined(listed)


def _small(diff: bytes) -> tuple[str, ...]:
    """The diff as a block, if it is one to be read at a glance; its file heads in short."""
    if not diff or len(diff) > _DIFF_SIZE:
        return ()
    lines = diff.decode("utf-8", "replace").rstrip("\n").split("\n")
    shown = [line for line in lines if not line.startswith(("diff --git ", "index "))]
    if len(shown) > _DIFF_LINES or max(map(len, shown), default=0) > _DIFF_WIDTH:
        return ()
    return (code_block("\n".join(shown), "diff"),)


_KINDS = {"A": "new", "D": "deleted", "T": "of another type"}


def _places(change: Change) -> Iterator[str]:
    yield from ("| File | Added | Removed |", "|---|--:|--:|")
    for each in change.paths[:_LISTED]:
        kind = f" ({_KINDS[each.status]})" if each.status in _KINDS else ""
        yield f"| {_path(each.path)}{kind} | {each.added} | {each.removed} |"
    if rest := change.paths[_LISTED:]:
        added, removed = sum(each.added for each in rest), sum(each.removed for each in rest)
        yield f"| and {counted(len(rest), 'more file')} | {added} | {removed} |"


def footer(run_id: str, run_key: str, page: str) -> str:
    """Which run opened it, and what rolls it back. Apart from the body, so that the body is equal in every mode.

    ``page``: the web address of the run's report; empty where none is known to people: no path of ours stands here.
    """
    report = link("report", page) if page else code_span(f"starter.py report {run_id}")
    return (
        f"\n---\nRun {code_span(run_id)} · {report} · roll back "
        f"{code_span(f'starter.py rollback {run_id} --reason …')} · key {code_span(run_key)}\n"
    )


def _metadata(
    contract: TaskContract, decision: ReleaseDecision, checks: ChecksReport, change: Change, lands_as: str
) -> Iterator[tuple[str, str]]:
    plan = contract.rollback
    yield "Task", code_span(contract.task_id)
    yield "Type", contract.type.value
    yield "Risk level", f"{decision.risk.level.value} ({decision.risk.total:.2f})"
    yield "Risk inputs", _inputs(decision.risk)
    yield "Policy outcome", decision.outcome.value
    yield "Rollback plan", f"{plan.strategy}, at most {counted(plan.maximum_minutes, 'minute')}"
    yield "Expected impact", code_span(f"{contract.metric}: {contract.expected_metric_delta:+d}")
    yield "Measured impact", code_span(f"{change.metric}: {change.metric_before} to {change.metric_after}")
    yield "Size", f"{sized(len(change.paths), change.lines)}"
    yield "Contract digest", code_span(decision.contract_digest)
    yield "Policy digest", code_span(decision.policy_digest)
    yield "Checked tree", code_span(checks.tree_sha)
    if decision.outcome is Outcome.CANARY_ALLOWED:
        commit = code_span(lands_as) if lands_as else "a merge commit of the checked tree"
        yield "Merges by itself", f"after its canary, as {commit}"


def _inputs(risk: RiskScore) -> str:
    named = {
        "files touched": risk.files_touched,
        "sensitive paths": risk.sensitive_paths,
        "runtime impact": risk.runtime_impact,
        "test coverage": risk.test_coverage,
        "past failures": risk.past_failures,
    }
    return ", ".join(f"{name} {value:.2f}" for name, value in named.items())


def _verdict(released: Verdict) -> Iterator[str]:
    """Each mandatory gate with its answer and reason; of what would do without a person, only what is unmet."""
    mandatory, alone = (*released.children, None, None)[:2]
    for gate in mandatory.children if mandatory else ():
        yield f"- {gate.decision.value}: {code_span(gate.rule)}: {code_span(gate.reason)}"
        for below in [each for each in gate.children if each.decision is not Decision.ALLOW][:_LISTED]:
            yield f"  - {below.decision.value}: {code_span(below.rule)}: {code_span(below.reason)}"
    unmet = [each for each in alone.children if not each.allowed and each.rule != MODE_RULE] if alone else []
    if unmet:
        yield "- a person merges, because:"
        yield from (f"  - {code_span(each.reason)}" for each in unmet)


def _rollback(contract: TaskContract) -> Iterator[str]:
    plan = contract.rollback
    yield "- Not merged yet: close this pull request; nothing of it is on the base."
    yield (
        f"- Merged: the command in the last line; {plan.strategy}, exact and once, and health is confirmed within "
        f"{counted(plan.maximum_minutes, 'minute')}."
    )
    yield (
        f"- By hand: {code_span('git revert <commit>')}, for a merge commit "
        f"{code_span('git revert --mainline 1 <commit>')}, on a branch of your own; then merge that."
    )


def _artifacts(checks: ChecksReport, change: Change) -> Iterator[str]:
    # Digests only of what is equal in every mode (P3): a check's output holds times.
    yield f"- {code_span(change.diff.name)}: SHA-256 {code_span(change.diff.sha256)}"
    yield f"- {code_span(change.bundle.name)}: commit {code_span(change.head_sha)} on {code_span(change.base_sha)}"
    outputs = [attempt.output.name for result in checks.results for attempt in result.attempts[-1:] if attempt.output]
    yield from (f"- {code_span(name)}" for name in outputs[:_LISTED])
    yield f"- {code_span('release_decision.json')}, {code_span('review_report.json')}, {code_span('run_report.html')}"


def _listed(items: list[str]) -> Iterator[str]:
    yield from (f"- {item}" for item in items[:_LISTED])
    if len(items) > _LISTED:
        yield f"- and {len(items) - _LISTED} more"
    if not items:
        yield "- none"


def _granted(grant: Grant) -> tuple[str, ...]:
    return (
        "**Released from quarantine: this change touches protected paths**",
        "",
        f"- Granted by {code_span(grant.actor)} until {code_span(grant.expires_at.isoformat(timespec='seconds'))}",
        f"- Reason: {code_span(grant.reason)}",
        f"- Quarantined by run {code_span(grant.run_id)} as commit {code_span(grant.head_sha)}",
        *(f"- Protected path: {code_span(path)}" for path in grant.paths[:_LISTED]),
        *([f"- and {counted(len(grant.paths) - _LISTED, 'more path')}"] if len(grant.paths) > _LISTED else ()),
        "",
    )


def not_released(ci: CiReport) -> str:
    """Why the pull request was closed again: what the forge's CI said of its commit."""
    failed = [check for check in ci.checks if check.state is not CheckState.GREEN]
    return "\n".join(
        [
            "",
            f"**Closed by us: CI rejected {code_span(ci.commit_sha)}**",
            "",
            *(
                f"- {code_span(check.name)}: {check.state.value}"
                + (f", {code_span(check.detail)}" if check.detail else "")
                + (f", {code_span(check.link)}" if check.link else "")
                for check in failed[:_CHECKS]
            ),
            "",
        ]
    )


def already_on_base(branch: str, base_sha: str) -> str:
    """Why an open pull request was closed: nothing is left of it to merge."""
    return (
        f"\n**Closed by us: {code_span(branch)} holds this change already**\n\n"
        f"- Merging it into {code_span(base_sha)} would change nothing; nobody refused it.\n"
    )


def _plain(text: str, limit: int) -> str:
    calm = inert_line(_LOUD.sub(" ", one_line(text)[: 4 * limit]))
    return shortened(one_line(calm).lstrip("/ "), limit)
