"""One repository on a forge, as values: what the dialects that Gitea and GitHub speak have in common.

``/repos/<owner>/<name>`` with ``pulls``, ``issues`` and ``comments``, changed by PATCH. A forge with other words for
these overrides the method that says them.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Literal, TypeVar
from urllib.parse import quote

from pydantic import AwareDatetime, BaseModel, ValidationError

from adapters.forges.http.json_api import JsonApi, Reply
from adapters.forges.http.ownership import Mark, read_mark
from contracts.forge_facts import Issue, IssueComment, PullComment
from contracts.pull_request import PullRequest
from policies.counted import shortened
from ports.forge import ForgeError, NotShown

Shape = TypeVar("Shape", bound=BaseModel)


def shaped(model: type[Shape], content: object) -> Shape:
    """A forge's answer as a value that holds what we use of it, and no more.

    Raises:
        ForgeError: it is something else.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ForgeError(f"the forge answered no {model.__name__}: {where}: {first['msg']}") from None


class Account(BaseModel):
    """Whoever did something."""

    login: str = ""

    def is_called(self, login: str) -> bool:
        """Logins are compared as the forges do."""
        return self.login.lower() == login.lower()


class Ticket(BaseModel):
    """A ticket, or what a pull request has of one."""

    number: int
    title: str = ""
    body: str | None = None
    state: Literal["open", "closed"]
    html_url: str = ""
    user: Account | None = None
    pull_request: dict[str, Any] | None = None
    """Where it is there, this is a pull request's other face."""


class Label(BaseModel):
    """What an issue carries."""

    name: str


class LabelledTicket(Ticket):
    """A ticket with what its reader goes by."""

    labels: tuple[Label, ...] = ()
    updated_at: AwareDatetime | None = None
    comments: int = 0


class Note(BaseModel):
    """A comment."""

    body: str | None = None
    user: Account | None = None


class Permissions(BaseModel):
    """What the account behind a token may do."""

    push: bool = False


class Rights(BaseModel):
    """A repository, as far as it says who may do what."""

    archived: bool = False
    has_issues: bool = True
    permissions: Permissions | None = None


class HttpRepository(ABC):
    """Reads and writes of one repository; which of them a token may do is the forge's word."""

    def __init__(self, http: JsonApi, repository: str, account: str) -> None:
        """``account`` is the login whose pull requests, tickets and comments are ours."""
        self.http, self.name, self.account = http, repository, account
        self._root = f"/repos/{repository}"

    @abstractmethod
    def may_write(self, login: str) -> bool:
        """Whether somebody may write here. Not told is no."""

    @abstractmethod
    def our_pulls(self, branch: str = "") -> Iterator[PullRequest]:
        """Pull requests that our account opened from this repository's own branches (or one of them), newest first."""

    @abstractmethod
    def pulls_between(self, base: str, branch: str) -> Iterator[PullRequest]:
        """Pull requests from one branch of this repository to another, whoever opened them, newest first."""

    @abstractmethod
    def pull_as_shown(self, content: object) -> PullRequest:
        """A pull request of the forge's JSON, as the port shows it."""

    @abstractmethod
    def our_tickets(self) -> Iterator[PullRequest]:
        """Tickets that our account opened, newest first."""

    def _tickets(self, **query: str) -> Iterator[PullRequest]:
        """Tickets that our account opened, among those that the query finds."""
        for found in self.http.pages(f"{self._root}/issues", **query):
            ticket = shaped(Ticket, found)
            if ticket.pull_request is None and self.is_ours(ticket.user):
                yield self.ticket_as_shown(found)

    def issues(self, label: str) -> Iterator[Issue]:
        """Open issues of anybody that carry the label; pull requests are none."""
        for found in self.http.pages(f"{self._root}/issues", state="open", labels=label):
            ticket = shaped(LabelledTicket, found)
            labels = tuple(each.name for each in ticket.labels)
            # Gitea answers with every issue where no label is called so.
            carries = label.casefold() in {name.casefold() for name in labels}
            if ticket.pull_request is None and carries:
                yield Issue(
                    number=ticket.number,
                    title=shortened(ticket.title, 300),
                    body=shortened(ticket.body or "", 4000),
                    author=ticket.user.login if ticket.user else "",
                    labels=labels[:50],
                    url=ticket.html_url,
                    updated_at=ticket.updated_at,
                    comments=ticket.comments,
                )

    def account_of_token(self) -> str:
        """Login the token belongs to."""
        return shaped(Account, self.http.get("/user")).login

    def rights(self) -> Rights:
        """What may be done here."""
        return shaped(Rights, self.http.get(self._root))

    def pull(self, number: int) -> PullRequest:
        """One pull request."""
        return self.pull_as_shown(self.http.get(f"{self._root}/pulls/{number}"))

    def ticket(self, number: int) -> PullRequest:
        """One ticket."""
        return self.ticket_as_shown(self.http.get(f"{self._root}/issues/{number}"))

    def comments(self, number: int) -> tuple[PullComment, ...]:
        """What is said below a pull request, oldest first."""
        return tuple(
            PullComment(
                author=note.user.login if note.user else "",
                body=note.body or "",
                run_key=self.mark_of(note.user, note.body).run_key,
            )
            for note in self._notes(number)
        )

    def issue_comments(self, number: int) -> tuple[IssueComment, ...]:
        """What is said below an issue, oldest first; who may write here is asked once of each author but ourselves."""
        notes = list(self._notes(number))
        people = {note.user.login for note in notes if note.user and not self.is_ours(note.user)}
        writers = {login for login in people if self.may_write(login)}
        return tuple(
            IssueComment(
                author=note.user.login if note.user else "",
                body=shortened(note.body or "", 4000),
                writes=note.user is not None and note.user.login in writers,
                run_key=self.mark_of(note.user, note.body).run_key,
            )
            for note in notes
        )

    def issue_state(self, number: int) -> str:
        """``open`` or ``closed``; empty: there is no such issue, or it is a pull request."""
        reply = self.http.look(f"{self._root}/issues/{number}")
        if reply.status in {HTTPStatus.NOT_FOUND, HTTPStatus.GONE}:
            return ""
        if not reply.good:
            raise self.http.failed(reply, f"looking at issue {number}")
        ticket = shaped(Ticket, reply.content)
        return ticket.state if ticket.pull_request is None else ""

    def _notes(self, number: int) -> Iterator[Note]:
        return (shaped(Note, each) for each in self.http.pages(f"{self._root}/issues/{number}/comments"))

    def open_pull(self, title: str, body: str, branch: str, base: str) -> Reply:
        """Open a pull request."""
        return self.act("POST", "/pulls", title=title, body=body, head=branch, base=base)

    def change_pull(self, number: int, wanted: dict[str, str]) -> Reply:
        """Give one these fields."""
        return self.act("PATCH", f"/pulls/{number}", **wanted)

    def open_ticket(self, title: str, body: str) -> Reply:
        """Open a ticket."""
        return self.act("POST", "/issues", title=title, body=body)

    def change_ticket(self, number: int, wanted: dict[str, str]) -> Reply:
        """Give one these fields."""
        return self.act("PATCH", f"/issues/{number}", **wanted)

    def comment_on(self, number: int, body: str) -> Reply:
        """Say something below a pull request or an issue."""
        return self.act("POST", f"/issues/{number}/comments", body=body)

    def act(self, method: str, path: str, **content: object) -> Reply:
        """Change something below the repository."""
        return self.http.act(method, f"{self._root}{path}", content)

    def ticket_as_shown(self, content: object) -> PullRequest:
        """A ticket of the forge's JSON, as the port shows it."""
        return self._as_shown(shaped(Ticket, content))

    def _as_shown(self, found: Ticket, **facts: str) -> PullRequest:
        """What tickets and pull requests have in common, and the ``facts`` of a pull request."""
        mark = self.mark_of(found.user, found.body)
        return PullRequest.model_validate(
            {"branch": "", "base_branch": "", "head_sha": "", "state": found.state}
            | {"number": found.number, "title": found.title, "body": found.body or "", "url": found.html_url}
            | {"run_key": mark.run_key, "task_id": mark.task_id}
            | facts
        )

    def is_ours(self, user: Account | None) -> bool:
        """Whether it was done by our account."""
        return user is not None and user.is_called(self.account)

    def mark_of(self, user: Account | None, body: str | None) -> Mark:
        """The mark of what our account wrote; nobody else's counts."""
        return read_mark(body or "") if self.is_ours(user) else Mark()

    def _named_branch(self, model: type[Shape], name: str) -> Shape:
        """A branch by its name."""
        try:
            return shaped(model, self.http.get(f"{self._root}/branches/{quote(name, safe='/')}"))
        except NotShown as missing:
            # Not there, or not shown: the repository itself tells which.
            self.http.get(self._root)
            raise ForgeError(str(missing)) from missing

    def _reviews(self, model: type[Shape], number: int) -> tuple[Shape, ...]:
        """Reviews of a pull request that were handed in."""
        found = self.http.pages(f"{self._root}/pulls/{number}/reviews")
        return tuple(shaped(model, each) for each in found if each.get("submitted_at"))
