"""Checks of a change that decides its own environment: prepared again from the merge result, and said (P6)."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from activities.run.checking import CheckRunner
from adapters.environments.wheels import WheelEnvironments
from adapters.sandbox.bubblewrap import BubblewrapSandbox
from contracts.artifact import ArtifactRef
from contracts.evidence import ChecksReport, CheckStatus
from policies.settings.schema import CheckKind, CheckPolicy
from ports.environments import EnvironmentUnavailable
from tests.adapters.test_check_environments import quiet
from tests.adapters.test_prepared_environments import prepared_by, repository  # noqa: F401  # a fixture

PREPARE = "test -e broken && exit 1; test -e busy && echo 429 Too Many Requests && exit 1; cp lock /env/lock"


@pytest.fixture
def desk(tmp_path, repository):  # noqa: F811
    """A session as the check step has it: outputs by name, folders, one check that compares what it runs with."""
    outputs: dict[str, bytes] = {}

    def save(name, body, media_type):
        outputs[name] = body
        digest = hashlib.sha256(body).hexdigest()
        return ArtifactRef(name=name, sha256=digest, size=len(body), media_type=media_type, location=digest)

    @contextmanager
    def folder(kind):
        made = tmp_path / f"{kind}-{len(list(tmp_path.iterdir()))}"
        made.mkdir()
        yield made

    policy = prepared_by(PREPARE)
    check = CheckPolicy(name="same", kind=CheckKind.TESTS, argv=("cmp", "lock", "/env/lock"))
    policy = policy.model_copy(update={"target": policy.target.model_copy(update={"checks": (check,)})})
    return SimpleNamespace(
        repository=repository,
        policy=policy,
        alive=quiet,
        save=save,
        bench=SimpleNamespace(folder=folder),
        outputs=outputs,
    )


def on_merge(desk, tmp_path, files) -> ChecksReport:
    base = desk.repository.commit({"lock": "1", "source": "a"})
    merged = desk.repository.commit(files)
    runner = CheckRunner(WheelEnvironments(tmp_path / "root", BubblewrapSandbox()), BubblewrapSandbox())
    of_base = runner.after_merge(desk, base, "base")
    assert of_base.results[0].status is CheckStatus.GREEN
    return runner.on_merge(desk, merged, merged, of_base)


@pytest.mark.parametrize(
    ("files", "again", "status", "says"),
    [
        ({"source": "b"}, (), CheckStatus.GREEN, ""),
        ({"lock": "2"}, ("lock",), CheckStatus.GREEN, ""),
        ({"lock": "2", "broken": ""}, ("lock",), CheckStatus.RED, "not run: `prepare` 1 of 1"),
        ({"lock": "2", "busy": ""}, ("lock",), CheckStatus.INFRASTRUCTURE, "try again later"),
    ],
)
def test_a_change_of_what_decides_is_checked_with_what_it_asks_for(desk, tmp_path, files, again, status, says):
    """What cannot be prepared is the change's own red, the network's trouble is nobody's; both keep their records."""
    report = on_merge(desk, tmp_path, files)
    assert (again, status) == (report.prepared_again, report.results[0].status)
    assert says in report.results[0].attempts[-1].detail
    assert {"checks/environment-prepare.txt", "checks/environment-network.jsonl"} <= set(desk.outputs)


def test_a_base_that_cannot_be_prepared_is_no_result(desk, tmp_path):
    """It refuses the run, and keeps what was said."""
    base = desk.repository.commit({"lock": "1", "broken": ""})
    runner = CheckRunner(WheelEnvironments(tmp_path / "root", BubblewrapSandbox()), BubblewrapSandbox())
    with pytest.raises(EnvironmentUnavailable, match="`prepare` 1 of 1"):
        runner.after_merge(desk, base, "")
    assert "checks/base-environment-prepare.txt" in desk.outputs


def test_what_the_base_lacks_is_no_changes_red(desk, tmp_path):
    """A change that decides nothing, checked when the base's environment is gone and cannot be made again."""
    base = desk.repository.commit({"lock": "1", "source": "a"})
    merged = desk.repository.commit({"source": "b"})
    runner = CheckRunner(WheelEnvironments(tmp_path / "root", BubblewrapSandbox()), BubblewrapSandbox())
    of_base = runner.after_merge(desk, base, "base")
    desk.policy = prepared_by("exit 1")
    with pytest.raises(EnvironmentUnavailable, match="`prepare` 1 of 1"):
        runner.on_merge(desk, merged, merged, of_base)
