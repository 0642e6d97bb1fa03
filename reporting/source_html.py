"""A source as one page, its metrics over time: no script, no network, nothing outside the file (runbook §5)."""

from collections.abc import Mapping, Sequence

from contracts.source import Reading, SourceState
from policies.counted import aged
from policies.settings.sources import SourcePolicy
from reporting.run_report_html import pages
from reporting.source_trial_html import TONES, percent, quality_charts
from reporting.wording import Tone

LISTED = 50
_DRAWN = 90
"""Answers that a chart shows, the newest."""
STATES = {SourceState.PRODUCTION: Tone.GOOD, SourceState.DEGRADED: Tone.BAD, SourceState.DISABLED: Tone.BAD}
_METRICS = {
    "freshness_hours": "the newest record's age in hours, at most",
    "coverage": "coverage, at least",
    "schema_validity": "valid records, at least",
    "conflict_rate": "in conflict with its baseline, at most",
}


def render_source(  # what the page shows
    target: str,
    source: SourcePolicy,
    state: SourceState | None,
    why: str,
    readings: Sequence[tuple[str, Reading]],
    trials: Sequence[str],
    unreadable: Sequence[str] = (),
) -> str:
    """The page.

    Args:
        target: whose source it is.
        source: as the file has it.
        state: in force; None: no Control said it.
        why: why that is less than the file says, or is not known.
        readings: newest first, each with who asked.
        trials: a sentence each, oldest first.
        unreadable: what is damaged, a sentence each.
    """
    drawn = [reading for _, reading in readings[:_DRAWN]][::-1]
    charts = quality_charts([f"{each.fetched.at:%m-%d}" for each in drawn], [each.quality for each in drawn])
    bounds: Mapping[str, object] = {
        words: bound for name, words in _METRICS.items() if (bound := getattr(source.thresholds, name))
    }
    return (
        pages()
        .get_template("source.html.j2")
        .render(
            target=target,
            source=source,
            state=state,
            tone=STATES.get(state, Tone.QUIET) if state else Tone.CARE,
            why=why,
            readings=readings[:LISTED],
            more=max(0, len(readings) - LISTED),
            bounds=bounds,
            charts=charts,
            trials=trials,
            unreadable=unreadable,
            tones=TONES,
            percent=percent,
            aged=aged,
        )
    )
