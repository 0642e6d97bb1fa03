"""Pull requests of ours that nobody can merge any more, and of which nothing is left to mend."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from activities.run import open_pulls
from contracts.pull_request import PullRequest
from contracts.task import MeasureKind, Scope, UnreadFile
from ports.measures import Detection
from ports.repository import MergeResult, RepositoryError, Unrelated
from tests.policies.sample_policy import policy

SHA = "a" * 40
PULL = PullRequest(
    number=1, branch="autonomy/t", base_branch="main", head_sha=SHA, title="Fix it", body="", state="open", url="",
    run_key="r1/open_pull_request", task_id="t",
)  # fmt: skip
CONFLICT = MergeResult("", "", ("a.md",))
CLEAN = MergeResult(SHA, SHA, ())
REWRITTEN = "main was rewritten since, and has no history in common with it"


def seen(*paths: str, rule: str = "docs", missing: tuple[str, ...] = (), unread: tuple[str, ...] = ()) -> Detection:
    """What the tools found on the base."""
    findings = tuple(SimpleNamespace(tool="codespell", rule=rule, path=path) for path in paths)
    files = tuple(UnreadFile(tool="codespell", path=path, reason="no text") for path in unread)
    return Detection(findings, 3, missing, files)  # type: ignore[arg-type]  # so much of each is used


@pytest.mark.parametrize(
    ("on_base", "merged", "state", "reported", "over"),
    [
        (seen(), CONFLICT, "open", True, True),
        (seen("b.md"), CONFLICT, "open", True, True),
        (seen("a.md", rule="comments"), CONFLICT, "open", True, True),
        (seen("a.md"), CONFLICT, "open", True, False),
        (seen(), CLEAN, "open", True, False),
        (seen(), CONFLICT, "closed", True, False),
        (seen(), CONFLICT, "open", False, False),
        (seen(missing=("codespell: no look",)), CONFLICT, "open", True, False),
        (seen(unread=("a.md",)), CONFLICT, "open", True, False),
        (seen(), RepositoryError("somebody pushed to the branch"), "open", True, False),
    ],
    ids=[
        "mended otherwise", "left in another file", "another rule", "still there", "can be merged", "closed already",
        "its run goes on", "the tool did not look", "a file was not read", "not ours",
    ],
)  # fmt: skip
def test_a_pull_request_that_has_outlived_what_it_mends(
    monkeypatch: pytest.MonkeyPatch,
    on_base: Detection,
    merged: MergeResult | RepositoryError,
    state: str,
    reported: bool,
    over: bool,
) -> None:
    """A person mended it in words of their own, or took the file away: it can never be merged."""
    monkeypatch.setattr(open_pulls, "bring", lambda _bench, _repository, _run: None)
    scope = Scope(allowed_paths=("a.md",), blocked_paths=(), max_files=1, max_lines=9)
    task = SimpleNamespace(tool="codespell", rule="docs", measure=MeasureKind.FINDINGS, asked=None, scope=scope)
    monkeypatch.setattr(open_pulls.TaskContract, "model_validate_json", lambda _text: task)

    def merge(_base: str, _head: str) -> MergeResult:
        if isinstance(merged, RepositoryError):
            raise merged
        return merged

    kept = {"task_contract.json": b"", "run_report.json": b""} if reported else {"task_contract.json": b""}
    session = SimpleNamespace(
        input=SimpleNamespace(base_sha=SHA), policy=policy(), repository=SimpleNamespace(merge=merge),
        bench=SimpleNamespace(store=SimpleNamespace(find=lambda _run, name: kept.get(name), get=lambda body: body)),
    )  # fmt: skip
    pull = PULL.model_copy(update={"state": state})
    assert over is open_pulls.outlived(session, pull, on_base)  # type: ignore[arg-type]  # so much of each is used


@pytest.mark.parametrize(
    ("base", "heads", "merged", "state", "reported", "why"),
    [
        ("main", {"main"}, Unrelated("no"), "open", True, REWRITTEN),
        ("old", {"main"}, CLEAN, "open", True, "old is gone: work goes on on main"),
        ("old", {"main", "old"}, CLEAN, "open", True, ""),
        ("main", {"main"}, CLEAN, "open", True, ""),
        ("main", {"main"}, CONFLICT, "open", True, ""),
        ("main", {"main"}, RepositoryError("somebody pushed to the branch"), "open", True, ""),
        ("old", {"main"}, CLEAN, "closed", True, ""),
        ("old", {"main"}, CLEAN, "open", False, ""),
    ],
    ids=[
        "rewritten", "renamed", "both are there", "can be merged", "conflicts", "not ours", "closed already",
        "its run goes on",
    ],
)  # fmt: skip
def test_a_pull_request_whose_base_is_not_there_any_more(
    monkeypatch: pytest.MonkeyPatch,
    base: str,
    heads: set[str],
    merged: MergeResult | RepositoryError,
    state: str,
    reported: bool,
    why: str,
) -> None:
    """The base was renamed, or rewritten from its root: it can never be merged, and would keep its idea back."""
    monkeypatch.setattr(open_pulls, "bring", lambda _bench, _repository, _run: None)

    def merge(_base: str, _head: str) -> MergeResult:
        if isinstance(merged, RepositoryError):
            raise merged
        return merged

    session = SimpleNamespace(
        input=SimpleNamespace(base_sha=SHA), policy=policy(), repository=SimpleNamespace(merge=merge),
        bench=SimpleNamespace(store=SimpleNamespace(find=lambda _run, _name: b"" if reported else None)),
    )  # fmt: skip
    pull = PULL.model_copy(update={"state": state, "base_branch": base})
    assert why == open_pulls.baseless(session, pull, dict.fromkeys(heads, SHA))  # type: ignore[arg-type]  # likewise
