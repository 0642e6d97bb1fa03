"""What a check leaves of its coverage, and the lines of recent commits that it can speak of."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from activities.run.coverage import covered, left_by, there
from tests.activities.test_flaky_checks import AT, Papers, report


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
    """Three files: one as it was tested, one changed since, one gone."""

    files = {
        "old": {"a.py": b"1\n2\n", "b.py": b"1\n", "c.py": b"1\n"},
        "base": {"a.py": b"1\nnew\n2\nlast\n", "b.py": b"1\n2\n"},
        "c": {"a.py": b"1\nnew\n2\nlast\n", "b.py": b"1\n3\n"},
    }

    def line(self, commit: str, most: int) -> tuple[str, ...]:
        return (commit, "old")[:most]

    def changed_paths(self, before: str, base: str) -> tuple[SimpleNamespace, ...]:
        kinds = {"a.py": "M", "b.py": "M", "c.py": "D"}
        return tuple(SimpleNamespace(path=path, status=status) for path, status in kinds.items())

    def read(self, commit: str, path: str) -> bytes | None:
        return self.files[commit].get(path)


def test_lines_of_files_that_are_as_they_were_tested() -> None:
    """Of others the report speaks of other lines; where none was left there is nothing to speak of."""
    papers = {("r1", "checks/checks.json"): report("r1", "green"), ("r1", "checks/tests-coverage.txt"): b"<coverage/>"}
    index = SimpleNamespace(latest=lambda _count, _target: [SimpleNamespace(run_id="r1", ended_at=AT)])

    def look(kept: dict[tuple[str, str], bytes]):
        session = SimpleNamespace(
            bench=SimpleNamespace(store=Papers(kept)), repository=Repository(), run=SimpleNamespace(target="demo"),
            given=SimpleNamespace(base_sha="base"),
        )  # fmt: skip
        return covered(session, index)  # type: ignore[arg-type]  # of both, so much is used

    found, body = look(papers) or (None, b"")
    assert found is not None
    assert (b"<coverage/>", "tests", 1, {"a.py": (2, 4)}) == (body, found.check, found.commits, found.added)
    del papers["r1", "checks/tests-coverage.txt"]
    assert look(papers) is None
    assert look({("r1", "checks/checks.json"): b"lost", ("r1", "checks/tests-coverage.txt"): b"x"}) is None
