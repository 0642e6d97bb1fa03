"""The demo's loop on real packages nobody here prepared, chosen for difference. Opt-in: ``make test-packages``."""

from __future__ import annotations

from pathlib import Path

import pytest

from composition import compose
from contracts.evidence import ChecksReport
from contracts.modes import GREEN_STATUSES, RunStatus
from contracts.report import RunReport
from demo.__main__ import perform, prepare
from demo.languages import PACKAGES as OF_LANGUAGES
from demo.languages import missing, perform_one
from demo.repository import git
from demo.source_distribution import Pin
from settings import Settings

PACKAGES = {
    "tabulate==0.9.0": "flat layout, one module, tests",
    "markupsafe==2.0.1": "src layout, a C extension",
    "pyparsing==2.4.7": "CRLF files",
    "wheel==0.37.1": "file names that are not ASCII",
    "docopt==0.6.2": "no tests, Python 2 support, set-up code only",
    "termcolor==1.1.0": "no tests, no package folder",
    "colorama==0.4.6": "flat layout, unittest style",
    "humanize==4.4.0": "src layout, version from git tags",
}


@pytest.mark.packages
@pytest.mark.timeout(600)
@pytest.mark.parametrize("package", PACKAGES, ids=list(PACKAGES.values()))
async def test_the_loop_passes(package: str, tmp_path: Path) -> None:
    """A DRY_RUN moves nothing; PR_ONLY then makes exactly its writes, or both found nothing worth doing."""
    settings, target, remote = prepare(tmp_path, Pin.parse(package))
    base = git(remote, "rev-parse", "main").strip()

    results = await perform(settings, target)

    dry, real = results
    statuses = {RunStatus.DRY_RUN_COMPLETE: RunStatus.PR_OPENED, RunStatus.NOTHING_TO_DO: RunStatus.NOTHING_TO_DO}
    assert dry.status in GREEN_STATUSES, dry.reason
    assert statuses[dry.status] is real.status
    assert base == git(remote, "rev-parse", "main").strip()
    if real.pull_request is None:
        assert [] == git(remote, "for-each-ref", "refs/heads/autonomy").splitlines()
        return
    store = compose(settings).store
    reports = [RunReport.model_validate_json(_artifact(store, one.run_id, "run_report.json")) for one in results]
    assert list(reports[0].refused_writes) == [write.planned for write in reports[1].writes]
    checks = ChecksReport.model_validate_json(_artifact(store, real.run_id, "checks/checks.json"))
    branch = f"refs/heads/{real.pull_request.branch}"
    assert checks.tree_sha == git(remote, "rev-parse", f"{branch}^{{tree}}").strip()
    # What the change did not touch is the released bytes, line ends included.
    changed = set(git(remote, "diff", "--name-only", "-z", "main", branch).split("\0")) - {""}
    assert 0 < len(changed) <= 8


@pytest.mark.packages
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("target", OF_LANGUAGES)
async def test_each_language_has_its_own_fixer_proposed(target: str, tmp_path: Path) -> None:
    """``make demo-languages``, one at a time: own tests green, offline; a pull request that its own program made."""
    if OF_LANGUAGES[target].registry in missing():
        pytest.skip(f"left out: {missing()[OF_LANGUAGES[target].registry]} is missing on this machine")
    settings = Settings(home=tmp_path / "home", policies=tmp_path / "policies")
    assert "" == await perform_one(settings, target, tmp_path / "work")


def _artifact(store: object, run_id: str, name: str) -> bytes:
    ref = store.find(run_id, name)  # type: ignore[attr-defined]
    assert ref is not None
    body: bytes = store.get(ref)  # type: ignore[attr-defined]
    return body
