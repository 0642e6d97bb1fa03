"""Checks in the real sandbox: every result is told for what it is, and none but green is a yes."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import tempfile
import uuid
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from activities.run.checking import Checking, counts_of, fresh_trees, run_checks
from adapters.sandbox.bubblewrap import BubblewrapSandbox
from adapters.sandbox.interpreter import interpreter_mounts
from contracts.artifact import ArtifactRef
from contracts.evidence import CheckStatus
from policies.settings.schema import CheckKind, CheckPolicy, SandboxLimits
from ports.environments import CheckEnvironment
from ports.sandbox import SandboxUnavailable

PYTHON = Path(sys.executable).resolve()
LIMITS = SandboxLimits(seconds=20, memory_mb=512, processes=64, file_mb=16, output_kb=64)


@dataclass
class Desk:
    """A tree, where outputs go, and how the checks are run."""

    tree: Path
    host: Path
    """Shown inside, read-only, at ``/opt/host``: what differs between attempts."""
    outputs: dict[str, bytes] = field(default_factory=dict)
    fresh_trees: int = 0
    sandbox: object = field(default_factory=BubblewrapSandbox)

    @contextmanager
    def fresh(self):
        self.fresh_trees += 1
        (self.host / "attempt").write_text(str(self.fresh_trees))
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "tree"
            shutil.copytree(self.tree, copy)
            yield copy

    def save(self, name: str, body: bytes) -> ArtifactRef:
        self.outputs[name] = body
        digest = hashlib.sha256(body).hexdigest()
        return ArtifactRef(name=name, sha256=digest, size=len(body), media_type="text/plain", location=digest)

    def check(self, *argv: str, base_counts: dict[str, int] | None = None, alive=lambda: None, **settings):
        check = CheckPolicy(name="it", argv=argv, **{"kind": CheckKind.TESTS, **settings})
        environment = CheckEnvironment(
            digest="0" * 64, path=self.host, guest="/opt/host", read_only=interpreter_mounts(PYTHON)
        )
        return run_checks(
            (check,),
            Checking(
                fresh=self.fresh,
                environment=environment,
                sandbox=self.sandbox,
                limits=LIMITS,
                save=self.save,
                alive=alive,
                base_counts=base_counts,
            ),
        )[0]

    def sh(self, script: str, **settings):
        return self.check("/bin/sh", "-c", script, **settings)

    def findings(self, document: object, base: int | None, **settings):
        """A scanner that prints a document, judged against a base."""
        text = document if isinstance(document, str) else json.dumps(document)
        (self.tree / "findings").write_text(text)
        counts = {} if base is None else {"it": base}
        given = {"kind": CheckKind.SECURITY, "judge": "not_worse", "count": "json_results", "base_counts": counts}
        return self.sh("cat findings; exit 1", **{**given, **settings})


@pytest.fixture
def desk(tmp_path):
    (tmp_path / "tree").mkdir()
    (tmp_path / "host").mkdir()
    return Desk(tmp_path / "tree", tmp_path / "host")


def summary(result):
    return (result.status, [attempt.status for attempt in result.attempts])


def test_green_runs_once(desk):
    """Exit status 0 is green; the output is kept as an artifact."""
    result = desk.sh("echo fine")
    assert (CheckStatus.GREEN, [CheckStatus.GREEN]) == summary(result)
    assert {"checks/it-1.txt": b"fine\n"} == desk.outputs
    assert "checks/it-1.txt" == result.attempts[0].output.name


def test_red_runs_twice_and_stays_red(desk):
    """Red is confirmed once on a fresh tree; both attempts and outputs are kept."""
    result = desk.sh("echo broken; exit 3")
    assert (CheckStatus.RED, [CheckStatus.RED, CheckStatus.RED]) == summary(result)
    assert ["checks/it-1.txt", "checks/it-2.txt"] == sorted(desk.outputs)
    assert (3, "exit 3") == (result.attempts[0].exit_code, result.attempts[0].detail)


def test_red_then_green_is_flaky(desk):
    """A different second result on the same tree is flaky, never green."""
    result = desk.sh('test "$(cat /opt/host/attempt)" = 2')
    assert (CheckStatus.FLAKY, [CheckStatus.RED, CheckStatus.GREEN]) == summary(result)


def test_red_then_timeout_stays_red(desk):
    """A second attempt that gives no answer does not weaken the first."""
    result = desk.sh('test "$(cat /opt/host/attempt)" = 1 && exit 1; sleep 100', seconds=1)
    assert (CheckStatus.RED, [CheckStatus.RED, CheckStatus.TIMEOUT]) == summary(result)


def test_attempts_do_not_see_each_other(desk):
    """Each attempt has its own copy of the tree."""
    result = desk.sh("test -e left && exit 0; touch left; exit 1")
    assert CheckStatus.RED is result.status
    assert [] == list(desk.tree.iterdir())


def test_timeout_is_not_a_result(desk):
    """Too long is TIMEOUT, once, without an exit status; all processes are gone."""
    marker = f"marker-{uuid.uuid4()}"
    result = desk.check("/bin/sh", "-c", "trap '' TERM; sleep 1000", marker, seconds=1)
    assert (CheckStatus.TIMEOUT, [CheckStatus.TIMEOUT]) == summary(result)
    assert result.attempts[0].exit_code is None
    assert [] == [p for p in Path("/proc").glob("[0-9]*/cmdline") if marker.encode() in read(p)]


def read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_a_check_cannot_have_more_time_than_the_policy(desk):
    """A check's own limit only tightens."""
    limits = LIMITS.model_copy(update={"seconds": 1})
    check = CheckPolicy(name="it", kind=CheckKind.TESTS, argv=("sleep", "5"), seconds=100)
    environment = CheckEnvironment(digest="", path=desk.host, guest="/opt/host")
    checking = Checking(desk.fresh, environment, desk.sandbox, limits, desk.save, lambda: None, {})
    assert CheckStatus.TIMEOUT is run_checks((check,), checking)[0].status


@pytest.mark.parametrize(("script", "word"), [("yes", "output"), ("exec {python} -c '{hog}'", "memory")])
def test_taking_too_much_is_red(desk, script, word):
    """A flood or a memory hog is the commit's fault, and is told as such."""
    hog = 'import os; [os.fork() for _ in range(3)]; x = bytearray(b"x") * 200000000; __import__("time").sleep(99)'
    result = desk.sh(script.format(python=PYTHON, hog=hog))
    assert CheckStatus.RED is result.status
    assert word in result.attempts[0].detail


def test_output_is_capped(desk):
    """The artifact of a flood is small."""
    desk.sh("head -c 3000000 /dev/zero")
    assert len(desk.outputs["checks/it-1.txt"]) < 70_000


def test_missing_program_is_infrastructure(desk):
    """What could not be started says nothing about the commit, and what to do."""
    result = desk.check("no-such-tool", "--check")
    assert CheckStatus.INFRASTRUCTURE is result.status
    assert "no-such-tool" in result.attempts[0].detail
    assert "environment.packages" in result.attempts[0].detail


def test_missing_sandbox_is_infrastructure(desk):
    """No sandbox: the check did not run, and says so."""

    class Missing:
        def run(self, command, alive):
            raise SandboxUnavailable("install bubblewrap")

    desk.sandbox = Missing()
    result = desk.sh("true")
    assert (CheckStatus.INFRASTRUCTURE, "install bubblewrap") == (result.status, result.attempts[0].detail)


def test_no_tests_is_red(desk):
    """Nothing collected by pytest is no success."""
    (desk.tree / "pytest").write_text("#!/bin/sh\nexit 5\n")
    (desk.tree / "pytest").chmod(0o755)
    result = desk.check("./pytest", "-q")
    assert (CheckStatus.RED, "pytest found no tests (exit 5)") == (result.status, result.attempts[0].detail)


def test_cancelled_check_goes_up(desk):
    """A cancelled activity is no result."""

    def cancelled() -> None:
        raise InterruptedError("cancelled")

    with pytest.raises(InterruptedError):
        desk.sh("sleep 100", alive=cancelled)


@pytest.mark.parametrize(
    ("document", "base", "status", "count"),
    [
        ([1, 2], 2, CheckStatus.GREEN, 2),
        ([1, 2], 3, CheckStatus.GREEN, 2),
        ([1, 2, 3], 2, CheckStatus.RED, 3),
        ([], 0, CheckStatus.GREEN, 0),
        ({"results": [1], "errors": []}, 1, CheckStatus.GREEN, 1),
        ({"results": [], "errors": [1, 2]}, 1, CheckStatus.RED, 2),
        ({"errors": [1]}, 1, CheckStatus.GREEN, 1),
        ([1], None, CheckStatus.INFRASTRUCTURE, 1),
        ("not json", 5, CheckStatus.INFRASTRUCTURE, None),
        ("", 5, CheckStatus.INFRASTRUCTURE, None),
        ("7", 5, CheckStatus.INFRASTRUCTURE, None),
        ({"other": []}, 5, CheckStatus.INFRASTRUCTURE, None),
        ({"results": 3}, 5, CheckStatus.INFRASTRUCTURE, None),
        ("[" * 100_000, 5, CheckStatus.INFRASTRUCTURE, None),
        ([["x" * 1000]] * 100, 500, CheckStatus.INFRASTRUCTURE, None),
    ],
)
def test_not_worse_than_the_base(desk, document, base, status, count):
    """No more findings than the base is green; not knowing one of the numbers is never yes."""
    result = desk.findings(document, base)
    assert (status, count, base) == (result.status, result.attempts[0].count, result.base_count)


def test_lines_are_counted(desk):
    """Empty lines are no findings."""
    assert CheckStatus.GREEN is desk.findings("a\n\nb\n", 2, count="lines").status
    assert CheckStatus.RED is desk.findings("a\nb\nc\n", 2, count="lines").status


def test_scanner_that_failed_is_infrastructure(desk):
    """Exit 2: the tool itself broke, so few findings mean nothing."""
    (desk.tree / "findings").write_text("[]")
    settings = {"judge": "not_worse", "count": "json_results", "base_counts": {"it": 9}}
    assert CheckStatus.INFRASTRUCTURE is desk.sh("cat findings; exit 2", **settings).status


def test_not_worse_without_a_way_to_count_is_infrastructure(desk):
    """A check that cannot be compared cannot say yes."""
    assert CheckStatus.INFRASTRUCTURE is desk.findings([], 9, count="none").status


def test_the_base_is_measured(desk):
    """On the base itself the count is the measure, for the change to be judged by."""
    result = desk.findings([1, 2, 3], 0, base_counts=None)
    assert (CheckStatus.GREEN, {"it": 3}) == (result.status, counts_of((result,)))


def test_no_attempt_gets_a_tree_that_another_ran_in(tmp_path: Path) -> None:
    """The checkout that the package was built from, by copy, goes to the first attempt; each other gets its own."""
    made = [tmp_path / str(number) for number in range(4)]
    more = iter(made[1:])

    fresh = fresh_trees(made[0], lambda: nullcontext(next(more)))

    got = []
    for _ in made:
        with fresh() as tree:
            got.append(tree)
    assert got == made
