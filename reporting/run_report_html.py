"""A run's report as one page: no script, no network, nothing outside the file."""

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from markupsafe import Markup, escape

from contracts.change import Change
from contracts.evidence import ChecksReport
from contracts.exchange import AgentRecord
from contracts.later_review import LaterReview
from contracts.release import ReleaseDecision
from contracts.report import RunReport, StepRecord
from contracts.task import TaskContract
from policies.after.later_review import told_objective
from policies.counted import counted, shortened, sized
from reporting import wording

if TYPE_CHECKING:
    from jinja2 import Environment

_DIFF_LINES, _DIFF_SIZE, _DIFF_WIDTH = 2_000, 200_000, 400


@dataclass(frozen=True)
class StepBar:
    """A step's place in the run's time, in percent."""

    record: StepRecord
    name: str
    begin: float
    width: float


def render_html(
    report: RunReport,
    decision: ReleaseDecision | None = None,
    contract: TaskContract | None = None,
    change: Change | None = None,
    checks: ChecksReport | None = None,
    diff: bytes = b"",
    later: LaterReview | None = None,
    agents: tuple[AgentRecord, ...] = (),
    *,
    ui: str = "",
) -> str:
    """The page; what the run ended too early to make is None and left out.

    ``agents``: what agents of others' making did, by our own record.
    ``later``: what became of its change since; None: nothing is known yet.
    ``ui``: the web address of the Temporal UI for people, with its namespace; empty: no link leads there.
    """
    reached = {record.step for record in report.steps}
    return (
        pages()
        .get_template("run_report.html.j2")
        .render(
            report=report,
            later=later,
            agents=agents,
            told_objective=told_objective,
            change=change,
            checks=checks,
            decision=decision,
            contract=contract,
            bars=_bars(report),
            diff=diff_lines(diff),
            workflow=f"{ui.rstrip('/')}/workflows/{quote(report.run.workflow_id, '')}" if ui else "",
            most_lines=max([1, *(path.added + path.removed for path in change.paths)]) if change else 1,
            not_reached=[step for step in wording.steps_of(report.run) if step not in reached],
            refused=[write for write in report.writes if not write.done],
            done=[write for write in report.writes if write.done],
        )
    )


class DiffLines(NamedTuple):
    """A diff as far as a page shows it."""

    lines: tuple[tuple[str, str], ...]
    """What kind of line (``add``, ``del``, ``hunk``, ``file``, or none), and its text."""
    more: int
    """Lines that are left out."""


def diff_lines(diff: bytes) -> DiffLines:
    """At most ``_DIFF_LINES`` lines and ``_DIFF_SIZE`` bytes, each cut at ``_DIFF_WIDTH``."""
    shown, known = [], diff[:_DIFF_SIZE].split(b"\n")
    if len(diff) > _DIFF_SIZE:
        # The last one is cut somewhere.
        known = known[:-1]
    in_head = True
    for raw in known[:_DIFF_LINES]:
        line = raw.decode("utf-8", "replace")
        in_head = line.startswith("diff --git ") or (in_head and not line.startswith("@@"))
        kind = "file" if in_head else {"+": "add", "-": "del", "@": "hunk"}.get(line[:1], "")
        shown.append((kind, shortened(line, _DIFF_WIDTH) if len(line) > _DIFF_WIDTH else line))
    while shown and not shown[-1][1]:
        shown.pop()
    return DiffLines(tuple(shown), diff.rstrip(b"\n").count(b"\n") + 1 - len(shown) if diff else 0)


@functools.cache
def pages() -> "Environment":
    """Templates of pages that show what others chose."""
    # Imported here: a worker is ready before its first page is drawn.
    from jinja2 import Environment, FileSystemLoader, StrictUndefined  # noqa: PLC0415

    made = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        # Most of what is shown was chosen by agents and repositories.
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["words"] = wording
    made.globals["sized"] = sized
    made.globals["counted"] = counted
    made.filters["link"] = _link
    made.filters["web"] = _is_web
    made.filters["named"] = _named
    return made


def _shown(value: Any) -> Any:
    return wording.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _link(name: str) -> str:
    """An artifact, seen from the run's folder, where the page lies."""
    return "./" + quote(name, errors="backslashreplace")


def _named(title: str) -> Markup:
    """A title, with what stands in backticks as code."""
    parts = wording.visible(title).split("`")
    if len(parts) % 2 == 0:
        return escape("`".join(parts))
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if number % 2 else escape(part) for number, part in enumerate(parts)
    )


def _is_web(url: str) -> bool:
    return url.startswith(("https://", "http://"))


def _bars(report: RunReport) -> list[StepBar]:
    begin = report.run.started_at
    whole = max((report.ended_at - begin).total_seconds(), 0.001)

    def share(seconds: float) -> float:
        return round(min(100.0, max(0.0, 100 * seconds / whole)), 2)

    return [
        StepBar(
            record=record,
            name=name,
            begin=share((record.started_at - begin).total_seconds()),
            width=share((record.ended_at - record.started_at).total_seconds()),
        )
        for record, name in zip(report.steps, wording.named_steps(each.step for each in report.steps), strict=True)
    ]
