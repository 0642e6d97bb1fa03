"""The embedded forge: a pull request's state is what the remote's branches say."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from adapters.effects.local_records import open_record, read_records
from adapters.forges.local import LocalForge, forge_folder, open_local_forge
from adapters.git.environment import ClosedGit
from adapters.git.mirror import open_mirror
from contracts.effect import Effect
from contracts.modes import WriteAction
from contracts.pull_request import PullRequest
from policies.settings.schema import ReviewStamp, Target
from ports.forge import ForgeError

BRANCH = "autonomy/demo/1"
PERSON = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    **{f"GIT_{who}_{what}": "p@localhost" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    "PATH": os.environ["PATH"],
}
Person = Callable[..., str]


@pytest.fixture
def person(tmp_path: Path) -> Person:
    """A person's clone with a pushed base and a pushed branch."""
    clone = tmp_path / "clone"
    clone.mkdir()

    def git(*arguments: str) -> str:
        done = subprocess.run(["git", *arguments], cwd=clone, env=PERSON, capture_output=True, check=True, timeout=60)
        return done.stdout.decode().strip()

    git("init", "--quiet", "--bare", "-b", "main", str(tmp_path / "remote.git"))
    git("init", "--quiet", "-b", "main")
    git("remote", "add", "origin", str(tmp_path / "remote.git"))
    git("commit", "--quiet", "--allow-empty", "-m", "first")
    git("push", "--quiet", "origin", "main")
    git("commit", "--quiet", "--allow-empty", "-m", "change")
    git("push", "--quiet", "origin", f"main:refs/heads/{BRANCH}")
    return git


@pytest.fixture
def forge(person: Person, tmp_path: Path) -> LocalForge:
    """The forge with one recorded pull request."""
    review = ReviewStamp(on=date(2026, 1, 1), by="p")
    target = Target(name="demo", remote=str(tmp_path / "remote.git"), base_branch="main", review=review)
    record(tmp_path, "pulls", 1, person("rev-parse", "main"))
    opened = open_local_forge(tmp_path, tmp_path / "mirrors")(target)
    assert isinstance(opened, LocalForge)
    open_mirror(tmp_path / "mirrors")(target).fetch_base()
    return opened


def record(home: Path, kind: str, number: int, head: str) -> None:
    folder = forge_folder(home, "demo") / kind
    folder.mkdir(parents=True, exist_ok=True)
    shown = PullRequest(
        number=number,
        branch=BRANCH,
        base_branch="main",
        head_sha=head,
        title="t",
        body="b",
        state="open",
        url="file:///x",
        run_key=f"run-{number}/release",
    )
    (folder / f"{number}.json").write_text(shown.model_dump_json())


def state(forge: LocalForge) -> str:
    found = forge.find_pull_request("run-1/release")
    assert found is not None
    return found.state


def test_it_is_open_while_its_branch_is_there(forge: LocalForge, person: Person) -> None:
    """Open, and showing where the branch stands now."""
    assert "open" == state(forge)
    person("commit", "--quiet", "--allow-empty", "-m", "a person's fix")
    person("push", "--quiet", "origin", f"main:refs/heads/{BRANCH}")
    assert ("open", person("rev-parse", "main")) == (state(forge), forge.pull_requests()[0].head_sha)


def test_it_is_merged_once_the_base_holds_it(forge: LocalForge, person: Person) -> None:
    """Merged by a person, seen without being told; still so when the branch is deleted."""
    person("push", "--quiet", "origin", "main:refs/heads/main")
    assert "merged" == state(forge)
    person("push", "--quiet", "origin", f":refs/heads/{BRANCH}")
    assert "merged" == state(forge)


def test_it_is_closed_when_its_branch_is_deleted(forge: LocalForge, person: Person) -> None:
    """A person's way to say no on a bare repository."""
    person("push", "--quiet", "origin", f":refs/heads/{BRANCH}")
    assert "closed" == state(forge)
    assert forge.branch_head(BRANCH) is None


def test_the_newest_comes_first_and_an_unknown_key_is_none(forge: LocalForge, tmp_path: Path) -> None:
    """Ten comes before nine before two; a half-written record is not one."""
    for number in (2, 10, 9):
        record(tmp_path, "pulls", number, "a" * 40)
    (forge_folder(tmp_path, "demo") / "pulls" / ".new").write_text("{")
    assert [10, 9, 2, 1] == [pull.number for pull in forge.pull_requests()]
    assert forge.find_pull_request("other") is None
    assert () == forge.tickets()


def test_it_has_no_ci(forge: LocalForge) -> None:
    """None, neither green nor red."""
    assert forge.required_checks("a" * 40) is None


def test_a_damaged_record_is_an_error(forge: LocalForge, tmp_path: Path) -> None:
    """Nothing is concluded from what cannot be read."""
    (forge_folder(tmp_path, "demo") / "pulls" / "2.json").write_text("{")
    with pytest.raises(ForgeError, match="cannot be read"):
        forge.pull_requests()


def test_a_list_opens_the_records_that_it_shows(forge: LocalForge, tmp_path: Path, person: Person) -> None:
    """The newest, one by its number, those whose branch is there: none of them parses the others."""
    folder = forge_folder(tmp_path, "demo") / "pulls"
    for number in range(2, 1000):
        (folder / f"{number}.json").write_text("{")
    record(tmp_path, "pulls", 1000, person("rev-parse", "main"))

    assert [1000] == [pull.number for pull in forge.newest(1)]
    assert [1000, 1] == [pull.number for pull in forge.open_ones()]
    assert "open" == getattr(forge.pull_request(1), "state", None)
    assert forge.pull_request(1001) is None
    with pytest.raises(ForgeError, match="cannot be read"):
        forge.newest(2)


def test_an_unreachable_remote_is_an_error(forge: LocalForge, tmp_path: Path) -> None:
    """Not closed, not open: unknown."""
    (tmp_path / "remote.git").rename(tmp_path / "gone.git")
    with pytest.raises(ForgeError, match="cannot be reached"):
        forge.pull_requests()


def test_a_record_that_goes_on_is_read_again_when_it_is_another_file(forge: LocalForge, tmp_path: Path) -> None:
    """Also one of the same size and time; what is not asked for is not even opened."""
    folder = forge_folder(tmp_path, "demo") / "pulls"
    assert ["t"] == [each.title for each in forge.pull_requests()]
    time = (folder / "1.json").stat().st_mtime_ns
    (folder / "new").write_text((folder / "1.json").read_text().replace('"title":"t"', '"title":"u"'))
    os.utime(folder / "new", ns=(time, time))
    (folder / "new").replace(folder / "1.json")
    assert ["u"] == [each.title for each in forge.pull_requests()]
    (folder / "1.json").write_text((folder / "1.json").read_text().replace('"title":"u"', '"title":"longer"'))
    assert ["longer"] == [each.title for each in forge.pull_requests()]


class Counted:
    """What is opened below a folder, and what git is asked, while ``on``."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
        self.opened: list[str] = []
        self.asked: list[tuple[str, int]] = []
        self.on = False

        def hook(event: str, arguments: tuple[object, ...]) -> None:
            if self.on and event == "open" and str(arguments[0]).startswith(str(folder)):
                self.opened.append(Path(str(arguments[0])).name)

        # For the life of the process: silent while it is off.
        sys.addaudithook(hook)
        run = ClosedGit.run

        def counted(git: ClosedGit, *arguments: str, **more: Any) -> Any:
            if self.on:
                self.asked.append((arguments[0], len(arguments) + (more.get("stdin") or b"").count(b"\n")))
            return run(git, *arguments, **more)

        monkeypatch.setattr(ClosedGit, "run", counted)

    def during(self, act: Callable[[], object]) -> tuple[list[str], list[tuple[str, int]]]:
        self.opened, self.asked, self.on = [], [], True
        try:
            act()
        finally:
            self.on = False
        return sorted(self.opened), self.asked


@pytest.fixture
def counted(forge: LocalForge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Counted:
    """Beside the open one, a hundred whose branches are gone."""
    folder = forge_folder(tmp_path, "demo") / "pulls"
    for number in range(2, 102):
        ended = {"branch": f"autonomy/gone/{number}", "head_sha": f"{number:040x}"}
        shown = read_records(folder)[-1].model_copy(update={"number": number, "run_key": f"run-{number}/r"} | ended)
        (folder / f"{number}.json").write_text(shown.model_dump_json())
    os.utime(folder, ns=(1, 1))
    assert ["closed"] * 100 == [pull.state for pull in forge.pull_requests()][:100]
    return Counted(monkeypatch, folder)


def test_a_look_costs_what_goes_on_and_not_what_has_ended(
    counted: Counted, forge: LocalForge, person: Person, tmp_path: Path
) -> None:
    """No file of an ended one is opened, none of their heads is looked up; the base that moved is read once."""
    opened, asked = counted.during(forge.pull_requests)
    assert ([], True) == (opened, len(asked) <= 4), (opened, asked)
    assert max(size for _, size in asked) <= 5, asked
    record(tmp_path, "pulls", 200, "a" * 40)
    opened, asked = counted.during(forge.pull_requests)
    assert ["200.json"] == opened
    person("push", "--quiet", "origin", "main:refs/heads/main")
    opened, asked = counted.during(forge.pull_requests)
    assert ([], True) == ([name for name in opened if name.endswith(".json")], len(asked) <= 9), (opened, asked)
    assert "merged" == {pull.number: pull.state for pull in forge.pull_requests()}[1]
    opened, asked = counted.during(forge.pull_requests)
    assert ([], True) == (opened, max(size for _, size in asked) <= 5), (opened, asked)


def test_what_has_ended_goes_on_when_the_repository_says_so(forge: LocalForge, person: Person) -> None:
    """Its branch is back, the base holds it after all, or holds it no more: never kept longer than it is true."""

    def shown() -> str:
        return forge.pull_requests()[0].state

    head = person("rev-parse", "main")
    person("push", "--quiet", "origin", f":refs/heads/{BRANCH}")
    assert ["closed", "closed"] == [shown(), shown()]
    person("push", "--quiet", "origin", f"main:refs/heads/{BRANCH}")
    assert "open" == shown()
    person("push", "--quiet", "origin", f":refs/heads/{BRANCH}")
    assert "closed" == shown()
    person("push", "--quiet", "origin", f"{head}:refs/heads/main")
    assert ["merged", "merged"] == [shown(), shown()]
    person("push", "--quiet", "--force", "origin", f"{head}~1:refs/heads/main")
    assert "closed" == shown()


def test_a_write_finds_its_record_among_many_without_opening_them(counted: Counted, tmp_path: Path) -> None:
    """By the list beside them, brought up to date by whoever opens one; what it lacks is looked at itself."""
    folder = forge_folder(tmp_path, "demo") / "pulls"
    known = read_records(folder, "run-7/r")
    effect = Effect(
        action=WriteAction.OPEN_PULL_REQUEST, run_key="run-300/r", run_id="run-300", task_id="t", branch="autonomy/n",
        base_branch="main", head_sha="b" * 40, base_sha="c" * 40, title="t", body="b",
    )  # fmt: skip
    assert "102" == open_record(folder, effect, look_only=False, obstacle=str).result
    opened, _ = counted.during(lambda: open_record(folder, effect, look_only=False, obstacle=str))
    assert {"102.json", "opened.jsonl", ".lock"} >= set(opened)
    opened, _ = counted.during(lambda: read_records(folder, "run-7/r"))
    assert ({"7.json", "102.json", "opened.jsonl"} >= set(opened), known) == (True, read_records(folder, "run-7/r"))
    for damage in (b"", b"\0\0\0\n", (folder / "opened.jsonl").read_bytes()[:-9]):
        (folder / "opened.jsonl").write_bytes(damage)
        assert known == read_records(folder, "run-7/r")
        assert open_record(folder, effect, look_only=False, obstacle=str).adopted
        assert known == read_records(folder, "run-7/r")
