"""What is known of a source over time: each answer that was graded, by hand, in a trial or in a run."""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import ValidationError

from activities.source.kept_trials import TRIAL_ID, source_place, trial_of_fetch
from contracts.source import Reading
from contracts.trial import TrialFetch
from ports.store import ArtifactStore, RunIndex, StoreError

_RUNS = 400
"""The newest runs that are looked at."""


@dataclass(frozen=True)
class KeptReading:
    """One graded answer."""

    by: str
    """``by hand``, ``trial <id>`` or ``run <id>``."""
    reading: Reading


@dataclass(frozen=True)
class KeptReadings:
    """A source's, newest first."""

    readings: tuple[KeptReading, ...]
    unreadable: tuple[str, ...]
    """Of each that is damaged or gone, which and why."""


def kept_readings(store: ArtifactStore, index: RunIndex, target: str, source: str) -> KeptReadings:
    """Everything kept of it; the runs are the newest 400 of the target.

    Raises:
        StoreError: the store or the index cannot be read at all.
    """
    found, unreadable = [], []
    for by, place, name in _places(store, index, target, source):
        try:
            ref = store.find(place, name)
            if ref is None:
                continue
            body = store.get(ref)
            of_trial = name.endswith("/fetch.json")
            reading = TrialFetch.model_validate_json(body).reading if of_trial else Reading.model_validate_json(body)
            found.append(KeptReading(by, reading))
        except (StoreError, ValidationError) as damage:
            why = f"{damage.error_count()} fields are wrong" if isinstance(damage, ValidationError) else str(damage)
            unreadable.append(f"{name} of {place}: {why}")
    found.sort(key=lambda each: each.reading.fetched.at, reverse=True)
    return KeptReadings(tuple(found), tuple(unreadable))


def _places(store: ArtifactStore, index: RunIndex, target: str, source: str) -> Iterator[tuple[str, str, str]]:
    """Who asked, and where the answer is: of most runs it turns out that they did not."""
    place = source_place(target, source)
    for name in store.names(place):
        if TRIAL_ID.fullmatch(trial := trial_of_fetch(name)):
            yield f"trial {trial}", place, name
        elif name.endswith(f"/sources/{source}/reading.json") and not name.startswith("trials/"):
            yield "by hand", place, name
    for run in index.latest(_RUNS, target):
        yield f"run {run.run_id}", run.run_id, f"sources/{source}/reading.json"
