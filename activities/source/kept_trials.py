"""Trials of a target's sources, kept with each source: begun once, fetch by fetch, closed by their report."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from pydantic import ValidationError

from activities.governance.kept_proposals import KEPT
from activities.step_session import written
from contracts.artifact import ArtifactRef
from contracts.source import Fetched
from contracts.trial import SourceTrial, SourceTrialReport, TrialFetch
from policies.source.scouting import Tried
from ports.store import ArtifactStore, StoreError

Kept = TypeVar("Kept", SourceTrial, SourceTrialReport, TrialFetch)
REPORT, PAGE = "source_trial_report.json", "source_trial.html"
TRIAL_ID = re.compile(r"(?P<source>[a-z0-9][a-z0-9_-]*)-\d{4}-\d{2}-\d{2}-\d+")
_BY_HAND = re.compile(r"(?P<at>\d{8}T\d{6})\d{6}/.+")
_FETCH = re.compile(r"trials/(?P<trial>[^/]+)/\d+/fetch\.json")


def source_place(target: str, source: str) -> str:
    """Where what is recorded of a source is kept; capitals, so that it is no run's and no other pair's."""
    return f"SRC-{target}-S-{source}"


def trial_of_fetch(name: str) -> str:
    """The trial that an artifact is a fetch of; empty: it is none."""
    match = _FETCH.fullmatch(name)
    return match["trial"] if match else ""


def _asked_by_hand(name: str) -> datetime | None:
    """When an answer was asked for by a person's command; None: it is no such."""
    match = _BY_HAND.fullmatch(name)
    return datetime.strptime(match["at"], "%Y%m%dT%H%M%S").replace(tzinfo=UTC) if match else None


@dataclass(frozen=True)
class KeptTrials:
    """As the store shows them. A trial's contract, report and page stay; what was fetched for it goes by a rule."""

    store: ArtifactStore
    target: str

    def of(self, source: str) -> tuple[Tried, ...]:
        """A source's trials, oldest first.

        Raises:
            StoreError: one is damaged.
        """
        place = source_place(self.target, source)
        names = self.store.names(place)
        found = []
        for name in names:
            if re.fullmatch(r"trials/[^/]+/trial\.json", name):
                trial = self._read(place, name, SourceTrial)
                over = f"trials/{trial.trial_id}/{REPORT}"
                report = self._read(place, over, SourceTrialReport) if over in names else None
                found.append(
                    Tried(
                        trial_id=trial.trial_id,
                        source=source,
                        entry_digest=trial.entry_digest,
                        began_at=trial.began_at,
                        ended_at=report.ended_at if report else None,
                        passed=bool(report and report.passed),
                    )
                )
        return tuple(sorted(found, key=lambda each: each.began_at))

    def report(self, trial_id: str) -> SourceTrialReport | None:
        """How a trial ended; None: no such trial is over."""
        match = TRIAL_ID.fullmatch(trial_id)
        if match is None:
            return None
        place, name = source_place(self.target, match["source"]), f"trials/{trial_id}/{REPORT}"
        return self._read(place, name, SourceTrialReport) if self.store.find(place, name) else None

    def begin(self, trial: SourceTrial) -> None:
        """Remember that it began."""
        self.put(trial, "trial.json", written(trial))

    def put(self, trial: SourceTrial, name: str, body: bytes, media_type: str = "application/json") -> ArtifactRef:
        """Keep something of a trial."""
        return self.store.put(
            source_place(self.target, trial.source), f"trials/{trial.trial_id}/{name}", body, media_type
        )

    def fetches(self, trial: SourceTrial) -> tuple[tuple[ArtifactRef, TrialFetch], ...]:
        """All that were made, by number, whichever run made them.

        Raises:
            StoreError: one is damaged.
        """
        place = source_place(self.target, trial.source)
        found = [
            (ref, self._parsed(ref, place, TrialFetch))
            for name in self.store.names(place)
            if trial_of_fetch(name) == trial.trial_id and (ref := self.store.find(place, name))
        ]
        return tuple(sorted(found, key=lambda each: each[1].number))

    def tidy(self, source: str, now: datetime, proposed: Collection[str]) -> int:
        """Remove fetches and answers that nobody needs any more; how many files.

        An answer that was asked for by hand stays for ``KEPT``. A trial's fetches stay as long, and longer while it is
        not over, while its promotion is proposed, and while a run that fetched or judged is kept: its report can be
        made again from them.

        Args:
            source: whose.
            now: by the step.
            proposed: ids of the open proposals.

        Raises:
            StoreError: a trial is damaged: then nothing of it is removed; or a file cannot be removed.
        """
        place = source_place(self.target, source)
        names, late = self.store.names(place), now - KEPT
        gone = {name for name in names if (by_hand := _asked_by_hand(name)) and by_hand < late}
        for trial in self.of(source):
            if trial.ended_at and trial.ended_at < late and not self._needed(trial.trial_id, proposed):
                gone |= {name for name in names if re.match(rf"trials/{re.escape(trial.trial_id)}/\d+/", name)}
        # What says that there is something goes first: without it, the rest is only what has not gone yet.
        for name in sorted(gone, key=lambda each: (not each.endswith(("fetch.json", "reading.json")), each)):
            self.store.remove(place, name)
        return len(gone)

    def _needed(self, trial_id: str, proposed: Collection[str]) -> bool:
        report = self.report(trial_id)
        if report is None or report.proposal_id in proposed:
            return True
        return any(self.store.names(run) for run in {report.run_id, *(each.run_id for each in report.fetches)})

    def _read(self, place: str, name: str, model: type[Kept]) -> Kept:
        ref = self.store.find(place, name)
        if ref is None:
            raise StoreError(f"{name} of {place} is gone")
        return self._parsed(ref, place, model)

    def _parsed(self, ref: ArtifactRef, place: str, model: type[Kept]) -> Kept:
        try:
            return model.model_validate_json(self.store.get(ref))
        except ValidationError as damage:
            raise StoreError(f"{ref.name} of {place} is damaged: {damage.error_count()} fields are wrong") from damage


def answers_of(fetch: TrialFetch) -> tuple[tuple[Fetched, str], ...]:
    """Each recorded answer of a fetch, and the digest of the records that it gave."""
    own = fetch.reading.records.sha256 if fetch.reading.records else ""
    theirs = fetch.baseline_records.sha256 if fetch.baseline_records else ""
    pairs = [(fetch.reading.fetched, own), *([(fetch.baseline, theirs)] if fetch.baseline else [])]
    return tuple((fetched, digest) for fetched, digest in pairs if fetched.body)
