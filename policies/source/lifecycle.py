"""What a source is now (runbook §5): the file is the most it may be, Control's books can only be lower."""

from datetime import datetime

from contracts.source import SourceRecord, SourceState
from policies.settings.sources import SourcePolicy

USED = frozenset({SourceState.PRODUCTION, SourceState.DEGRADED})
"""By the file: what a run looks at; of a DEGRADED one its fallback is asked."""


def in_force(source: SourcePolicy, record: SourceRecord) -> tuple[SourceState, str]:
    """Its state, and why that is less than the file says; empty: it is what the file says.

    Rules, in order: a refused use gives way · what was not lowered, or was promoted by a trial that it passed since, is
    what the file says · what a person switched off is off · the lower of both.
    """
    if source.state in USED and (refusal := refused(source)):
        return SourceState.DEGRADED, refusal
    if record.lowered is None or source.trial in record.passed:
        return source.state, ""
    if record.lowered is SourceState.DISABLED or source.state is SourceState.PRODUCTION:
        since = f" since {record.since:%Y-%m-%d}" if record.since else ""
        return record.lowered, f"{record.lowered}{since} by {record.by}: {record.reason}"
    return source.state, ""


def stands_in(source: SourcePolicy, record: SourceRecord) -> str:
    """Why it may not stand in for another, of which it is the fallback; empty: it may.

    It is what is in force that counts, of the file and of Control's books: a source that nobody promoted, or that
    is lowered itself, is no better than the one that it would stand in for.
    """
    state, why = in_force(source, record)
    return "" if state is SourceState.PRODUCTION else why or f"{state} by the policy"


def outdated(began_at: datetime, record: SourceRecord) -> str:
    """Why a trial that began then says nothing of the source as it is; empty: it does.

    A lowering is what a trial is to answer: only one that began after it counts, whatever one under way still shows.
    """
    if record.lowered is None or record.since is None or began_at > record.since:
        return ""
    return f"{record.source} was lowered on {record.since:%Y-%m-%d %H:%M}; a trial that began before does not count"


def refused(source: SourcePolicy) -> str:
    """Why its data may not be used; empty: nobody refused it."""
    return f"its use is refused: {source.compliance_reference}" if source.compliance == "refused" else ""
