"""Reports of a source: how bad, where, bounded, for a person; a record that cannot be one says why."""

from dataclasses import replace
from datetime import date

import pytest

from contracts.source import Record
from contracts.task import CandidateTasks, Finding
from policies.settings.sources import CandidatesPurpose, Sources
from policies.source.records import Normalised
from policies.source.sightings import report_of
from policies.task.candidates import judge_worth, rank, with_reported
from policies.task.idea_memory import Memory
from ports.measures import Look
from tests.adapters.tools.conftest import Repo, policy

PURPOSE = {"path": "file", "line": "line", "severity": "how", "message": "says"}
SPARE = {"name": "spare", "licence": "ODbL-1.0", "repository": {"path": "y"}, "candidates": PURPOSE}
LINT = {"name": "lint", "fallback": "spare", "command": {"argv": ["lint", "."]}, "candidates": PURPOSE}
SOURCES = Sources.model_validate({"sources": [LINT, SPARE]})
FILES = {"pkg/a.py": "x = 1\n", ".github/ci.yml": "on: push\n", "pyproject.toml": "[project]\nname = 'p'\n"}
NOTHING = CandidateTasks(run_id="r", base_sha="b", candidates=())
FEED = CandidatesPurpose.model_validate(PURPOSE)


def record(key: str, **payload: object) -> Record:
    """What the source says."""
    return Record.model_validate({"key": key, "payload": {"file": "pkg/a.py", "line": 1, "says": "old"} | payload})


@pytest.fixture
def lint(repo) -> Repo:
    """A repository with such a source."""
    made: Repo = repo(FILES)
    return replace(made, policy=made.policy.model_copy(update={"sources": SOURCES}))


def seen(made: Repo, *records: Record, **more: bytes) -> tuple[Finding, ...]:
    """What the tool finds."""
    recorded = {"lint": Normalised(records, ()).written()} | {
        name.replace("_", "/"): body for name, body in more.items()
    }
    look = Look(made.tree, made.policy, lambda: None, recorded=recorded)
    return tuple(each for each in made.measures.detect(look).findings if each.tool == "source")


def test_5_the_worst_come_first_and_wait_for_a_person(lint: Repo):
    """An idea for each severity, beside the tools' own; no run takes one, and the verdict says so."""
    found = seen(
        lint, *(record(str(number), how="note") for number in range(100)),
        record("b", how="high", line=7), record("c", how=9.8), record("d", how="high"),
    )  # fmt: skip
    ideas = with_reported(NOTHING, found, lint.policy).candidates
    assert [("lint/critical", 1), ("lint/high", 2), ("lint/low", 100)] == [(each.rule, each.before) for each in ideas]
    assert "Look into 2 high reports of lint in `a.py`" == ideas[1].title
    assert all(each.needs_person for each in ideas)
    assert "`lint .` says so (unknown), and no tool here has a fix for it. Each run asks again" in ideas[0].words.why
    assert ((), ()) == rank(found, lint.policy, Memory(today=date(2026, 11, 23)))
    verdict = judge_worth(CandidateTasks(run_id="r", base_sha="b", candidates=ideas), found, lint.policy)
    assert verdict.reason.endswith("3 wait for a person: Look into a critical report of lint in `a.py`")
    assert () == verdict.children


def test_5_a_strangers_feed_makes_no_snapshot_less_complete(lint: Repo):
    """However much of it leads nowhere: else it would end the day's work."""
    recorded = {"lint": Normalised(tuple(record(f"{n}", file="gone.py") for n in range(9)), ()).written()}
    seen_all = lint.measures.detect(Look(lint.tree, lint.policy, lambda: None, recorded=recorded))
    assert ((), 1.0) == (seen_all.unread, seen_all.completeness)


@pytest.mark.parametrize(
    ("payload", "told"),
    [
        ({"file": "../etc/passwd"}, "'..' component: old"),
        ({"file": "/etc/passwd"}, "it is empty or absolute: old"),
        ({"file": "pkg/gone.py"}, "pkg/gone.py is not in the tree"),
        ({"file": ".github/ci.yml"}, ".github/ci.yml is protected: CI: old"),
        ({"file": ["pkg/a.py"]}, "it names no path: old"),
        ({"file": None}, "it names no path: old"),
        ({"says": "  "}, "it does not say what is wrong"),
        ({"says": {"text": "old"}}, "it does not say what is wrong"),
    ],
)
def test_5_a_record_that_cannot_be_a_finding_is_told_in_words(lint: Repo, payload: dict, told: str):
    """It is in no file that a run may look at; a person sees it all the same, last."""
    (found,) = seen(lint, record("k", how="critical", **payload))
    assert ("lint/refused", ".") == (found.rule, found.path)
    assert found.message.startswith("k: ")
    assert told in found.message
    (idea,) = with_reported(NOTHING, [found], lint.policy).candidates
    assert idea.title == "Look into a record of lint that cannot be a report"
    assert idea.score < 0.01


def test_a_link_out_of_the_tree_is_no_place(lint: Repo):
    """Whatever it is called."""
    (lint.tree / "pkg/b.py").symlink_to("/etc/passwd")
    (found,) = seen(lint, record("k", file="pkg/b.py"))
    assert "no ordinary file" in found.message


def test_however_many_there_are_the_worst_are_looked_at(lint: Repo):
    """The rest is counted; each message is one line of plain words."""
    found = seen(lint, *(record(f"{n:03}", how="low", says=f"{n}\n\u202e{'x' * 900}") for n in range(300)),
                 record("z", how="critical"))  # fmt: skip
    assert (201, 1) == (len(found), sum(each.rule == "lint/critical" for each in found))
    assert ["101 more records: 200 are looked at, the worst first"] == [
        each.message for each in found if each.rule == "lint/refused"
    ]
    assert all(len(each.message) <= 300 and each.message.isprintable() for each in found)
    assert len(found) == len({each.fingerprint for each in found})


def test_a_fallbacks_findings_are_said_to_be_its(lint: Repo):
    """Of a source that gave no answer nothing is known."""
    (found,) = seen(lint, record("k"), from_lint=b"spare")
    assert "a report of lint" == found.words.one
    assert "The source spare says so (ODbL-1.0)" in found.words.why
    assert found.words.why.endswith("spare stands in for lint, which cannot be used now.")
    assert () == tuple(
        each
        for each in lint.measures.detect(Look(lint.tree, lint.policy, lambda: None)).findings
        if each.tool == "source"
    )


@pytest.mark.parametrize(
    ("said", "severity"),
    [
        ("CRITICAL", "critical"), ("error", "high"), ("moderate", "medium"), (" Warning ", "medium"), ("info", "low"),
        (9, "critical"), ("7.5", "high"), (4.0, "medium"), (0, "low"),
        (None, "unknown"), (True, "unknown"), (11, "unknown"), (-1, "unknown"), ("nan", "unknown"),
        ("1e999", "unknown"), ("refused", "unknown"), (["high"], "unknown"), ("", "unknown"),
    ],
)  # fmt: skip
def test_how_bad_it_is(said: object, severity: str):
    """In the words of linters and advisories, or by CVSS; anything else is not known."""
    assert severity == report_of(record("k", how=said), FEED, {"pkg/a.py"}, policy()).severity


@pytest.mark.parametrize(
    ("said", "line"),
    [
        (7, 7),
        ("7", 7),
        (7.0, 1),
        (-3, 1),
        (None, 1),
        (True, 1),
        ("²", 1),
        pytest.param("9" * 5000, 1, id="long"),
        (10**9, 1),
        (10**20, 1),
    ],
)
def test_which_line_it_is(said: object, line: int):
    """What is no number of a line is the first."""
    assert line == report_of(record("k", line=said), FEED, {"pkg/a.py"}, policy()).line


def test_what_names_no_file_is_about_the_repository():
    """As an issue is."""
    purpose = CandidatesPurpose.model_validate({"message": "says"})
    assert (".", "unknown") == ((told := report_of(record("k"), purpose, set(), policy())).path, told.severity)
    broken = CandidatesPurpose.model_validate({"message": "abs(says)"})
    assert "refused" == report_of(record("k"), broken, set(), policy()).severity
