"""The branch a remote calls its own: seen when it moves away from the one changes go to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from adapters.git.mirror import Mirror
from ports.repository import RepositoryError

if TYPE_CHECKING:
    from conftest import Clone


def test_a_renamed_default_branch_is_noticed(clone: Clone, mirror: Mirror) -> None:
    """HEAD first names the base, then another branch; the base is still fetched while it is there."""
    assert "main" == mirror.default_branch()
    clone.git("branch", "-m", "main", "trunk", cwd=clone.bare)
    clone.git("push", "--quiet", "origin", "HEAD:refs/heads/main")
    assert "trunk" == mirror.default_branch()
    assert clone.git("rev-parse", "HEAD") == mirror.fetch_base()


def test_a_base_that_was_renamed_away_is_refused_by_name(clone: Clone, mirror: Mirror) -> None:
    """The refusal says which branch it probably is now."""
    mirror.fetch_base()
    clone.git("branch", "-m", "main", "trunk", cwd=clone.bare)
    with pytest.raises(RepositoryError, match=r"has no branch 'main'.*default branch is trunk: was main renamed"):
        mirror.fetch_base()


def test_a_head_that_names_nothing(clone: Clone, mirror: Mirror) -> None:
    """Detached, or of a branch without a commit: there is no default branch, and that is no error."""
    clone.git("symbolic-ref", "HEAD", "refs/heads/unborn", cwd=clone.bare)
    assert mirror.default_branch() is None
    clone.git("update-ref", "--no-deref", "HEAD", clone.git("rev-parse", "HEAD"), cwd=clone.bare)
    assert mirror.default_branch() is None


def test_a_remote_that_is_gone_is_an_error(clone: Clone, mirror: Mirror, tmp_path: Path) -> None:
    """Could not find out."""
    clone.bare.rename(tmp_path / "away.git")
    with pytest.raises(RepositoryError, match="cannot be reached"):
        mirror.default_branch()
