"""What `init` writes for `poetry.lock` and `pdm.lock`, made for real: as locked, a source distribution built inside."""

from __future__ import annotations

import subprocess

import pytest

from adapters.environments.wheels import WheelEnvironments
from adapters.sandbox.bubblewrap import BubblewrapSandbox
from adapters.survey.clients import Clients
from adapters.survey.surveyor import survey
from ports.environments import EnvironmentUnavailable
from tests.adapters.test_check_environments import policy, quiet
from tests.adapters.test_prepared_environments import repository  # noqa: F401  # a fixture
from tests.packages.test_dependency_updates import PDM, UV, index_of_pip
from tests.packages.test_languages import LIMITS

PYPROJECT = """[project]
name = "x"
version = "1"
requires-python = ">=3.11,<4"
dependencies = ["iniconfig==2.0.0", "sgmllib3k"]
[dependency-groups]
test = ["pytest"]
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
"""
TEST = """import importlib.metadata
import sgmllib
import x

def test_it():
    assert ("2.0.0", 1) == (importlib.metadata.version("iniconfig"), x.ONE)
"""
LOCKING = {"uv.lock": (UV, "lock"), "poetry.lock": (UV, "tool", "run", "--quiet", "poetry", "lock"), "pdm.lock": PDM}


@pytest.mark.packages
@pytest.mark.timeout(900)
@pytest.mark.parametrize("lock", LOCKING)
def test_exactly_as_locked(lock, repository, tmp_path):  # noqa: F811
    """An older version than there is, and `sgmllib3k`, of which no wheel exists; the tests are green offline.

    A manifest that asks for more than the lock file knows is no environment, and is said to contradict it.
    """
    source = index_of_pip() if lock == "poetry.lock" else ""
    repository.commit({"pyproject.toml": PYPROJECT + source, "x/__init__.py": "ONE = 1\n", "tests/test_x.py": TEST})
    subprocess.run(LOCKING[lock], cwd=repository.path, check=True, capture_output=True)
    base = repository.commit({})
    seen = survey(repository, base, Clients())
    assert (lock,) == seen.lock_files
    environments = WheelEnvironments(tmp_path / "root", BubblewrapSandbox())
    made = environments.prepare(repository, base, policy(**dict(seen.environment)), quiet)
    tests = next(check for check in seen.checks if check.name == "tests")
    tree = tmp_path / "tree"
    tree.mkdir()
    repository.checkout(base, tree)
    result = BubblewrapSandbox().run(made.command(tests.argv, tree, LIMITS), quiet)
    assert 0 == result.exit_code, result.output.decode()
    apart = PYPROJECT.replace("iniconfig==2.0.0", 'iniconfig==2.0.0", "pluggy>=1')
    later = repository.commit({"pyproject.toml": apart + source})
    with pytest.raises(EnvironmentUnavailable, match="contradicts the manifest"):
        environments.prepare(repository, later, policy(**dict(seen.environment)), quiet)
