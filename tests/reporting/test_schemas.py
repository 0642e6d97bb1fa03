"""The published JSON Schemas are those of the models."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from reporting.schemas import FOLDER, schemas, stale, write


def test_the_schemas_in_the_repository_are_current() -> None:
    """Whoever changes a contract also publishes its schema."""
    assert () == stale(), "run `python -m reporting.schemas`"


def test_json_names_are_the_runbooks() -> None:
    """A schema speaks of what is in the file: camelCase names, always all of them, and no others."""
    schema = json.loads(schemas()["task_contract.json"])

    assert {"taskId", "runId", "expectedMetricDelta"} <= set(schema["properties"])
    assert set(schema["required"]) == set(schema["properties"])
    assert schema["additionalProperties"] is False


def test_outdated_missing_and_left_over_files_are_named(tmp_path: Path) -> None:
    """Each kind of difference is found, and writing mends it."""
    write(tmp_path)
    (tmp_path / "change.json").write_text("{}")
    (tmp_path / "checks.json").unlink()
    (tmp_path / "gone.json").write_text("{}")

    assert ("change.json", "checks.json", "gone.json") == stale(tmp_path)
    write(tmp_path)
    assert () == stale(tmp_path)


def test_the_command_checks_without_writing() -> None:
    """``--check`` says yes by its exit status and touches nothing."""
    before = {path: path.stat().st_mtime_ns for path in FOLDER.iterdir()}
    done = subprocess.run([sys.executable, "-m", "reporting.schemas", "--check"], cwd=FOLDER.parents[1], check=False)

    assert 0 == done.returncode
    assert before == {path: path.stat().st_mtime_ns for path in FOLDER.iterdir()}
