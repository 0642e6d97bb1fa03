"""What a remote says when it takes no push: about us, about the change, or about itself (item 34)."""

from __future__ import annotations

from pathlib import Path

import pytest
from world import git

from adapters.git.environment import ClosedGit, GitOutput
from adapters.git.remotes import Pushed, judged, push_branch
from policies.run.obstacles import cure
from policies.settings.schema import Target
from ports.repository import RepositoryError
from tests.policies.sample_policy import policy

BRANCH = "autonomy/x-1"
TARGET: Target = policy(target={"forge_access": {"account": "bot", "write": {"variable": "T"}}}).target
OURS = "let bot push to autonomy/** in the forge's branch protection"


def pushed(folder: Path, words: str) -> Pushed:
    """A real push to a remote whose hook refuses with these words."""
    remote, work = folder / "remote.git", folder / "work"
    git("init", "--quiet", "--bare", str(remote), cwd=folder)
    git("init", "--quiet", str(work), cwd=folder)
    git("commit", "--quiet", "--allow-empty", "--message=x", cwd=work)
    hook = remote / "hooks" / "pre-receive"
    hook.write_text(f"#!/bin/sh\ncat >&2 <<'END'\n{words}\nEND\nexit 1\n")
    hook.chmod(0o755)
    head = git("rev-parse", "HEAD", cwd=work)
    return push_branch(ClosedGit(work / ".git"), str(remote), BRANCH, head, "", 60)


RULES = "error: GH013: Repository rule violations found for refs/heads/autonomy/x-1.\n\n- "


@pytest.mark.parametrize(
    ("words", "advice"),
    [
        ("error: GH006: Protected branch update failed for refs/heads/autonomy/x-1.", OURS),
        ("Gitea: Not allowed to push to protected branch autonomy/x-1", OURS),
        ("Gitea: branch autonomy/x-1 is protected from force push", OURS),
        ("Gitea: branch autonomy/x-1 is protected from unverified commit 1234", OURS),
        (RULES + "Cannot create ref due to creations being restricted.", OURS),
        (RULES + "Cannot update this protected ref.", OURS),
        (RULES + "Cannot force-push to this branch", OURS),
        (RULES + "Changes must be made through a pull request.", OURS),
        (RULES + "Commits must have verified signatures.", OURS),
        (RULES + "2 of 2 required status checks are expected.", OURS),
        ("remote: fatal: write error: No space left on device", "free space on the forge, or have the quota raised"),
        (RULES + "Push cannot contain secrets\n  - GITHUB PUSH PROTECTION", ""),
        (RULES + "File huge.bin is 200.00 MB; this exceeds the limit", ""),
        ("Gitea: branch autonomy/x-1 is protected from changing file a.txt", ""),
        ("the message names no ticket", ""),
    ],
)
def test_who_may_push_where_is_no_fault_of_the_change(tmp_path: Path, words: str, advice: str) -> None:
    """Such a refusal has one cure; what is said of the contents is about the change."""
    found = pushed(tmp_path, words)
    assert (False, bool(advice)) == (found.accepted, found.of_us)
    assert not advice or advice == cure(found.reason, TARGET)


@pytest.mark.parametrize(
    ("reason", "unclear"),
    [
        ("Internal Server Error", True),
        ("unpacker error", True),
        ("Service Unavailable", True),
        ("timeout", True),
        ("pre-receive hook declined", False),
        # It compared, and somebody else was faster.
        ("failed to update ref", False),
    ],
)
def test_a_remote_that_breaks_down_has_refused_nothing(reason: str, unclear: bool) -> None:
    """GitHub says `[remote rejected] (Internal Server Error)` of itself: only looking tells, and trying again."""
    said = f"To x\n!\tabc:refs/heads/{BRANCH}\t[remote rejected] ({reason})\nDone"
    answer = GitOutput(code=1, out=said.encode(), error="error: failed to push some refs to 'x'")
    if unclear:
        with pytest.raises(RepositoryError, match="no clear answer"):
            judged(answer, "x")
    else:
        assert not judged(answer, "x").of_us
