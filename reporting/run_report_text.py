"""A run's report in a terminal."""

from collections.abc import Iterator

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from contracts.change import Change
from contracts.ci import CiReport
from contracts.evidence import ChecksReport, FailedCheck
from contracts.modes import RunKind, StepName
from contracts.release import ReleaseDecision
from contracts.report import RunReport
from contracts.task import TaskContract
from contracts.verdict import Decision, Fact, Verdict
from policies.counted import sized
from reporting.wording import (
    CHECK_TONES,
    CI_TONES,
    DECISION_MARKS,
    DECISION_TONES,
    Tone,
    duration,
    failed_check_facts,
    in_one_sentence,
    missing_step,
    named_steps,
    size,
    status_tone,
    steps_of,
    unsaid,
    untold,
    visible,
)

STYLES = {Tone.GOOD: "green", Tone.CARE: "yellow", Tone.BAD: "red", Tone.QUIET: "dim"}


def print_report(
    console: Console,
    report: RunReport,
    decision: ReleaseDecision | None = None,
    contract: TaskContract | None = None,
    change: Change | None = None,
    checks: ChecksReport | None = None,
) -> None:
    """Print all that is known; what the run ended too early to make is None and left out."""
    console.print(_head(report, contract))
    if report.missing:
        console.print(_titled("Missing here", _missing(report)))
    console.print(_steps(report, decision))
    if change:
        console.print(_titled("Change", _change(change, contract)))
    if checks:
        console.print(_titled("Checks on the merge result", _checks(checks)))
    if report.ci:
        waited = f"since {report.ci.began_at:%Y-%m-%d %H:%M} until {report.ci.looked_at:%H:%M} UTC"
        title = f"CI of the forge on {report.ci.commit_sha[:12]}: {report.ci.state}, awaited {waited}"
        console.print(_titled(title, _ci(report.ci)))
    if report.failed_checks:
        console.print(_titled("Failing checks", failed_checks(report)))
    if decision:
        console.print(_titled(f"Why {decision.outcome}", verdict_tree(decision.verdict)))
    console.print(_titled("Writes to the repository", _writes(report)))
    console.print(_titled("Review of the run", _review(report)))
    console.print(_titled("Artifacts", _artifacts(report)))


def _said(text: object, style: str = "") -> Text:
    # Text, never markup: square brackets in an agent's words are only brackets.
    return Text(visible(str(text)), style=style, overflow="fold")


def _titled(title: str, body: RenderableType) -> Group:
    return Group(Text(""), Text(title, style="bold"), body)


def _grid() -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    return grid


def _head(report: RunReport, contract: TaskContract | None) -> Panel:
    run, style = report.run, STYLES[status_tone(report.status)]
    grid = _grid()
    task, number = contract.title if contract else "", report.pull_request.number if report.pull_request else 0
    trial = run.kind is RunKind.SOURCE
    sentence = in_one_sentence(report.status, task, report.reason, number, trial=trial)
    for caution in untold(report.cautions, sentence):
        grid.add_row("beware", _said(caution, "bold yellow"))
    if contract:
        grid.add_row("task", _said(contract.title, "bold"))
    grid.add_row("in short", _said(sentence, "bold"))
    if reason := unsaid(report.reason, sentence):
        grid.add_row("reason", _said(reason))
    if report.pull_request:
        pull = report.pull_request
        grid.add_row("pull request", _said(f"#{pull.number} from {pull.branch} at {pull.head_sha[:12]}: {pull.url}"))
    if report.merged:
        merged = report.merged
        grid.add_row("merged", _said(f"{merged.merge_sha} onto {merged.parent_sha[:12]}, tree {merged.tree_sha}"))
    if report.rejection:
        rejection = report.rejection
        grid.add_row("rejected by", _said(f"{rejection.failed_gate} ({rejection.reason_code})"))
        grid.add_row("what to do", _said(rejection.recommended_remediation))
    if report.remediation:
        grid.add_row("queued", _said(f"{report.remediation}: the same fix on fewer files"))
    grid.add_row("run", _said(f"{run.run_id}, {run.mode} {run.kind}, attempt {run.attempt}, by {run.started_by}"))
    grid.add_row(
        "took", _said(f"{duration(run.started_at, report.ended_at)} from {run.started_at:%Y-%m-%d %H:%M:%S %Z}")
    )
    grid.add_row("base, policy", _said(f"{report.base_sha[:12] or 'not read'}, {run.policy.digest[:12]}"))
    title = Text.assemble(f"{visible(run.target)} {run.date} ", (f" {report.status} ", f"bold reverse {style}"))
    return Panel(grid, title=title, title_align="left", border_style=style)


def _steps(report: RunReport, decision: ReleaseDecision | None) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for ratio in (None, None, 1, None):
        table.add_column(ratio=ratio, overflow="fold")
    for record, name in zip(report.steps, named_steps(record.step for record in report.steps), strict=True):
        verdict = record.verdict
        told_below = decision is not None and decision.verdict == verdict
        why: RenderableType = _said(verdict.reason) if verdict.allowed or told_below else verdict_tree(verdict)
        took = Text(duration(record.started_at, record.ended_at), style="dim", justify="right")
        table.add_row(_mark(verdict), Text(name), why, took)
    reached = {record.step for record in report.steps}
    for step in steps_of(report.run):
        if step not in reached:
            table.add_row(Text("·", style="dim"), Text(step, style="dim"), Text(missing_step(step), style="dim"), "")
    return table


def _mark(verdict: Verdict) -> Text:
    return Text(DECISION_MARKS[verdict.decision], style=f"bold {STYLES[DECISION_TONES[verdict.decision]]}")


def verdict_tree(verdict: Verdict) -> Tree:
    """A verdict and all below it; the facts where it said no."""
    facts = ", ".join(f"{name}={value}" for name, value in verdict.facts.items())
    label = Text.assemble(_mark(verdict), " ", _said(verdict.rule, "bold"), ": ", _said(verdict.reason))
    if facts and not verdict.allowed:
        label.append_text(_said(f" [{facts}]", "dim"))
    tree = Tree(label, guide_style="dim")
    for child in verdict.children:
        tree.add(verdict_tree(child))
    return tree


_SHORT = 5


def short_verdict(name: str, verdict: Verdict, width: int = 0) -> Tree:
    """One line of a step or a target; below it only what is no yes, and of that not too much.

    ``width``: of the longest name that stands in the same column.
    """
    label = Text.assemble(_mark(verdict), " ", _said(f"{name:<{width}}", "bold"), "  ")
    # A step's name says what it is about; of anything else its rule does.
    plain = name.partition(",")[0] in set(StepName) or name.startswith("write ")
    tree = Tree(label.append_text(_why(verdict, with_rule=not plain)), guide_style="dim")
    _add_noes(tree, verdict)
    return tree


def _add_noes(tree: Tree, verdict: Verdict) -> None:
    noes = _noes(verdict)
    while len(noes) == 1 and noes[0].reason in verdict.reason and _noes(noes[0]):
        # It only hands on what was said above it.
        noes = _noes(noes[0])
    for child in noes[:_SHORT]:
        _add_noes(tree.add(Text.assemble(_mark(child), " ", _why(child))), child)
    if len(noes) > _SHORT:
        tree.add(Text(f"and {len(noes) - _SHORT} more: --full", style="dim"))


def _is_news(value: Fact, reason: str) -> bool:
    """In short, what is nothing and what the reason quotes are left to the whole tree."""
    return value is False or (bool(value) and not (isinstance(value, str) and value in reason))


def _noes(verdict: Verdict) -> list[Verdict]:
    return [child for child in verdict.children if child.decision is not Decision.ALLOW or _noes(child)]


def _why(verdict: Verdict, *, with_rule: bool = True) -> Text:
    """The reason; of a no with the rule and the facts it used (P12)."""
    if verdict.allowed and not with_rule:
        return _said(verdict.reason)
    facts = ", ".join(f"{name}={value}" for name, value in verdict.facts.items() if _is_news(value, verdict.reason))
    reason = _said(f"{verdict.rule}: {verdict.reason}")
    return reason.append_text(_said(f" [{facts}]", "dim")) if facts and not verdict.allowed else reason


def _change(change: Change, contract: TaskContract | None) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for path in change.paths:
        table.add_row(
            Text(path.status), _said(path.path), Text(f"+{path.added}", "green"), Text(f"-{path.removed}", "red")
        )
    allowed = f" of {sized(contract.scope.max_files, contract.scope.max_lines)} allowed" if contract else ""
    table.add_row("", _said(f"{sized(len(change.paths), change.lines)}{allowed}", "dim"))
    table.add_row("", _said(f"{change.metric}: {change.metric_before} → {change.metric_after}"))
    return table


def _checks(checks: ChecksReport) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for check in checks.results:
        # How the only attempt ended is how the check did.
        several = len(check.attempts) > 1
        attempts = "; ".join(
            ", ".join(filter(None, (attempt.status if several else "", f"{attempt.seconds:.1f} s", attempt.detail)))
            for attempt in check.attempts
        )
        table.add_row(_said(check.name), Text(check.status, STYLES[CHECK_TONES[check.status]]), _said(attempts, "dim"))
    if checks.prepared_again:
        table.add_row("environment", "prepared again", _said(f"for {', '.join(checks.prepared_again)}", "dim"))
    return table


def _ci(ci: CiReport) -> RenderableType:
    if not ci.checks:
        return _said(ci.verdict.reason, "dim")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for check in ci.checks:
        table.add_row(_said(check.name), Text(check.state, STYLES[CI_TONES[check.state]]), _said(check.link, "dim"))
    return table


def failed_checks(report: RunReport) -> Group:
    """Each failing check with how it ended, where its output is, and what it said first and last."""
    return Group(*(part for check in report.failed_checks for part in _failed_check(check)))


def _failed_check(check: FailedCheck) -> Iterator[RenderableType]:
    style = STYLES[CHECK_TONES[check.status]]
    facts = ", ".join(failed_check_facts(check))
    yield Text.assemble((visible(check.name), "bold"), " ", (check.status, style), _said(f"  {facts}", "dim"))
    for line in check.first_lines:
        yield _said(f"    {line}")
    if check.last_lines:
        yield Text("    …", "dim")
    for line in check.last_lines:
        yield _said(f"    {line}")


def _writes(report: RunReport) -> RenderableType:
    if not report.writes:
        return Text("None was planned, none was made.", style="dim")
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for write in report.writes:
        done = "adopted" if write.adopted else "done"
        table.add_row(
            Text(done if write.done else "not made", "green" if write.done else "yellow"),
            _said(write.planned.action.replace("_", " ")),
            _said(f"{write.planned.branch} → {write.planned.base_branch} at {write.planned.head_sha[:12]}"),
            _said(write.verdict.reason, "dim"),
        )
    return table


def _review(report: RunReport) -> Table:
    grid = _grid()
    for question, answer in _answers(report):
        grid.add_row(question, _said(answer))
    return grid


def _answers(report: RunReport) -> Iterator[tuple[str, str]]:
    review = report.review
    yield "objective", review.objective
    yield "expected", review.expected
    yield "achieved", review.achieved
    yield "risk", review.risk_against_outcome
    yield "check stability", review.check_stability
    cost = "unknown" if review.cost_usd is None else f"{review.cost_usd:.2f} USD"
    yield "cost", f"{cost}; {review.cost_note}"
    for update in review.policy_updates_suggested or ("none",):
        yield "policy updates", update


def _missing(report: RunReport) -> Table:
    grid = _grid()
    for line in report.missing:
        grid.add_row("lost", _said(line, STYLES[Tone.BAD]))
    return grid


def _artifacts(report: RunReport) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for ref in report.artifacts:
        table.add_row(_said(ref.name), Text(size(ref.size), justify="right"), Text(ref.sha256[:12], "dim"))
    table.add_row("audit head", "", _said(report.audit_head[:12], "dim"))
    return table
