"""A partial clone of a private repository on a real Gitea: over http, with tokens, written to from inside the jail."""

from __future__ import annotations

from collections.abc import Callable

from forge_stages import GiteaStage
from world import git

from adapters.git.environment import ClosedGit


def test_a_partial_clone_is_pushed_and_landed(on_gitea: Callable[..., GiteaStage]) -> None:
    """Old contents stay away; a push is whole though the base moved on meanwhile; the merge lands."""
    whole = on_gitea(private=True)
    for number in range(5):
        whole.person_pushes(f"{number}\n", "main")
    target = whole.target.model_copy(update={"partial_clone": True})
    stage = GiteaStage(whole.home / "partial", target, whole.person, server=whole.server, repository=whole.repository)
    mirror = stage.mirror
    listed = ClosedGit(mirror.path).run("rev-list", "--objects", "--quiet", "--missing=print", stage.base).text
    assert 4 == len(listed.split())
    assert "remote" not in (mirror.path / "config").read_text()

    theirs = stage.person_pushes("meanwhile\n", "main")
    pull = stage.opened()
    assert stage.head == pull.head_sha
    assert theirs == mirror.fetch_base()
    effect = stage.landing(theirs)
    landed = stage.done(effect)
    assert (True, effect.tree_sha) == (landed.done, landed.tree_sha)
    git("fetch", "--quiet", "origin", cwd=stage.person)
    git("fsck", "--full", "--strict", cwd=stage.person)
    assert "better" == git("show", "origin/main:a.txt", cwd=stage.person)
