"""A data file and what a run recorded of its source: found, written, and proven by Review from the recording alone."""

from dataclasses import replace
from datetime import date

import pytest

from contracts.modes import Role
from contracts.source import Record
from contracts.task import Finding
from policies.settings.sources import Sources
from policies.source.files import rendered
from policies.source.records import Normalised
from policies.task.candidates import rank
from policies.task.idea_memory import Memory
from policies.task.planning import make_contract
from ports.measures import Look
from tests.adapters.tools.conftest import Repo

FILE = "data/days.json"
SOURCES = Sources.model_validate({"sources": [{"name": "days", "repository": {"path": "x"}, "file": {"path": FILE}}]})
RECORDS = tuple(Record(key=key, payload={"id": key}) for key in ("a", "b"))
RECORDED = {"days": Normalised(RECORDS, ()).written()}
SETUP = {"pyproject.toml": "[project]\nname = 'p'\nversion = '1'\n"}


@pytest.fixture
def days(repo) -> Repo:
    """A repository whose file lacks a record."""
    made: Repo = repo({**SETUP, FILE: rendered(RECORDS[:1], "json").decode()})
    return replace(made, policy=made.policy.model_copy(update={"sources": SOURCES}))


def seen(made: Repo, recorded=RECORDED) -> tuple[Finding, ...]:
    """What the tool finds."""
    look = Look(made.tree, made.policy, lambda: None, recorded=recorded)
    return tuple(each for each in made.measures.detect(look).findings if each.tool == "source")


def test_a_file_that_says_something_else_is_found(days: Repo):
    """One finding for the file; of a source without a recording nothing is known, and no part is had."""
    (found,) = seen(days)
    assert ("days", FILE, "1 line is new, 0 are gone", True) == (found.rule, found.path, found.message, found.fixable)
    assert () == seen(days, {})
    parts = [
        days.measures.detect(Look(days.tree, days.policy, lambda: None, recorded=recorded)).tools
        for recorded in ({}, RECORDED)
    ]
    assert parts[0] + 1 == parts[1]
    days.write(FILE, rendered(RECORDS, "json"))
    assert () == seen(days)


def test_a_fallbacks_records_are_said_to_be_its(days: Repo):
    """A reader of the pull request is told whose data it is, under which licence."""
    spare = {"name": "spare", "licence": "ODbL-1.0", "repository": {"path": "y"}, "file": {"path": "z"}}
    sources = Sources.model_validate({"sources": [SOURCES.sources[0].model_dump() | {"fallback": "spare"}, spare]})
    stands_in = replace(days, policy=days.policy.model_copy(update={"sources": sources}))
    (own,) = seen(stands_in)
    (found,) = seen(stands_in, {**RECORDED, "from/days": b"spare"})
    assert "days" == own.about
    assert "the source days says now (unknown)" in own.words.why
    assert "spare" == found.about
    assert "the source spare says now (ODbL-1.0), one by one: 1 line is new, 0 are gone." in found.words.why
    assert "It stands in for days" in found.words.why


def test_what_is_too_much_and_what_is_not_there(days: Repo):
    """A refresh beyond the budget is a person's; a file that is not there is its owner's to begin."""
    many = tuple(Record(key=f"{number:04}", payload={"id": number}) for number in range(500))
    (found,) = seen(days, {"days": Normalised(many, ()).written()})
    assert not found.fixable
    assert "refresh it by hand" in found.message
    (days.tree / FILE).unlink()
    look = Look(days.tree, days.policy, lambda: None, recorded=RECORDED)
    (unread,) = [each for each in days.measures.detect(look).unread if each.tool == "source"]
    assert (FILE, True) == (unread.path, "commit an empty one" in unread.reason)


@pytest.mark.parametrize("more", ["", '  {"id": "c"}\n'])
def test_review_makes_it_again(days: Repo, more: str):
    """Exactly what was recorded is let through; a line more is blocked, whoever wrote it and whatever it measures."""
    candidates = rank(seen(days), days.policy, Memory(today=date(2026, 11, 23))).candidates
    contract = make_contract(candidates[0], days.policy, "run")
    days.backend.answer(days.brief(Role.CODING, tree=days.tree, contract=contract, recorded=RECORDED))
    assert rendered(RECORDS, "json") == (days.tree / FILE).read_bytes()
    days.write(FILE, (days.tree / FILE).read_text() + more)
    said = days.review(contract, recorded=RECORDED)
    blocked = [remark.message for remark in said.remarks if "what the run recorded" in remark.message]
    assert (not more, bool(more)) == (said.approve, bool(blocked))
