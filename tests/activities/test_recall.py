"""What people answered to ideas: of tasks that nobody finds, and in files that have another name since (P12)."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from activities.run.asking import ASKED
from activities.run.triaging import Recall
from contracts.modes import Mode, RunKind, RunStatus
from contracts.pull_request import PullRequest
from contracts.report import IndexedRun
from contracts.rollback import Idea
from contracts.task import AskedBy, AskedTask, AskedTasks, MeasureKind
from tests.policies.sample_policy import policy

SHA = "a" * 40


def ended(number: int, tool: str = "asked", rule: str = "standing-gaps") -> IndexedRun:
    """A run of the standing task that opened a pull request."""
    idea = Idea(task_id="t", title="Test more", tool=tool, rule=rule, paths=("src/a.py",))
    return IndexedRun(
        run_id=f"r{number}", target="demo", kind=RunKind.DAILY, mode=Mode.PR_ONLY, date=f"2026-11-0{number}",
        status=RunStatus.PR_OPENED, outcome=None, task_id="t", pull_request=number, idea=idea, judged=False,
        ended_at=datetime(2026, 11, number, tzinfo=UTC),
    )  # fmt: skip


def pull(number: int, state: str) -> PullRequest:
    """What became of it."""
    return PullRequest(
        number=number, branch=f"autonomy/t{number}", base_branch="main", head_sha=SHA, title="Test more", body="",
        state=state, url="", run_key=f"r{number}/open_pull_request", task_id="t",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("states", "key", "answers"),
    [
        (("closed", "closed"), "standing-gaps", ["closed", "closed"]),
        (("merged", "merged"), "standing-gaps", ["undone", "undone"]),
        (("closed", "open"), "standing-gaps", ["closed"]),
        (("closed", "closed"), "standing-other", []),
    ],
)
def test_what_people_said_of_a_standing_task_is_heard(
    monkeypatch: pytest.MonkeyPatch, states: tuple[str, ...], key: str, answers: list[str]
) -> None:
    """Closed, or merged and taken out again; no tool finds such a task, so no finding brings it to mind."""
    monkeypatch.setattr("activities.run.triaging.on_base", lambda _session, _pull: False)
    change = SimpleNamespace(head_sha=SHA, base_sha=SHA)
    monkeypatch.setattr("activities.run.triaging.bring", lambda _bench, _repository, _run: change)
    task = AskedTask(key=key, by=AskedBy.STANDING, title="Test more", measure=MeasureKind.ACCEPTANCE)
    wanted = AskedTasks(run_id="r3", base_sha=SHA, tasks=(task,))
    pulls = tuple(pull(number, state) for number, state in enumerate(states, 1))
    session = SimpleNamespace(
        run=SimpleNamespace(run_id="r3", target="demo", date="2026-11-27"), policy=policy(),
        input=SimpleNamespace(artifacts=(SimpleNamespace(name=ASKED),), base_sha=SHA),
        load=lambda _name, _model: wanted,
        repository=SimpleNamespace(taken_out=lambda *_commits: frozenset(["src/a.py"])),
        bench=SimpleNamespace(
            forges=lambda _target: SimpleNamespace(pull_requests=lambda: pulls),
            control=SimpleNamespace(query=lambda *_asked: None),
            store=SimpleNamespace(find=lambda *_name: None),
        ),
    )  # fmt: skip
    index = SimpleNamespace(latest=lambda _count, _target: tuple(ended(number) for number in (2, 1)))
    snapshot = SimpleNamespace(open_pull_requests=(), findings=())
    memory = Recall(index).memory(session, snapshot)  # type: ignore[arg-type]  # so much of each is used
    assert answers == [each.how for each in memory.answers if each.rule == key]


LINES = b"one\ntwo\nWe recieve it.\nfour\n"


@pytest.mark.parametrize(
    ("base", "path", "refused"),
    [
        ({"docs/b.py": LINES}, "docs/b.py", True),
        ({"docs/b.py": LINES.replace(b"one", b"1")}, "docs/b.py", True),
        ({"docs/b.py": b"We recieve it.\n"}, "docs/b.py", False),
        ({"src/a.py": LINES, "docs/b.py": LINES}, "docs/b.py", False),
        ({"src/old.py": LINES}, "src/old.py", False),
    ],
    ids=["renamed", "renamed and edited", "another file", "a copy", "there before"],
)
def test_a_no_goes_with_a_file_that_is_renamed(
    monkeypatch: pytest.MonkeyPatch, base: dict[str, bytes], path: str, refused: bool
) -> None:
    """A person closed the pull request, and the file got another name: the same fix does not come again."""
    trees = {"b" * 40: {"src/a.py": LINES, "src/old.py": LINES}, SHA: base}
    monkeypatch.setattr("activities.run.triaging.on_base", lambda _session, _pull: False)
    change = SimpleNamespace(head_sha="c" * 40, base_sha="b" * 40)
    monkeypatch.setattr("activities.run.triaging.bring", lambda _bench, _repository, _run: change)
    session = SimpleNamespace(
        run=SimpleNamespace(run_id="r3", target="demo", date="2026-11-27"), policy=policy(),
        input=SimpleNamespace(artifacts=(), base_sha=SHA),
        repository=SimpleNamespace(read=lambda commit, name: trees[commit].get(name)),
        bench=SimpleNamespace(
            forges=lambda _target: SimpleNamespace(pull_requests=lambda: (pull(1, "closed"),)),
            control=SimpleNamespace(query=lambda *_asked: None),
        ),
    )  # fmt: skip
    index = SimpleNamespace(latest=lambda _count, _target: (ended(1, "codespell", "comments"),))
    found = SimpleNamespace(tool="codespell", rule="comments", path=path)
    snapshot = SimpleNamespace(open_pull_requests=(), findings=(found,))
    memory = Recall(index).memory(session, snapshot)  # type: ignore[arg-type]  # so much of each is used
    assert refused is (("codespell", "comments", path) in memory.refused)
