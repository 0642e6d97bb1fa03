"""A world whose targets live on the GitHub double, behind Prism: the daily run as people there see it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gitea_world import Hosted
from github_server import GitHubServer


class HostedOnGitHub(Hosted):
    """One target's repository on the double; a person's deeds there are the same."""

    server: GitHubServer  # type: ignore[assignment]

    @property
    def folder(self) -> Path:
        """The double's own bare repository."""
        return self.server.repositories[self.repository].place

    def ask(self, method: str, path: str, **content: Any) -> Any:
        """Something of the owner's; it must succeed."""
        answer = self.server.ask(method, f"/repos/{self.repository}{path}", **content)
        assert answer.status < 300, answer
        return answer.content
