"""How long fetches and answers of sources are kept: as long as somebody may need them, and then not for ever."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.source.kept_trials import REPORT, KeptTrials, source_place
from activities.step_session import written
from adapters.store.local_store import LocalStore
from contracts.source import SourceState
from policies.verdicts import allow, deny
from tests.policies.test_source_trials import NOW, fetch, reported, trial

PLACE = source_place("days", "feast")
LATE, EARLY = NOW + timedelta(days=91), NOW + timedelta(days=89)


@pytest.fixture(name="kept")
def _kept(tmp_path: Path) -> KeptTrials:
    """One trial, over now, of two fetches; and an answer that was asked for by hand."""
    kept, made = KeptTrials(LocalStore(tmp_path), "days"), trial(state=SourceState.CANDIDATE)
    kept.begin(made)
    fetches = tuple(fetch(number) for number in (1, 2))
    for each in fetches:
        kept.put(made, f"{each.number:03}/fetch.json", written(each))
        kept.put(made, f"{each.number:03}/sources/feast/answer", f"answer {each.number}".encode())
    report = reported(made, allow("-", "-")).model_copy(update={"fetches": fetches, "run_id": "judged"})
    kept.put(made, REPORT, written(report))
    for name in ("answer", "reading.json"):
        kept.store.put(PLACE, f"{NOW:%Y%m%dT%H%M%S%f}/sources/feast/{name}", name.encode())
    return kept


def left(kept: KeptTrials) -> tuple[int, int, int]:
    """Files of fetches, files that were asked for by hand, others."""
    names = kept.store.names(PLACE)
    fetches = sum("/00" in name for name in names)
    by_hand = sum(name.startswith("2026") for name in names)
    return fetches, by_hand, len(names) - fetches - by_hand


@pytest.mark.parametrize(
    ("given", "stays"),
    [
        ({}, (0, 0, 2)),
        ({"now": EARLY}, (4, 2, 2)),
        # While it is proposed, and while a run that fetched ("r") or judged is kept: its report can be made again.
        ({"proposed": ("feast-2026-11-27-1-days",)}, (4, 0, 2)),
        ({"runs": ("r",)}, (4, 0, 2)),
        ({"runs": ("judged",)}, (4, 0, 2)),
        ({"runs": ("another",)}, (0, 0, 2)),
        ({"over": False}, (4, 0, 1)),
    ],
)
def test_what_nobody_needs_goes(kept: KeptTrials, given: dict[str, Any], stays: tuple[int, int, int]) -> None:
    """Contract and report stay; a trial that is not over is not touched, however old."""
    for run in given.get("runs", ()):
        kept.store.put(run, "run_report.json", b"{}")
    if not given.get("over", True):
        kept.store.remove(PLACE, f"trials/feast-2026-11-27-1/{REPORT}")
    before = len(kept.store.names(PLACE))
    removed = kept.tidy("feast", given.get("now", LATE), given.get("proposed", ()))
    assert stays == left(kept)
    assert before - removed == sum(stays)
    assert 0 == kept.tidy("feast", given.get("now", LATE), given.get("proposed", ()))


def test_a_trial_that_did_not_pass_is_kept_no_longer(kept: KeptTrials) -> None:
    """Also of a report without a proposal."""
    made = trial(state=SourceState.CANDIDATE)
    report = reported(made, deny("-", "-")).model_copy(update={"proposal_id": "", "run_id": "judged"})
    kept.put(made, REPORT, written(report))
    kept.tidy("feast", LATE, ())
    assert (0, 0, 2) == left(kept)
