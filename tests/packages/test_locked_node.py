"""What `init` writes for `yarn.lock`, made for real: as locked, by the yarn that wrote it, and nothing else."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from adapters.environments.wheels import WheelEnvironments
from adapters.sandbox.bubblewrap import BubblewrapSandbox
from adapters.survey.clients import Clients
from adapters.survey.surveyor import survey
from ports.environments import EnvironmentUnavailable
from tests.adapters.test_check_environments import policy, quiet
from tests.adapters.test_prepared_environments import repository  # noqa: F401  # a fixture
from tests.packages.test_dependency_updates import IS_ODD, YARN, YARN_4
from tests.packages.test_languages import LIMITS

MANIFEST = IS_ODD.replace('"license"', '"scripts": {"test": "node test.js"}, "license"')
TEST = "const {version} = require('is-odd/package.json'); if (version !== '3.0.0') throw version\n"


@pytest.mark.packages
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("locking", "digest"), [(YARN, "sha512-"), (YARN_4, "checksum: 10c0/")], ids=["yarn", "yarn-4"]
)
def test_exactly_as_locked(locking, digest, repository, tmp_path):  # noqa: F811
    """Its tests are green offline, an older version than there is.

    A manifest that asks for more than the lock file knows is no environment, and is said to contradict it; nor are
    other bytes than the lock file says.
    """
    if shutil.which("npm") is None:
        pytest.skip("left out: npm is missing on this machine")
    files = {"package.json": MANIFEST, "test.js": TEST, ".gitignore": "node_modules\n.yarn\n", "yarn.lock": ""}
    repository.commit(files)
    subprocess.run(locking, cwd=repository.path, check=True, capture_output=True)
    base = repository.commit({})
    seen = survey(repository, base, Clients())
    environments = WheelEnvironments(tmp_path / "root", BubblewrapSandbox())
    chosen = policy(**dict(seen.environment))
    made = environments.prepare(repository, base, chosen, quiet)
    tree = tmp_path / "tree"
    tree.mkdir()
    repository.checkout(base, tree)
    [tests] = seen.checks
    result = BubblewrapSandbox().run(made.command(tests.argv, tree, LIMITS), quiet)
    assert 0 == result.exit_code, result.output.decode()
    lock = (repository.path / "yarn.lock").read_text()
    before, _, after = lock.rpartition(digest)
    other = repository.commit({"yarn.lock": f"{before}{digest}{'A' * 4}{after[4:]}"})
    with pytest.raises(EnvironmentUnavailable, match="not what the lock file says"):
        environments.prepare(repository, other, chosen, quiet)
    apart = repository.commit({"yarn.lock": lock, "package.json": MANIFEST.replace("3.0.0", "^3.0.1")})
    with pytest.raises(EnvironmentUnavailable, match="contradicts the manifest"):
        environments.prepare(repository, apart, chosen, quiet)
