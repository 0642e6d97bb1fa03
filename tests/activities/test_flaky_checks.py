"""The flake ledger as Sensing reads it: what the last runs left, and what of it cannot be read."""

import json
from datetime import UTC, date, datetime
from types import SimpleNamespace

from activities.run.flaky_checks import flaky_checks
from contracts.artifact import ArtifactRef
from contracts.evidence import ChecksReport
from policies.governance.flakes import failing_tests
from ports.store import StoreError
from tests.policies.sample_policy import policy

AT = datetime(2026, 11, 23, tzinfo=UTC)
OUTPUT = b"FAILED tests/test_a.py::test_slow[1] - Timeout\nFAILED tests/test_a.py::test_slow[1]\n"


class Papers:
    """A store of what runs left."""

    def __init__(self, papers: dict[tuple[str, str], bytes]) -> None:
        self.papers = papers

    def names(self, run_id: str) -> tuple[str, ...]:
        return tuple(name for run, name in self.papers if run == run_id)

    def find(self, run_id: str, name: str) -> ArtifactRef:
        return ArtifactRef(name=name, sha256="0" * 64, size=1, media_type="any", location=f"{run_id}/{name}")

    def get(self, ref: ArtifactRef) -> bytes:
        body = self.papers[tuple(ref.location.split("/", 1))]  # type: ignore[index]  # two parts
        if body == b"lost":
            raise StoreError("it is damaged")
        return body


def report(run: str, *statuses: str) -> bytes:
    """Of one check on one tree."""
    output = Papers({}).find(run, "checks/tests-1.txt").model_dump()
    attempts = [{"status": status, "exit_code": 1, "seconds": 1.5, "output": output} for status in statuses]
    status = "flaky" if len(set(statuses)) > 1 else statuses[0]
    check = {
        "name": "tests",
        "kind": "tests",
        "argv": ["pytest"],
        "required": True,
        "status": status,
        "attempts": attempts,
    }
    tree = {"commit_sha": "c", "tree_sha": "t", "base_sha": "b", "head_sha": "h", "environment": "e", "sandbox": "s"}
    return ChecksReport.model_validate(tree | {"results": [check]}).model_dump_json().encode()


def ledger(papers: dict[tuple[str, str], bytes]):
    """What is found in it."""
    runs = tuple(SimpleNamespace(run_id=run, ended_at=AT) for run in dict.fromkeys(run for run, _ in papers))
    ours = policy()
    # Its owner says so, which is no answer of its own.
    known = tuple(each.model_copy(update={"flaky_until": date(2026, 12, 1)}) for each in ours.target.checks)
    ours = ours.model_copy(update={"target": ours.target.model_copy(update={"checks": known})})
    given = SimpleNamespace(
        policy=ours, bench=SimpleNamespace(store=Papers(papers)), run=SimpleNamespace(date="2026-11-24")
    )
    index = SimpleNamespace(latest=lambda count, _target: runs[:count])
    return flaky_checks(given, index)  # type: ignore[arg-type]  # of the session, three things are used


def test_a_check_that_flaked_names_its_tests() -> None:
    """Red and then green within a run; the tests are those of the red output."""
    found, missing = ledger({
        ("r1", "checks/checks.json"): report("r1", "red", "green"),
        ("r1", "checks/tests-1.txt"): OUTPUT,
        ("r2", "checks/base.json"): report("r2", "green"),
    })  # fmt: skip
    (check,) = found.checks
    assert ("tests", 1, 2, ()) == (check.flake.check, check.flake.flaked, check.flake.seen, missing)
    assert (("tests/test_a.py", "test_slow[1]"),) == check.tests


def test_what_is_not_flaky_is_no_flake_and_what_is_lost_is_said() -> None:
    """A red that stays, and a paper that cannot be read: it is no answer."""
    found, missing = ledger({
        ("r1", "checks/checks.json"): report("r1", "red", "red"),
        ("r1", "checks/tests-1.txt"): OUTPUT,
        ("r2", "checks/checks.json"): b"lost",
        ("r3", "checks/checks.json"): json.dumps({}).encode(),
        ("r3", "other.json"): b"lost",
    })  # fmt: skip
    assert () == found.checks
    assert ["r2", "r3"] == [each.split(" of ")[1].split()[0] for each in missing]


def test_a_flake_whose_output_is_gone_is_known_all_the_same() -> None:
    """Without names."""
    found, missing = ledger({
        ("r1", "checks/checks.json"): report("r1", "red", "green"), ("r1", "checks/tests-1.txt"): b"lost",
    })  # fmt: skip
    assert ([()], ()) == ([each.tests for each in found.checks], missing)


def test_names_are_taken_from_pytest_alone() -> None:
    """Each once; of other runners none."""
    said = "FAILED a/test_b.py::TestC::test_d - x\nERROR a/test_b.py::test_e\n--- FAIL: TestGo\nFAILED (failures=1)\n"
    assert (("a/test_b.py", "TestC::test_d"), ("a/test_b.py", "test_e")) == failing_tests(said)
