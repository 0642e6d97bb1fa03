"""Green means checked (P18): what counts as tests that ran."""

from __future__ import annotations

import time

import pytest

from contracts.evidence import CheckAttempt, CheckResult, ChecksReport, CheckStatus
from contracts.task import StateSnapshot, UnreadFile
from policies.release.checks import cautions, covered_by_tests, ran_nothing, runs_tests, unseen


def result(name="tests", kind="tests", argv=("pytest",), status=CheckStatus.GREEN, idle=False) -> CheckResult:
    attempt = CheckAttempt(status=status, exit_code=0, seconds=1.0, output=None, ran_nothing=idle)
    return CheckResult(name=name, kind=kind, argv=argv, required=True, status=status, attempts=(attempt,))


def report(*results: CheckResult) -> ChecksReport:
    return ChecksReport(
        commit_sha="c", tree_sha="t", base_sha="b", head_sha="h", environment="e", sandbox="s", results=results
    )


COMPILES = ("python", "-m", "compileall", "-q", ".")
LINT = result("lint", "lint", ("ruff",))


@pytest.mark.parametrize(
    ("argv", "runs"),
    [
        (("pytest",), True),
        (("python", "-m", "unittest"), True),
        (("make", "test"), True),
        (("python", "-c", "import pkg"), True),
        (COMPILES, False),
        (("python", "-m", "py_compile", "a.py"), False),
        (("/bin/true",), False),
        ((), True),
    ],
)
def test_what_runs_no_code_tests_nothing(argv, runs):
    """However its owner calls it."""
    assert runs == runs_tests("tests", argv)
    assert not runs_tests("build", argv)


@pytest.mark.parametrize(
    ("output", "nothing"),
    [
        ("....\n4 passed in 0.1s\n", False),
        ("==== 4 passed, 2 skipped in 0.10s ====\n", False),
        ("==== 2 skipped in 0.10s ====\n", True),
        ("2 skipped, 1 warning in 0.10s\n", True),
        ("==== 3 deselected in 0.10s ====\n", True),
        ("==== no tests ran in 0.00s ====\n", True),
        ("Ran 3 tests in 0.1s\n\nOK\n", False),
        ("Ran 0 tests in 0.000s\n\nOK\n", True),
        ("Ran 3 tests in 0.1s\n\nOK (skipped=3)\n", True),
        ("Ran 3 tests in 0.1s\n\nOK (skipped=2)\n", False),
        ("ok  \texample.org/a\t0.01s\n?   \texample.org/b\t[no test files]\n", False),
        ("?   \texample.org/b\t[no test files]\n", True),
        ("ok  \texample.org/a\t0.01s [no tests to run]\n", True),
        ("running 0 tests\n\ntest result: ok. 0 passed\n\nrunning 2 tests\n", False),
        ("running 0 tests\n\ntest result: ok. 0 passed; 0 failed\n", True),
        ("No tests found, exiting with code 0\n", True),
        ("# tests 0\n# pass 0\n", True),
        ("  0 passing (1ms)\n", True),
        ("whatever else\n", False),
    ],
)
def test_what_a_test_runner_says_of_itself(output, nothing):
    """A runner that found nothing to run, or skipped all of it, is content."""
    assert nothing == ran_nothing(output)


@pytest.mark.parametrize("output", ["." * 20_000 + "!", "\n" * 20_000 + "x", "=" * 20_000, "1 skipped, " * 1_800])
def test_reading_what_a_runner_says_takes_no_time(output):
    """What is tested may print anything, and while this process reads it nothing else goes on."""
    began = time.process_time()
    for argv in ((), ("pytest",)):
        ran_nothing(output, argv)
    assert time.process_time() - began < 1


@pytest.mark.parametrize(
    ("output", "nothing"),
    [
        ("", True),
        ("whatever else\n", True),
        ("2 skipped in 0.10s\n", True),
        ("ss                [100%]\n", True),
        ("....\n4 passed in 0.1s\n", False),
        ("..s.               [100%]\n", False),
        ("tests/test_a.py::test_a PASSED    [100%]\n", False),
        ("1 xpassed in 0.1s\n", False),
    ],
)
def test_pytest_says_that_something_ran(output, nothing):
    """However quiet it is: the code under test may have ended it, with status 0, before a test ran."""
    for argv in (("pytest", "-q"), ("uv", "run", "pytest"), ("/env/bin/python", "-m", "pytest")):
        assert nothing == ran_nothing(output, argv)


@pytest.mark.parametrize(
    ("results", "said", "passed"),
    [
        ((result(), LINT), (), True),
        ((result(status=CheckStatus.RED),), (), False),
        ((result(idle=True), LINT), ("No tests ran: tests found none to run.",), False),
        (
            (result("compile", argv=COMPILES), LINT),
            ("No tests ran, only compile (python -m compileall -q .) and lint.",),
            False,
        ),
        ((), ("No tests ran, nor did anything else.",), False),
        ((result(status=CheckStatus.INFRASTRUCTURE),), ("No tests ran, nor did anything else.",), False),
    ],
)
def test_no_tests_ran_is_said_first(results, said, passed):
    """Compiling is no test, and neither is a test runner without tests."""
    assert (said, passed) == (cautions(report(*results), ()), covered_by_tests(results))


def test_what_could_not_look_is_said_too():
    """In the words of the snapshot; before there are checks nothing is said of tests."""
    assert ("Could not look: codespell: no file.",) == cautions(None, ("codespell: no file.",))


def test_unread_files_are_named_once_and_the_rest_is_counted():
    """A line for each file, with the tools that could not look; a sentence names five."""
    files = [UnreadFile(tool=tool, path=f"f{n}.py", reason="odd") for tool in ("a", "b") for n in range(7)]
    snapshot = StateSnapshot(
        run_id="r",
        target="t",
        base_branch="main",
        base_sha="0" * 40,
        files=1,
        bytes=1,
        completeness=0.9,
        missing=("c: gone",),
        unread=tuple(files),
        findings=(),
    )
    named = [f"f{n}.py: odd (a, b)" for n in range(5)]
    assert ("c: gone", *named, "2 more files, named in state_snapshot.json") == unseen(snapshot)
