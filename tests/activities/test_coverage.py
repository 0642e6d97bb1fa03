"""What a check leaves of its coverage, and the lines of recent commits that it can speak of."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from activities.run.coverage import covered, left_by, there
from contracts.evidence import ChecksReport
from tests.activities.test_flaky_checks import report


@pytest.mark.parametrize("name", ["coverage.xml", "coverage/lcov.info", "cover.out"])
def test_a_report_is_what_the_check_wrote(tmp_path: Path, name: str) -> None:
    """Not what the repository held before, and no link."""
    held = there(tmp_path)
    place = tmp_path / name
    place.parent.mkdir(exist_ok=True)
    place.write_bytes(b"<coverage/>")
    assert b"<coverage/>" == left_by(tmp_path, held)
    assert b"" == left_by(tmp_path, there(tmp_path))


def test_no_link_is_followed_and_nothing_waited_for(tmp_path: Path) -> None:
    """Neither to a file or a folder elsewhere, nor into a pipe; nor is a flood read."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "lcov.info").write_text("SF:secret")
    (tmp_path / "tree" / "coverage.xml").symlink_to(tmp_path / "lcov.info")
    (tmp_path / "tree" / "coverage").symlink_to(tmp_path)
    (tmp_path / "tree" / "cover.out").mkdir()
    with (tmp_path / "tree" / "coverage.out").open("wb") as file:
        file.truncate(9_000_000)
    assert b"" == left_by(tmp_path / "tree", frozenset())


class Repository:
    """Three files: one changed since, one binary, one gone."""

    files = {
        "old": {"a.py": b"1\n2\n", "b.png": b"\0", "c.py": b"1\n"},
        "base": {"a.py": b"1\nnew\n2\nlast\n", "b.png": b"\0\0"},
    }

    def line(self, commit: str, most: int) -> tuple[str, ...]:
        return (commit, "old")[:most]

    def changed_paths(self, before: str, base: str) -> tuple[SimpleNamespace, ...]:
        kinds = {"a.py": "M", "b.png": "M", "c.py": "D"}
        return tuple(SimpleNamespace(path=path, status=status) for path, status in kinds.items())

    def read(self, commit: str, path: str) -> bytes | None:
        return self.files[commit].get(path)


@pytest.mark.parametrize("left", [True, False])
def test_lines_of_recent_commits_beside_what_a_check_of_the_base_left(left: bool) -> None:
    """From the first run on; where none left anything there is nothing to speak of."""
    checked = ChecksReport.model_validate_json(report("r1", "green"))
    result, ref = checked.results[0], checked.results[0].attempts[0].output
    assert ref is not None
    ref = ref.model_copy(update={"name": "checks/base-tests-coverage.txt"})
    attempt = result.attempts[0].model_copy(update={"coverage": ref if left else None})
    checked = checked.model_copy(update={"results": (result.model_copy(update={"attempts": (attempt,)}),)})
    papers = {"checks/base.json": checked, ref.name: b"<coverage/>"}
    session = SimpleNamespace(
        repository=Repository(), run=SimpleNamespace(run_id="r1"), input=SimpleNamespace(base_sha="base"),
        load=lambda name, _model: papers[name], load_bytes=papers.get,
    )  # fmt: skip
    found = covered(session)  # type: ignore[arg-type]  # so much of it is used
    assert (found is not None) is left
    if found:
        look, body = found
        assert (b"<coverage/>", "tests", 1, {"a.py": (2, 4)}) == (body, look.check, look.commits, look.added)
