"""Answers that Gitea and GitHub give in the same shape; each holds what we use and no more."""

from typing import Literal

from pydantic import BaseModel

from adapters.forges.http.ownership import Mark, read_mark
from contracts.forge_facts import PullComment
from contracts.pull_request import PullRequest


class Account(BaseModel):
    """Whoever did something."""

    login: str = ""


class Ticket(BaseModel):
    """A ticket."""

    number: int
    title: str = ""
    body: str | None = None
    state: Literal["open", "closed"]
    html_url: str = ""
    user: Account | None = None

    def shown(self, account: str) -> PullRequest:
        """As the port shows it, to the account whose tickets are ours."""
        mark = mark_of(account, self.user, self.body)
        return PullRequest(
            number=self.number,
            branch="",
            base_branch="",
            head_sha="",
            title=self.title,
            body=self.body or "",
            state=self.state,
            url=self.html_url,
            run_key=mark.run_key,
            task_id=mark.task_id,
        )


class Said(BaseModel):
    """A comment."""

    body: str | None = None
    user: Account | None = None

    def shown(self, account: str) -> PullComment:
        """As the port shows it, to the account whose comments are ours."""
        author = self.user.login if self.user else ""
        key = mark_of(account, self.user, self.body).run_key
        return PullComment(author=author, body=self.body or "", run_key=key)


def is_by(account: str, user: Account | None) -> bool:
    """Whether it was done by that account; logins are compared as the forges do."""
    return user is not None and user.login.lower() == account.lower()


def mark_of(account: str, user: Account | None, body: str | None) -> Mark:
    """The mark of what our account wrote; nobody else's counts."""
    return read_mark(body or "") if is_by(account, user) else Mark()
