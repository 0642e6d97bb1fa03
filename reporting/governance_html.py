"""The governance review as one page: no script, no network, nothing outside the file (runbook §11)."""

from markupsafe import Markup

from contracts.governance import GovernanceReport, Metric, Standing
from contracts.later_review import Fate
from policies.counted import IN_DAYS, aged
from policies.governance import baselines
from reporting.charts import chart_options, drawn
from reporting.run_report_html import pages
from reporting.wording import Tone

TONES = {
    Standing.MET: Tone.GOOD,
    Standing.MISSED: Tone.BAD,
    Standing.TOO_FEW: Tone.QUIET,
    Standing.NO_TARGET: Tone.QUIET,
}
_FATES = (Fate.KEPT, Fate.REWRITTEN, Fate.REVERTED, Fate.UNKNOWN, Fate.NOT_YET)
_WEEKS = 12
"""That a chart shows; more labels do not fit a telephone."""


def render_review(review: GovernanceReport) -> str:
    """The page."""
    return (
        pages()
        .get_template("governance_review.html.j2")
        .render(
            review=review,
            shown=shown_value,
            number=_number,
            tones=TONES,
            charts=_charts(review),
            enough=baselines,
            fates=_FATES,
        )
    )


def shown_value(metric: Metric) -> str:
    """A metric's value as a person reads it; without one, why there is none."""
    value = metric.value
    if value is None:
        return "no data"
    match metric.unit:
        case "%":
            return f"{value:.1f} %"
        case "USD":
            return f"{value:.2f} USD"
        case "hours":
            return _time(value)
        case "a week":
            return f"{value:.1f} a week"
        case "tokens":
            return f"{value:,.0f}"
        case "count":
            return f"{value:g}"


def _number(value: float) -> str:
    """``15,297,200``, ``51.98``, ``653``."""
    return f"{value:,.2f}".rstrip("0").rstrip(".")


def _time(hours: float) -> str:
    minutes = hours * 60
    if minutes < 2:  # noqa: PLR2004  # of each unit more than one
        return f"{minutes * 60:.0f} s"
    if hours >= IN_DAYS:
        return aged(hours)
    return f"{minutes:.0f} min" if hours < 2 else f"{hours:.1f} h"  # noqa: PLR2004


def _charts(review: GovernanceReport) -> dict[str, Markup]:
    """By heading; of fewer than two weeks, or of no case at all, there is no chart."""
    # Imported here: a worker that draws once a week starts without it.
    import pygal  # noqa: PLC0415

    # As many columns as there are lines: with more, the library leaves no room for the legend below the picture.
    options = chart_options() | {"legend_at_bottom_columns": 2}
    weeks = review.weeks[-_WEEKS:]
    charts = {}
    if len(weeks) > 1:
        # Every other one where they would touch; the last is always there.
        every = 1 if len(weeks) <= _WEEKS // 2 else 2
        labels = [week.name[5:] if n % every == 0 else "" for n, week in enumerate(weeks[::-1])][::-1]
        by_name = [{metric.name: metric for metric in week.metrics} for week in weeks]

        def values(name: str) -> list[float | None]:
            return [week[name].value for week in by_name]

        bars = pygal.Bar(**options, x_labels=labels, show_legend=False, min_scale=2)
        bars.add("opened", [week["pull requests a week"].count for week in by_name])
        charts["Pull requests opened, by week"] = drawn(bars)
        lines = pygal.Line(**options, x_labels=labels, range=(0, 100))
        for name in ("pull request acceptance", "all checks green"):
            lines.add(name, values(name))
        charts["Accepted, and all checks green, in per cent"] = drawn(lines)
    if len(review.calibration.bins) > 1:
        curve = pygal.XY(**options, range=(0, 1), xrange=(0, 1))
        curve.add("as it went", [(one.mean_score, one.bad / one.changes) for one in review.calibration.bins])
        curve.add("as the score says", [(0, 0), (1, 1)], show_dots=False)
        charts["Risk score, and the share that went badly"] = drawn(curve)
    return charts
