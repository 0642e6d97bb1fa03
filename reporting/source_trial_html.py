"""A source's trial as one page: no script, no network, nothing outside the file (runbook §5)."""

from collections.abc import Sequence

from markupsafe import Markup

from contracts.source import Grade, Quality
from contracts.trial import SourceTrialReport
from policies.counted import DAY, IN_DAYS, aged
from policies.source.trials import in_words, reasons_by_fetch
from reporting.charts import chart_options, drawn
from reporting.run_report_html import pages
from reporting.wording import Tone

TONES = {Grade.GOOD: Tone.GOOD, Grade.WARN: Tone.CARE, Grade.BREACH: Tone.BAD}
_SHARES = (("coverage", "coverage"), ("schema_validity", "valid"), ("conflict_rate", "in conflict"))
_LABELS = 8


def render_trial(report: SourceTrialReport) -> str:
    """The page."""
    return (
        pages()
        .get_template("source_trial.html.j2")
        .render(
            report=report,
            tones=TONES,
            told=in_words(report.metrics),
            reasons=reasons_by_fetch(report.fetches),
            between=_time(report.trial.hours_between),
            percent=percent,
            aged=aged,
            charts=quality_charts(
                [str(each.number) for each in report.fetches],
                [each.reading.quality for each in report.fetches],
                ", by fetch",
            ),
        )
    )


def _time(hours: float) -> str:
    """``24 h``; what is shorter than two hours in minutes or seconds."""
    minutes = hours * 60
    if minutes < 2:  # noqa: PLR2004  # of each unit more than one
        return f"{minutes * 60:.0f} s"
    return f"{minutes:.0f} min" if hours < 2 else f"{hours:g} h"  # noqa: PLR2004


def percent(share: float | None) -> str:
    """``98 %``; where there is nothing to tell, a dash."""
    return "-" if share is None else f"{100 * share:.0f} %"


def quality_charts(labels: Sequence[str], seen: Sequence[Quality], by: str = "") -> dict[str, Markup]:
    """By heading, oldest first; of fewer than two answers there is no chart."""
    if len(seen) < 2:  # noqa: PLR2004  # a line has two ends
        return {}
    # Imported here: a worker that draws once a week starts without it.
    import pygal  # noqa: PLC0415

    # As many labels as fit a telephone.
    options = chart_options() | {"x_labels": labels}
    if len(labels) > _LABELS:
        options |= {"x_labels_major_every": -(-len(labels) // _LABELS), "show_minor_x_labels": False}
    shares = pygal.Line(**options | {"legend_at_bottom_columns": 3}, range=(0, 100))
    for name, title in _SHARES:
        values = [getattr(each, name) for each in seen]
        if any(value is not None for value in values):
            shares.add(title, [None if value is None else 100 * value for value in values])
    charts = {f"Per cent{by}": drawn(shares)} if shares.raw_series else {}
    # Where all of them are new there is nothing to see.
    hours = [each.freshness_hours for each in seen]
    if (oldest := max((each or 0 for each in hours), default=0)) >= 1:
        unit, per = ("days", DAY) if oldest >= IN_DAYS else ("hours", 1)
        ages = pygal.Bar(**options, show_legend=False)
        ages.add(unit, [None if each is None else each / per for each in hours])
        charts[f"Age of the newest record in {unit}{by}"] = drawn(ages)
    return charts
