"""A source's trial as one page: no script, no network, nothing outside the file (runbook §5)."""

from markupsafe import Markup

from contracts.source import Grade
from contracts.trial import SourceTrialReport
from policies.source.trials import in_words, reasons_by_fetch
from reporting.charts import chart_options, drawn
from reporting.run_report_html import pages
from reporting.wording import Tone

TONES = {Grade.GOOD: Tone.GOOD, Grade.WARN: Tone.CARE, Grade.BREACH: Tone.BAD}
_SHARES = (("coverage", "coverage"), ("schema_validity", "valid"), ("conflict_rate", "in conflict"))


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
            percent=_percent,
            charts=_charts(report),
        )
    )


def _time(hours: float) -> str:
    """``24 h``; what is shorter than two hours in minutes or seconds."""
    minutes = hours * 60
    if minutes < 2:  # noqa: PLR2004  # of each unit more than one
        return f"{minutes * 60:.0f} s"
    return f"{minutes:.0f} min" if hours < 2 else f"{hours:g} h"  # noqa: PLR2004


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.0f} %"


def _charts(report: SourceTrialReport) -> dict[str, Markup]:
    """By heading; of fewer than two fetches there is no chart."""
    if len(report.fetches) < 2:  # noqa: PLR2004  # a line has two ends
        return {}
    # Imported here: a worker that draws once a week starts without it.
    import pygal  # noqa: PLC0415

    labels, seen = [str(each.number) for each in report.fetches], [each.reading.quality for each in report.fetches]
    shares = pygal.Line(**chart_options() | {"legend_at_bottom_columns": 3}, x_labels=labels, range=(0, 100))
    for name, title in _SHARES:
        values = [getattr(each, name) for each in seen]
        if any(value is not None for value in values):
            shares.add(title, [None if value is None else 100 * value for value in values])
    charts = {"Per cent, by fetch": drawn(shares)} if shares.raw_series else {}
    # Where all of them are new there is nothing to see.
    if any((each.freshness_hours or 0) >= 1 for each in seen):
        ages = pygal.Bar(**chart_options(), x_labels=labels, show_legend=False)
        ages.add("hours", [each.freshness_hours for each in seen])
        charts["Age of the newest record in hours, by fetch"] = drawn(ages)
    return charts
