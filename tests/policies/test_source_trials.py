"""Who is tried, and what a trial says (runbook §5): the rules of choice, shapes, differences, and every gate."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import tomlkit

from activities.source.kept_trials import source_place
from contracts.artifact import ArtifactRef
from contracts.proposal import PolicyProposal
from contracts.source import Fetched, Grade, Quality, Reading, Record, SourceBook, SourceState
from contracts.trial import (
    Bounds,
    CandidateSource,
    Differences,
    ReplayCheck,
    SourceTrial,
    SourceTrialReport,
    TriageReplay,
    TrialFetch,
)
from contracts.verdict import Verdict
from policies.governance.edits import applied
from policies.settings.sources import SourcePolicy, Sources
from policies.source.scouting import (
    Tried,
    candidates,
    choose,
    tried_digest,
)
from policies.source.trials import differences, gates, metrics, promotion, promotion_id, shape_changes, shape_of
from policies.verdicts import allow
from reporting.source_trial_html import render_trial

NOW = datetime(2026, 11, 27, tzinfo=UTC)
ENTRY: dict[str, Any] = {
    "name": "feast",
    "licence": "CC0-1.0",
    "compliance": "approved",
    "compliance_reference": "legal #7",
    "fallback": "kept",
    "http": {"url": "https://feast.example/"},
    "file": {"path": "data/days.json"},
}
KEPT = {
    "name": "kept",
    "state": "PRODUCTION",
    "licence": "CC0-1.0",
    "compliance": "approved",
    "compliance_reference": "legal #1",
    "repository": {"path": "data/days.json"},
    "file": {"path": "data/kept.json"},
}
REF = ArtifactRef(name="x", sha256="0" * 64, size=1, media_type="application/json", location="objects/00/0")


def known(**kept: Any) -> Sources:
    """A file with one source, the fallback."""
    return Sources.model_validate({"sources": [KEPT | kept]})


def book(*passed: str, source: str = "kept", hours: float = 24) -> SourceBook:
    """Control's, where it lowered the fallback, or another, so many hours ago; ``passed``: trials since."""
    record = {"source": source, "lowered": "DEGRADED", "since": NOW - timedelta(hours=hours), "passed": passed}
    return SourceBook.model_validate({"sources": [record | {"by": "control", "reason": "3 breaches in a row"}]})


def reported(made: SourceTrial, verdict: Verdict) -> SourceTrialReport:
    """How a trial ended on the target ``days``."""
    return SourceTrialReport(
        run_id="r",
        target="days",
        trial=made,
        ended_at=NOW,
        metrics=metrics(GOOD),
        replay=ReplayCheck(answers=3),
        differences=Differences(),
        triage=TriageReplay(sentence="-"),
        verdict=verdict,
        tried=tried_digest(SourcePolicy.model_validate(made.entry), known().sources[0]),
        proposal_id=promotion_id(made.trial_id, "days"),
    )


def promoted(source: SourcePolicy, **more: Any) -> PolicyProposal:
    """What its passed trial proposes."""
    entry = source.model_dump(mode="json", exclude_defaults=True)
    made = trial(**{"state": source.state, "entry": entry} | more)
    return promotion(reported(made, allow("-", "-")), REF)


def written(*entries: dict[str, Any]) -> str:
    """A file of sources."""
    return tomlkit.dumps({"sources": list(entries)})


def listed(*entries: dict[str, Any], named: str = "") -> tuple[CandidateSource, ...]:
    """Candidates of sources.toml."""
    sources = Sources.model_validate({"sources": [KEPT | {"state": "DISABLED"}, *(ENTRY | each for each in entries)]})
    return candidates(sources, [], "days", named, ())


def tried(name: str, digest: str, *, days: float | None = 0, passed: bool = False) -> Tried:
    """A trial of before; ``days``: since it ended, None: it is not over."""
    ended = None if days is None else NOW - timedelta(days=days)
    return Tried(f"{name}-2026-11-01-1", name, digest, NOW - timedelta(days=30), ended, passed)


def test_5_an_unfinished_trial_goes_on_before_anything_new() -> None:
    """Of the entry as it is: one that was changed in mid-trial begins anew."""
    found = listed({"name": "a", "state": "TRIAL"}, {"name": "b"})
    going = tried("b", found[1].entry_digest, days=None)
    choice = choose(found, {"b": [going]}, "", NOW, SourceBook())
    assert ("b", going) == (choice.candidate and choice.candidate.name, choice.unfinished)
    other = choose(found, {"b": [tried("b", "another entry", days=None)]}, "b", NOW, SourceBook())
    assert ("b", None) == (other.candidate and other.candidate.name, other.unfinished)


@pytest.mark.parametrize(("hours", "goes_on"), [(31 * 24, True), (24, False)])
def test_a_trial_from_before_the_lowering_is_begun_anew(hours: float, goes_on: bool) -> None:
    """Only what began after it counts; a promotion of before waits for nobody any more."""
    found = listed({"name": "b", "state": "DEGRADED"})
    for past in (tried("b", found[0].entry_digest, days=None), tried("b", found[0].entry_digest, passed=True)):
        choice = choose(found, {"b": [past]}, "", NOW, book(source="b", hours=hours))
        told = choice.unfinished.trial_id if choice.unfinished else "".join(choice.reasons)
        assert goes_on == (past.trial_id in told)


def test_who_approved_it_may_change_in_mid_trial_and_what_it_is_may_not() -> None:
    """A licence that is stated meanwhile is weighed at the end; another address is another source."""
    (before,) = listed({"compliance": "unknown", "compliance_reference": ""})
    (approved,) = listed({})
    (moved,) = listed({"http": {"url": "https://elsewhere.example/"}})
    (stricter,) = listed({"record_schema": {"required": ["day"]}})
    assert before.entry_digest == approved.entry_digest
    assert 3 == len({approved.entry_digest, moved.entry_digest, stricter.entry_digest})


@pytest.mark.parametrize(
    ("past", "picked", "said"),
    [
        ({}, "b", "c: another is tried first"),
        ({"b": {"days": 3}}, "c", "b: it did not pass b-2026-11-01-1; again after 2026-12-22"),
        ({"b": {"days": 29}}, "c", "b: another is tried first"),
        ({"b": {"days": 29}, "c": {"days": 1}}, "b", "c: it did not pass c-2026-11-01-1; again after 2026-12-24"),
        ({"b": {"days": 60, "passed": True}}, "c", "b: it passed b-2026-11-01-1; its promotion waits for a person"),
    ],
)
def test_5_one_source_is_picked_and_the_others_are_told_why(past: Any, picked: str, said: str) -> None:
    """In the order of states, of trials, of the file; never one that is barred."""
    found = listed({"name": "a", "licence": "unknown"}, {"name": "b"}, {"name": "c"})
    digests = {each.name: each.entry_digest for each in found}
    choice = choose(
        found, {name: [tried(name, digests[name], **more)] for name, more in past.items()}, "", NOW, SourceBook()
    )
    assert picked == (choice.candidate and choice.candidate.name)
    assert said in choice.reasons
    assert "a: its licence is unknown, so nothing of it may be kept" in choice.reasons


def test_5_a_person_may_name_any_source() -> None:
    """Also one that is disabled or barred: then the trial says why, and fetches nothing."""
    found = listed({"licence": "unknown"}, named="kept")
    assert ("feast", "kept") == tuple(sorted(each.name for each in found))
    choice = choose(found, {}, "feast", NOW, SourceBook())
    assert choice.candidate is not None
    assert choice.candidate.barred
    assert (
        "no source 'nobody' can be tried; there are: kept, feast"
        in choose(found, {}, "nobody", NOW, SourceBook()).reasons
    )


def test_5_what_control_lowered_is_listed() -> None:
    """Only a new trial brings it back, whatever the file says."""
    sources = known()
    assert () == candidates(sources, [], "days", "", ())
    assert ["kept"] == [each.name for each in candidates(sources, [], "days", "", {"kept"})]


def test_5_what_compliance_refused_is_barred() -> None:
    """Nothing is mirrored that may not be."""
    (one,) = listed({"compliance": "refused"})
    assert ("feast: compliance refused its use (legal #7)",) == one.barred


def records(*payloads: dict[str, Any], at: datetime | None = None) -> tuple[Record, ...]:
    """By their ``id``."""
    return tuple(Record(key=str(each["id"]), at=at, payload=each) for each in payloads)


def test_5_a_shape_is_what_every_record_has() -> None:
    """An optional field that comes and goes is no change; one that all had, or of another kind, is."""
    before = shape_of(records({"id": 1, "day": "x", "note": "n"}, {"id": 2, "day": None}))
    assert {"id": "number", "day": "null or text"} == before
    same, other = shape_of(records({"id": 3, "day": "y"})), shape_of(records({"id": 4, "day": 7, "more": True}))
    assert () == shape_changes([fetch(1, shape=before), fetch(2, shape=same)])
    told = shape_changes([fetch(1, shape=before), fetch(2), fetch(3, shape=other), fetch(4, shape={"id": "number"})])
    assert (
        "fetch 3: day is number, and was null or text",
        "fetch 3: every record has more, which was not so before",
        "fetch 4: not every record has day any more",
        "fetch 4: not every record has more any more",
    ) == told


def test_5_every_difference_is_told_with_both_values_and_why() -> None:
    """Counted all, listed up to a bound, conflicts first."""
    ours = records({"id": "a", "day": 1, "x": 1}, {"id": "b", "day": 2}, at=NOW)
    theirs = records({"id": "a", "day": 9, "x": 2}, {"id": "c", "day": 3}, at=NOW - timedelta(days=1))
    found = differences(ours, theirs, ("day",))
    assert (1, 1, 1, 1) == (found.compared, found.only_here, found.only_there, found.conflicts)
    first = found.listed[0]
    assert ("a", "day", "1", "9", "the source's record is the newer one") == tuple(first.model_dump().values())
    assert ["the baseline has no such record", "the source has no such record"] == [
        each.explained for each in found.listed[1:]
    ]
    many = differences(records(*({"id": n} for n in range(999))), (), ())
    assert (999, 200) == (many.only_here, len(many.listed))
    unknown = differences(records({"id": 1, "day": 1}), records({"id": 1, "day": 2}), ()).listed[0]
    assert "they conflict: neither is known to be newer" == unknown.explained


def fetch(number: int, grade: Grade = Grade.GOOD, shape: dict[str, str] | None = None, **quality: Any) -> TrialFetch:
    """One of a trial."""
    reading = Reading(
        fetched=Fetched(source="feast", connector="http", at=NOW, asked="https://feast.example/"),
        quality=Quality(**({"available": True} | quality)),
        grade=grade,
        reasons=() if grade is Grade.GOOD else ("it was poor",),
    )
    return TrialFetch(trial_id="t", number=number, run_id="r", base_sha="b", reading=reading, shape=shape or {})


def trial(**more: Any) -> SourceTrial:
    """The contract of a trial of three fetches."""
    (one,) = listed({})
    given = {
        **one.model_dump(include={"origin", "state", "entry", "entry_digest", "licence", "compliance"}),
        "trial_id": "feast-2026-11-27-1",
        "source": "feast",
        "began_at": NOW,
        "fetches": 3,
        "hours_between": 24,
        "at_least": 2,
        "duration_hours": 48,
        "coverage_target": None,
        "compliance_reference": "legal #7",
        "baseline": "kept",
        "fallback": "kept",
        "thresholds": {"coverage": Bounds(warn=1, breach=0.5)},
    }
    return SourceTrial.model_validate(given | more)


SHAPE = {"id": "text"}
LOWERED = "its fallback kept may not stand in: DEGRADED since 2026-11-26 by control: 3 breaches in a row"
GOOD = tuple(fetch(number, shape=SHAPE) for number in (1, 2, 3))


@pytest.mark.parametrize(
    ("entry", "given", "said"),
    [
        ({}, {}, ""),
        ({}, {"fetches": (*GOOD[:2], fetch(3, Grade.BREACH, available=False))}, ""),
        ({"licence": "unknown"}, {}, "the licence of feast is unknown: nothing of it may be kept"),
        ({"compliance": "unknown"}, {}, "compliance of feast is unknown"),
        ({"compliance": "refused"}, {}, "compliance of feast is refused"),
        ({"compliance_reference": ""}, {}, "who approved feast, and where, is not written: compliance_reference"),
        ({}, {"fetches": ()}, "0 of 3 fetches good; 2 are needed"),
        (
            {},
            {"fetches": (GOOD[0], fetch(2, Grade.WARN, SHAPE), fetch(3, Grade.WARN, SHAPE))},
            "1 of 3 fetches good; 2 are needed; fetches 2 to 3: it was poor",
        ),
        ({}, {"fetches": (*GOOD[:2], fetch(3, Grade.BREACH, SHAPE))}, "fetch 3: it was poor"),
        (
            {},
            {"fetches": (*GOOD[:2], fetch(3, shape={"id": "number"}))},
            "fetch 3: id is number, and was text",
        ),
        ({}, {"fetches": (fetch(1), fetch(2))}, "there was no record to tell a shape by"),
        (
            {},
            {"replay": ReplayCheck(answers=3, different=("fetch 2 of feast",))},
            "fetch 2 of feast gave other records",
        ),
        ({}, {"replay": ReplayCheck(answers=3, problem="no sandbox")}, "it could not be found out: no sandbox"),
        ({}, {"replay": ReplayCheck()}, "there was no answer to replay"),
        ({"fallback": ""}, {}, "feast names no fallback"),
        ({}, {"sources": Sources()}, "its fallback kept is no source of sources.toml"),
        *(
            ({}, {"sources": known(state=state)}, f"its fallback kept may not stand in: {state} by the policy")
            for state in ("CANDIDATE", "TRIAL", "DEGRADED", "DISABLED")
        ),
        (
            {},
            {"sources": known(compliance="refused")},
            "its fallback kept may not stand in: its use is refused: legal #1",
        ),
        (
            {},
            {"book": book()},
            "its fallback kept may not stand in: DEGRADED since 2026-11-26 by control: 3 breaches in a row",
        ),
        ({}, {"book": book("t-2"), "sources": known(trial="t-2")}, ""),
        # It began now.
        ({}, {"book": book(source="feast", hours=1)}, ""),
        (
            {},
            {"book": book(source="feast", hours=-1)},
            "feast was lowered on 2026-11-27 01:00; a trial that began before does not count",
        ),
    ],
)
def test_5_every_gate_must_say_yes(entry: dict[str, Any], given: dict[str, Any], said: str) -> None:
    """A fetch that went unanswered is borne with, as far as the terms say; an answer in breach never."""
    facts = {"fetches": GOOD, "replay": ReplayCheck(answers=3), "sources": known(), "book": SourceBook()} | given
    verdict = gates(trial(), SourcePolicy.model_validate(ENTRY | entry), **facts)
    assert (said == "", said or "all 8 conditions hold") == (verdict.allowed, verdict.reason)


@pytest.mark.parametrize(
    ("state", "origin", "changed"),
    [
        (None, "sources.toml", ["state", "trial"]),
        ("TRIAL", "sources.toml", ["state", "trial"]),
        ("PRODUCTION", "sources.toml", ["trial"]),
        (None, "catalogue.toml", []),
    ],
)
def test_5_a_promotion_is_what_may_be_proposed(state: str | None, origin: str, changed: list[str]) -> None:
    """Applied to the file as it is, it gives a source in PRODUCTION that names its trial."""
    own = ENTRY | ({"state": state} if state else {})
    made = promoted(SourcePolicy.model_validate(own), origin=origin, entry=own)
    assert changed == [each.key for each in made.edits]
    of_file = origin == "sources.toml"
    done = applied(written(KEPT, own) if of_file else written(KEPT), made, None if of_file else written(own))
    assert not done.problem, done.problem
    entry = next(each for each in tomllib.loads(done.text)["sources"] if each["name"] == "feast")
    assert ("PRODUCTION", "feast-2026-11-27-1") == (entry["state"], entry["trial"])
    assert SourcePolicy.model_validate(entry).state is SourceState.PRODUCTION
    assert ("kept", "starter.py sources disable days feast") == (made.fallback, made.off_switch.partition(",")[0])


OTHER = ENTRY | {"http": {"url": "https://elsewhere.example/"}}


@pytest.mark.parametrize("origin", ["sources.toml", "catalogue.toml"])
@pytest.mark.parametrize(
    ("entry", "kept", "said"),
    [
        (ENTRY, KEPT, ""),
        (ENTRY | {"state": "TRIAL"}, KEPT, "sources.feast.state is TRIAL"),
        (OTHER, KEPT, "was changed after its trial; try it as it is now: starter.py sources trial <target> feast"),
        *(
            (ENTRY | more, KEPT, "was changed after its trial")
            for more in (
                {"licence": "GPL-3.0-only"},
                {"compliance": "unknown"},
                {"compliance_reference": "somebody else"},
                {"fallback": "spare"},
                {"targets": ["days"]},
                {"thresholds": {"coverage": {"warn": 0.1, "breach": 0}}},
                {"file": {"path": "data/others.json"}},
            )
        ),
        (ENTRY, KEPT | {"repository": {"path": "data/others.json"}}, "was changed after its trial"),
        (ENTRY, KEPT | {"state": "DEGRADED"}, "its fallback kept may not stand in: DEGRADED by the policy"),
        (None, KEPT, "has no source feast any more"),
        (ENTRY | {"http": {"what": 1}}, KEPT, "cannot be told"),
    ],
)
def test_5_only_what_was_tried_is_promoted(origin: str, entry: Any, kept: dict[str, Any], said: str) -> None:
    """A person's own edit between trial and merge: the promotion is refused, and says what to do."""
    made = promoted(SourcePolicy.model_validate(ENTRY), origin=origin, entry=ENTRY)
    spare = KEPT | {"name": "spare"}
    if origin == "sources.toml":
        text, beside = written(kept, spare, *filter(None, [entry])), None
    else:
        text, beside = written(kept, spare), written(*filter(None, [entry]))
        said = "" if entry and "state" in entry else said
    found = applied(text, made, beside)
    assert (bool(said), True) == (bool(found.problem), said in found.problem), found.problem
    assert not said or text == found.text


def test_5_what_control_lowered_is_no_fallback_of_what_is_promoted() -> None:
    """By a person's command, which can ask Control."""
    made = promoted(SourcePolicy.model_validate(ENTRY))
    found = applied(written(KEPT, ENTRY), made, None, book())
    assert (
        "its fallback kept may not stand in: DEGRADED since 2026-11-26 by control: 3 breaches in a row" == found.problem
    )


def test_long_names_do_not_hide_one_promotion_behind_another() -> None:
    """What is kept under an id stays: two targets that differ at the end alone have two of them."""
    names = ["services-of-the-whole-company-in-every-region-of-the-world-and-beyond-in-" + end for end in ("eu", "us")]
    ids = {promotion_id("f" * 40 + "-2026-11-27-1", name) for name in names}
    assert 2 == len(ids)
    assert {100} == {len(each) for each in ids}


def test_a_rejection_tells_causes_and_not_what_follows_from_them() -> None:
    """Of what is barred nothing is fetched: that there is nothing to judge or to replay is no reason of its own."""
    made, source = trial(barred=("no licence",)), SourcePolicy.model_validate(ENTRY | {"licence": "unknown"})
    verdict = gates(made, source, (), ReplayCheck(), known(), SourceBook())
    assert 5 == sum(not each.allowed for each in verdict.children)
    barred = reported(made, verdict)
    assert ("the licence of feast is unknown: nothing of it may be kept",) == barred.reasons
    assert 4 == len(barred.consequences)
    page = render_trial(barred)
    assert "Nothing to weigh, because of that: enough fetches were good; no answer breached" in page
    assert "consequence" not in page.replace("consequences", "")
    silent = tuple(fetch(number, Grade.BREACH, available=False) for number in (1, 2, 3))
    verdict = gates(trial(), SourcePolicy.model_validate(ENTRY), silent, ReplayCheck(), known(), SourceBook())
    told = reported(trial(), verdict)
    assert ("0 of 3 fetches good; 2 are needed; fetches 1 to 3: it was poor",) == told.reasons
    assert [each.reason for each in told.said_no] == list(told.reasons)


def test_each_target_and_source_have_a_place_of_their_own() -> None:
    """Hyphens are in the names of both."""
    assert source_place("api", "v2-feed") != source_place("api-v2", "feed")
