"""A run's report as one page: no script, no network, nothing outside the file."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from contracts.change import Change
from contracts.evidence import ChecksReport
from contracts.release import ReleaseDecision
from contracts.report import RunReport, StepRecord
from contracts.task import TaskContract
from policies.counted import sized
from reporting import wording


@dataclass(frozen=True)
class StepBar:
    """A step's place in the run's time, in percent."""

    record: StepRecord
    begin: float
    width: float


def render_html(
    report: RunReport,
    decision: ReleaseDecision | None = None,
    contract: TaskContract | None = None,
    change: Change | None = None,
    checks: ChecksReport | None = None,
) -> str:
    """The page; what the run ended too early to make is None and left out."""
    reached = {record.step for record in report.steps}
    return (
        _pages()
        .get_template("run_report.html.j2")
        .render(
            report=report,
            change=change,
            checks=checks,
            decision=decision,
            contract=contract,
            bars=_bars(report),
            most_lines=max([1, *(path.added + path.removed for path in change.paths)]) if change else 1,
            not_reached=[step for step in wording.steps_of(report.run.mode) if step not in reached],
            refused=[write for write in report.writes if not write.done],
            done=[write for write in report.writes if write.done],
        )
    )


@functools.cache
def _pages() -> Environment:
    pages = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        # Most of what is shown was chosen by agents and repositories.
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.globals["words"] = wording
    pages.globals["sized"] = sized
    pages.filters["link"] = _link
    pages.filters["web"] = _is_web
    return pages


def _shown(value: Any) -> Any:
    return wording.visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _link(name: str) -> str:
    """An artifact, seen from the run's folder, where the page lies."""
    return "./" + quote(name, errors="backslashreplace")


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
            begin=share((record.started_at - begin).total_seconds()),
            width=share((record.ended_at - record.started_at).total_seconds()),
        )
        for record in report.steps
    ]
