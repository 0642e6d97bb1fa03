"""Work trees of killed workers do not pile up, and those in use stay."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from activities.work_folder import work_folder
from settings import ROOT

DIE_INSIDE = """
import os, signal, sys
from pathlib import Path
from activities.work_folder import work_folder
with work_folder(Path(sys.argv[1]), "code") as tree:
    (tree / "file").touch()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_folder_is_empty_and_gone_afterwards(tmp_path: Path) -> None:
    """Also when it is full by then."""
    with work_folder(tmp_path, "check") as tree:
        assert [] == list(tree.iterdir())
        (tree / "deep").mkdir()
        (tree / "deep" / "file").touch()
    assert [] == list(tmp_path.iterdir())


def test_the_folder_of_a_killed_worker_goes_and_those_in_use_stay(tmp_path: Path) -> None:
    """The next step cleans up, on whatever worker."""
    with work_folder(tmp_path, "review") as used:
        subprocess.run([sys.executable, "-c", DIE_INSIDE, str(tmp_path)], cwd=ROOT, check=False)
        assert 2 == len(list(tmp_path.iterdir()))
        with work_folder(tmp_path, "check") as tree:
            assert {used, tree} == set(tmp_path.iterdir())
