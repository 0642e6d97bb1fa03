"""Tests that tell nobody anything: what is listed, what is not, and that nothing is made of it by itself."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from adapters.tools.idle_tests import MOST
from adapters.tools.inside import idle_tests
from adapters.tools.inside.coverage_report import missed
from contracts.governance import CoverageLook, Flake, FlakyCheck, FlakyChecks
from contracts.task import CandidateTasks, Concern, Finding
from policies.settings.schema import ImprovePolicy
from policies.task.candidates import judge_worth, rank, with_reported
from policies.task.idea_memory import Memory
from ports.measures import Look
from tests.adapters.tools.conftest import Repo

CALLS = "def test_a():\n    load(1)\n"
FILES = {"pyproject.toml": '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.9"\n', "test_a.py": CALLS}


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What the script finds in one file, as rules."""

    def look(source: str, other: str = "", lowest: tuple[int, int] | None = (3, 9)) -> list[str]:
        (tmp_path / "test_a.py").write_text(source)
        (tmp_path / "helpers.py").write_text(other)
        monkeypatch.chdir(tmp_path)
        said = idle_tests.look(lowest, frozenset())["found"]
        return [each["rule"] for each in said]  # type: ignore[index, union-attr]  # JSON

    return look


@pytest.mark.parametrize(
    "source",
    [
        CALLS,
        "def test_a():\n    pass\n",
        'def test_a():\n    """Not written yet."""\n',
        "class TestA:\n    def test_a(self):\n        load(1)\n",
        "class A(unittest.TestCase):\n    def test_a(self):\n        load(1)\n",
        "async def test_a(tmp_path):\n    await load(1)\n",
        '@pytest.mark.parametrize("x", [1, 2])\ndef test_a(x):\n    load(x)\n',
        "def own():\n    return 1\n\n\ndef test_a(own):\n    load(own)\n",
    ],
)
def test_a_test_that_asserts_nothing_is_found(found, source):
    """Whoever collects it, and whatever it is given."""
    assert ["no-assertion"] == found(source)


@pytest.mark.parametrize(
    ("source", "other"),
    [
        ("def test_a():\n    assert load(1)\n", ""),
        ("def test_a():\n    with pytest.raises(ValueError):\n        load(1)\n", ""),
        ("def test_a():\n    with pytest.warns():\n        load(1)\n", ""),
        ("class A(TestCase):\n    def test_a(self):\n        self.assertEqual(1, load(1))\n", ""),
        ("def test_a():\n    load(1)\n    thing.assert_called_once()\n", ""),
        ("def test_a():\n    run_case(1)\n", "def run_case(x):\n    inner(x)\n\n\ndef inner(x):\n    assert x\n"),
        ("def test_a():\n    each(run_case)\n", "def run_case(x):\n    assert x\n"),
        ("def test_a():\n    if load(1):\n        raise AssertionError\n", ""),
        ("def test_a(plugins_fixture):\n    load(1)\n", ""),
        ("def test_a(own):\n    load(own)\n\n\ndef own():\n    yield 1\n    assert True\n", ""),
        ("@compared_with('a.png')\ndef test_a():\n    load(1)\n", ""),
        ("@pytest.mark.xfail\ndef test_a():\n    load(1)\n", ""),
        ("def test_does_not_raise():\n    load(1)\n", ""),
        ("def test_import():\n    load(1)\n", ""),
        ('def test_a():\n    """It raises no error."""\n    load(1)\n', ""),
        ("class Base:\n    def test_a(self):\n        load(1)\n", ""),
        ("def helper():\n    load(1)\n", ""),
    ],
)
def test_what_checks_or_cannot_be_told_is_not(found, source, other):
    """Helpers of the repository are followed; a plugin may do anything; some tests are there so that nothing raises."""
    assert [] == found(source, other)


@pytest.mark.parametrize(
    ("mark", "lowest", "rules"),
    [
        ("pytest.mark.skipif(sys.version_info < (3, 8), reason='x')", (3, 9), ["skip-never"]),
        ("pytest.mark.skipif(sys.version_info < (3, 9), reason='x')", (3, 9), ["skip-never"]),
        ("pytest.mark.skipif(sys.version_info[0] == 2, reason='x')", (3, 9), []),
        ("pytest.mark.skipif(sys.version_info[0] < 3, reason='x')", (3, 9), ["skip-never"]),
        ("unittest.skipUnless(sys.version_info >= (3, 6), 'x')", (3, 9), ["skip-never"]),
        ("unittest.skipIf(sys.version_info >= (3,), 'x')", (3, 9), ["skip-always"]),
        ("unittest.skipUnless(sys.version_info[:2] <= (3, 5), 'x')", (3, 9), ["skip-always"]),
        ("pytest.mark.skipif(sys.version_info < (3, 10), reason='x')", (3, 9), []),
        ("pytest.mark.skipif(sys.version_info < (3, 9, 2), reason='x')", (3, 9), []),
        ("pytest.mark.skipif(sys.platform == 'win32', reason='x')", (3, 9), []),
        ("pytest.mark.skipif(sys.version_info < LOWEST, reason='x')", (3, 9), []),
        ("pytest.mark.skip(reason='see #12')", (3, 9), []),
        ("pytest.mark.skipif(sys.version_info < (3, 8), reason='x')", None, []),
    ],
)
def test_a_skip_is_over_where_the_stated_versions_say_so(found, mark, lowest, rules):
    """Nothing is claimed of platforms, of issues, or where no version is stated."""
    assert rules == found(f"@{mark}\ndef test_a():\n    assert 1\n", "", lowest)


def seen(made: Repo, report: bytes = b"", **recorded: bytes) -> tuple[Finding, ...]:
    """What the tool finds, in the sandbox."""
    known = {f"lookups/{name}": it for name, it in recorded.items()} | ({"coverage/report": report} if report else {})
    look = Look(made.tree, made.policy, lambda: None, recorded=known)
    detection = made.measures.detect(look)
    assert not detection.missing
    return tuple(each for each in detection.findings if each.tool == "tests")


def test_it_is_listed_for_a_person_and_no_run_takes_it(repo):
    """By where it is and why; a file of many is bounded, and one that does not parse is named."""
    many = "".join(f"def test_{number}():\n    load(1)\n\n\n" for number in range(MOST + 5))
    made = repo(FILES | {"test_b.py": many, "test_c.py": "def (\n", "golden/test_d.py": CALLS})
    made = replace(made, tree=made.base)
    found = seen(made)
    assert {
        (".", "6 more; 20 are listed"),
        ("test_a.py", "test_a: it calls, and looks at nothing that comes of it"),
        *(
            ("test_b.py", f"test_{number}: it calls, and looks at nothing that comes of it")
            for number in range(MOST - 1)
        ),
    } == {(each.path, each.message) for each in found}
    assert () == rank(found, made.policy, Memory(today=date(2026, 11, 24))).candidates
    listed = with_reported(CandidateTasks(run_id="r", base_sha="b", candidates=()), found, made.policy)
    assert ["Look into 21 tests that assert nothing"] == [each.title.split(" in ")[0] for each in listed.candidates]
    assert all(each.needs_person for each in listed.candidates)
    assert "waits for a person" in judge_worth(listed, found, made.policy).reason


def test_an_owner_may_not_want_to_hear_of_it(repo):
    """``[improve] tests = false``."""
    made = repo(FILES)
    target = made.policy.target.model_copy(update={"improve": ImprovePolicy(tests=False)})
    assert () == seen(replace(made, policy=made.policy.model_copy(update={"target": target})), flaky_checks=b"{}")


def test_flaky_tests_come_out_of_the_ledger(repo):
    """By the names that the red output has, where the tree has them; else the check alone."""
    at = datetime(2026, 11, 23, tzinfo=UTC)
    flake = Flake(
        target="t", check="tests", seen=9, flaked=2, first=at, last=at, owner="ann", until=None, overdue=False
    )
    ledger = FlakyChecks(
        checks=(
            FlakyCheck(flake=flake, tests=(("test_a.py", "TestA::test_a[1]"), ("../etc/passwd.py", "test_x"))),
            FlakyCheck(flake=flake.model_copy(update={"check": "lint", "owner": ""}), tests=()),
        )
    )
    made = repo(FILES | {"test_a.py": "import os\n\n\nclass TestA:\n    def test_a(self):\n        assert os\n"})
    told = "tests gave two answers about one tree 2 times in 9 looks; ann looks after it"
    kinds = {each.rule: each.facts.concern for each in seen(made, flaky_checks=ledger.model_dump_json().encode())}
    assert {"flaky": Concern.BROKEN} == kinds
    assert [
        (".", 1, "lint gave two answers about one tree 2 times in 9 looks; its output names no test"),
        ("test_a.py", 5, f"TestA::test_a[1]: {told}"),
    ] == [
        (each.path, each.line, each.message)
        for each in seen(made, flaky_checks=ledger.model_dump_json().encode())
        if each.rule == "flaky"
    ]


XML = """<?xml version="1.0" ?><coverage><sources><source>/work/src</source></sources><packages><package><classes>
<class filename="p/a.py"><lines>
<line number="1" hits="1"/><line number="2" hits="0"/><line number="3" hits="0"/></lines>
</class></classes></package></packages></coverage>"""
LCOV = "TN:\nSF:/work/src/p/a.py\nDA:1,4\nDA:2,0\nDA:3,0\nend_of_record\n"
GO = "mode: set\nexample.org/m/src/p/a.py:1.10,1.20 1 1\nexample.org/m/src/p/a.py:2.1,3.4 2 0\n"


@pytest.mark.parametrize("report", [XML, LCOV, GO])
def test_reports_of_every_form_name_the_lines_that_nothing_ran(report):
    """By whatever name they call the file, if it is the name of one alone."""
    asked = ["src/p/a.py", "src/p/b.py"]
    assert {"missed": {"src/p/a.py": [2, 3]}, "ran": {"src/p/a.py": [1]}} == missed(report.encode(), asked)
    assert {"missed": {}, "ran": {}} == missed(report.encode(), ["src/b.py"])
    two = missed(XML.encode(), ["src/p/a.py", "lib/p/a.py"])
    assert {} == two["missed"]


@pytest.mark.parametrize(
    "report", [b"", b"{}", b"<a", b"SF:a\nDA:x,y\n", b'<!DOCTYPE a [<!ENTITY b "c">]><a/>', b"mode: \xff"]
)
def test_what_is_no_report_is_not_read_as_one(report):
    """Not as one that misses nothing."""
    with pytest.raises((ValueError, SyntaxError)):
        missed(report, ["a.py"])


def test_new_lines_that_a_check_did_not_run_are_listed(repo):
    """Those alone that came with the last commits; a report that nobody can read is said, and keeps no run."""
    made = repo({"pyproject.toml": FILES["pyproject.toml"], "src/p/a.py": "a = 1\nb = 2\nc = 3\n"})
    look = CoverageLook(check="tests", run_id="r", commits=2, added={"src/p/a.py": (1, 3)}).model_dump_json().encode()
    assert [("src/p/a.py", 3, "uncovered", "1 line of the last 2 commits not run by tests: 3")] == [
        (each.path, each.line, each.rule, each.message) for each in seen(made, XML.encode(), coverage=look)
    ]
    (said,) = seen(made, b"nonsense", coverage=look)
    assert said.message.startswith("could not look: the report that tests wrote cannot be read: ValueError")
