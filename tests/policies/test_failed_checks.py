"""§6.2: what is told of a failing check, and what of its output makes two failures the same."""

from __future__ import annotations

import pytest

from contracts.evidence import CheckStatus
from contracts.modes import RunStatus
from policies.release.checks import complaints, failed_checks, first_complaint, passing
from tests.reporting.sample_run import FLAKY_LINT, GREEN_TESTS, RED_TESTS, SLOW_TYPES, checks_report

LONG = b"".join(b"line %d\n" % number for number in range(100))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1 failed in 0.12s", "1 failed in 13.07s"),
        ("FAILED tests/test_a.py::test_b - took 3 ms", "FAILED tests/test_a.py::test_b - took 3000 ms"),
        ("error in /tmp/check-x1y2/pkg/a.py", "error in /tmp/check-9z/pkg/a.py"),
        ("error in /var/folders/ab/cd/T/x", "error in /var/folders/zz/T/y"),
        ("<Thing object at 0x7f3a9c> failed", "<Thing object at 0x55d2aa> failed"),
        ("2026-11-23T09:00:01Z failed", "2026-12-01T17:30:59Z failed"),
        ("failed at 09:00:01,123", "failed at 17:30:59,456"),
        ("\x1b[31mFAILED\x1b[0m x", "FAILED x"),
        ("==== 1 failed ====", "========== 1 failed =========="),
        ("error: 5f2c9d1e-0b7a-4c3d-9e8f-001122334455", "error: 00000000-0b7a-4c3d-9e8f-001122334455"),
        ("error: worker pid 4711", "error: worker pid 12"),
        ("error:   two  spaces", "error: two spaces"),
    ],
)
def test_what_passes_makes_no_difference(one: str, other: str) -> None:
    """Times, folders, addresses, numbers, colours, rulers."""
    assert passing(one) == passing(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("FAILED tests/test_a.py::test_b", "FAILED tests/test_a.py::test_c"),
        ("KeyError: 'a'", "KeyError: 'b'"),
        ("error in src/a.py", "error in src/b.py"),
        ("AssertionError: test2 failed", "AssertionError: test3 failed"),
    ],
)
def test_what_is_the_failure_does(one: str, other: str) -> None:
    """Names of tests, files and errors."""
    assert passing(one) != passing(other)


def test_only_complaints_count_in_any_order_and_number() -> None:
    """Progress lines and the order of a parallel run do not tell failures apart."""
    one = b"collected 3 items\n..F\nFAILED test_b\nFAILED test_a\nFAILED test_a\n"
    other = b"collected 30 items\n...........F.F\nFAILED test_a\nFAILED test_b\n"
    assert ("FAILED test_a", "FAILED test_b") == complaints(one) == complaints(other)


@pytest.mark.parametrize(
    ("output", "first"),
    [(b"", ""), (b"ok\nE   AssertionError: x\nFAILED y", "E   AssertionError: x"), (b"one\ntwo\n\n", "two")],
)
def test_the_first_complaint_else_the_last_line(output: bytes, first: str) -> None:
    """One line for a person."""
    assert first == first_complaint(output)


def test_details_of_every_check_that_is_not_green() -> None:
    """§6.2: name, kind, exit status, seconds, first and last lines, artifact; a flaky one shows its red attempt."""
    report = checks_report(GREEN_TESTS, RED_TESTS, FLAKY_LINT, SLOW_TYPES)
    red, flaky, slow = failed_checks(RunStatus.REJECTED, report, None, lambda _ref: LONG)
    assert ("pytest", "tests", "merge", 1, 3.0, 2) == (
        red.name,
        red.kind,
        red.tree,
        red.exit_code,
        red.seconds,
        red.attempts,
    )
    assert ("line 0", "line 4", 5) == (red.first_lines[0], red.first_lines[-1], len(red.first_lines))
    assert ("line 85", "line 99", 15) == (red.last_lines[0], red.last_lines[-1], len(red.last_lines))
    assert "checks/output.txt" == red.output
    assert (CheckStatus.FLAKY, 0.4) == (flaky.status, flaky.seconds)
    assert (CheckStatus.TIMEOUT, None) == (slow.status, slow.exit_code)


@pytest.mark.parametrize(
    ("status", "shown"), [(RunStatus.REFUSED, ("pytest",)), (RunStatus.NOTHING_TO_DO, ()), (RunStatus.FAILED, ())]
)
def test_the_bases_failures_are_told_when_they_refused_the_run(status: RunStatus, shown: tuple[str, ...]) -> None:
    """Red checks that nobody required are no reason for anything."""
    optional = FLAKY_LINT.model_copy(update={"required": False})
    told = failed_checks(status, None, checks_report(GREEN_TESTS, RED_TESTS, optional), lambda _ref: b"")
    assert shown == tuple(check.name for check in told)
    assert {"base"} >= {check.tree for check in told}


@pytest.mark.parametrize("output", [None, b"", b"\xff\xfe\x00bad", b"x" * 100_000, b"\r\n" * 50])
def test_any_output_makes_small_details(output: bytes | None) -> None:
    """Lost, empty, not UTF-8, one endless line."""
    (red,) = failed_checks(RunStatus.REJECTED, checks_report(RED_TESTS), None, lambda _ref: output)
    assert len(red.model_dump_json()) < 8_000
    assert output is not None or red.first_lines == ("(its output cannot be read any more)",)
