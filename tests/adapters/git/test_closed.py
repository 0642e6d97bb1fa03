"""What git may not do though nothing asks it to: other protocols, redirects with a token, fetches of its own accord."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from adapters.forges.http.tokens import token_environment
from adapters.git.environment import ClosedGit
from adapters.git.mirror import Mirror
from adapters.git.remotes import advance_base
from ports.repository import RepositoryError
from tests.adapters.git.conftest import Clone
from tests.adapters.test_hostile_answers import answer, serving


def test_no_other_protocol_is_spoken(mirror: Mirror) -> None:
    """Whatever address reaches git (a submodule's, an alternate's): nobody is even called."""
    mirror.fetch_base()
    with serving(lambda _: None) as (base, asked):
        place = base.removeprefix("http://")
        with pytest.raises(RepositoryError, match="transport 'git' not allowed"):
            ClosedGit(mirror.path).run("ls-remote", f"git://{place}/x", seconds=20)
    assert [] == asked


def test_a_token_follows_no_redirect(mirror: Mirror) -> None:
    """Git follows the first one of a conversation by default; with a token it goes nowhere but to its origin."""
    mirror.fetch_base()
    with serving(answer(b"")) as (other, elsewhere):
        redirect = answer(b"", f"Location: {other}/project.git/info/refs?service=git-upload-pack", status="302 Found")
        with serving(redirect) as (base, asked):
            git = ClosedGit(mirror.path, secret=token_environment("secret", base))
            with pytest.raises(RepositoryError):
                git.run("ls-remote", f"{base}/project.git", seconds=20)
        assert asked
    assert [] == elsewhere


def test_the_base_only_ever_moves_on(clone: Clone, mirror: Mirror, folder: Callable[[], Path]) -> None:
    """The last check before the push: a lease alone would let any commit replace the base."""
    base = mirror.fetch_base()
    tree = folder()
    mirror.checkout(base, tree)
    (tree / "a.txt").write_text("other\n")
    child = mirror.commit_tree(base, tree, "child")
    (tree / "a.txt").write_text("another\n")
    grandchild = mirror.commit_tree(child, tree, "grandchild")
    with pytest.raises(RepositoryError, match="is no child of"):
        advance_base(ClosedGit(mirror.path), str(clone.bare), "main", grandchild, base, 60)
    assert base == clone.git("rev-parse", "main", cwd=clone.bare)


def test_a_missing_content_is_never_fetched_by_itself(clone: Clone, tmp_path: Path) -> None:
    """Also where the mirror's own configuration names a remote that promised it: an error, not a conversation."""
    clone.git("config", "uploadpack.allowFilter", "true", cwd=clone.bare)
    mirror = Mirror(tmp_path / "partial.git", f"file://{clone.bare}", "main", partial=True)
    base = mirror.fetch_base()
    facts = {"url": f"file://{clone.bare}", "promisor": "true", "partialclonefilter": "blob:none"}
    for name, value in facts.items():
        clone.git("config", f"remote.somebody.{name}", value, cwd=mirror.path)
    clone.git("config", "core.repositoryformatversion", "1", cwd=mirror.path)
    clone.git("config", "extensions.partialClone", "somebody", cwd=mirror.path)
    git = ClosedGit(mirror.path)
    with pytest.raises(RepositoryError):
        git.run("cat-file", "blob", f"{base}:a.txt")
    assert "a.txt" in git.run("ls-tree", "--name-only", base).text
