"""One repository's part of the API, as values."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import AwareDatetime, BaseModel

from adapters.forges.http.answers import Account, Said, Ticket, is_by, mark_of
from adapters.forges.http.json_api import JsonApi, Reply
from adapters.forges.http.shapes import shaped
from contracts.forge_facts import PullComment
from contracts.pull_request import PullRequest
from policies.run.strangers import OURS
from ports.forge import ForgeError, NotShown

_LOG = 8 * 1024
"""Bytes of a log that are kept: its end."""


class Branch(BaseModel):
    """One end of a pull request."""

    label: str
    """The branch's name, also after it was deleted."""
    sha: str = ""
    repo_id: int = 0


class Pull(BaseModel):
    """A pull request."""

    number: int
    title: str = ""
    body: str | None = ""
    state: Literal["open", "closed"]
    html_url: str = ""
    merged: bool = False
    merge_commit_sha: str | None = None
    user: Account | None = None
    head: Branch
    base: Branch


class Review(BaseModel):
    """What a reviewer said."""

    state: str
    user: Account | None = None
    commit_id: str = ""
    stale: bool = False
    official: bool = False
    dismissed: bool = False
    submitted_at: AwareDatetime


class TimelineEntry(BaseModel):
    """Something that happened to a pull request."""

    type: str
    user: Account | None = None
    created_at: AwareDatetime


class Status(BaseModel):
    """The latest word of one check on a commit."""

    context: str
    status: str
    target_url: str = ""
    description: str = ""


class ProtectedBranch(BaseModel):
    """A branch with what protects it."""

    protected: bool = False
    required_approvals: int = 0
    enable_status_check: bool = False
    status_check_contexts: tuple[str, ...] | None = ()
    user_can_push: bool = False


class GiteaRepository:
    """Reads and writes of one repository; which of them a token may do is the forge's word."""

    def __init__(self, api: str, repository: str, account: str, token: str) -> None:
        """``account`` is the login whose pull requests and tickets are ours."""
        self.http = JsonApi(api, {"Authorization": f"token {token}"} if token else {})
        self._root = f"/repos/{repository}"
        self._account = account
        at = urlsplit(api)
        self._origin = f"{at.scheme}://{at.netloc}"
        self._page = f"{at.path.removesuffix('/api/v1')}/{repository}"

    def account_of_token(self) -> str:
        """Login the token belongs to."""
        return shaped(Account, self.http.get("/user")).login

    def our_pulls(self) -> Iterator[Pull]:
        """Pull requests that our account opened from this repository's own branches, newest first."""
        for found in self.http.pages(f"{self._root}/pulls", state="all", poster=self._account):
            pull = shaped(Pull, found)
            if is_by(self._account, pull.user) and pull.head.repo_id == pull.base.repo_id:
                yield pull

    def pull_between(self, base: str, branch: str) -> Pull | None:
        """The pull request from one branch of this repository to another, whoever opened it."""
        place = f"{self._root}/pulls/{quote(base, safe='')}/{quote(branch, safe='')}"
        reply = self.http.look(place)
        if reply.status == HTTPStatus.NOT_FOUND:
            # Not there, or not shown: the repository itself tells which.
            self.http.get(self._root)
            return None
        if not reply.good:
            raise ForgeError(self.http.complaint(reply, f"looking at {place}"))
        return shaped(Pull, reply.content)

    def our_pull_requests(self) -> Iterator[PullRequest]:
        """What :meth:`our_pulls` finds, as the port shows it."""
        return (self.shown(pull) for pull in self.our_pulls())

    def our_tickets(self) -> Iterator[PullRequest]:
        """Tickets that our account opened, as the port shows them."""
        return (issue.shown(self._account) for issue in self.our_issues())

    def our_issues(self) -> Iterator[Ticket]:
        """Tickets that our account opened, newest first."""
        for found in self.http.pages(f"{self._root}/issues", state="all", type="issues", created_by=self._account):
            issue = shaped(Ticket, found)
            if is_by(self._account, issue.user):
                yield issue

    def statuses(self, commit: str) -> tuple[Status, ...]:
        """The latest status of each check on a commit."""
        found = self.http.pages(f"{self._root}/commits/{commit}/status", within="statuses")
        return tuple(shaped(Status, each) for each in found)

    def whole_link(self, link: str) -> str:
        """A status's link as an address; Gitea's own CI leaves the host out."""
        return f"{self._origin}{link}" if re.match(r"/(?!/)", link) else link

    def end_of_job(self, link: str) -> str:
        """The last lines of the job of Gitea's own CI that a status links; empty when the forge does not show them."""
        job = re.fullmatch(rf"{re.escape(self._page)}/actions/runs/\d+/jobs/(\d+)", link)
        return self.http.end_of(f"{self._root}/actions/jobs/{job[1]}/logs", _LOG) if job else ""

    def branch(self, name: str) -> ProtectedBranch:
        """A branch and its protection."""
        try:
            return shaped(ProtectedBranch, self.http.get(f"{self._root}/branches/{quote(name, safe='/')}"))
        except NotShown as missing:
            # Not there, or not shown: the repository itself tells which.
            self.http.get(self._root)
            raise ForgeError(str(missing)) from missing

    def our_branch(self) -> str:
        """A branch under ``autonomy/``; empty: none that the first page of them shows, which goes by name."""
        found = self.http.get(f"{self._root}/branches", limit="50")
        names = (str(each.get("name", "")) for each in found if isinstance(each, dict))
        return next((name for name in names if name.startswith(OURS)), "")

    def reviews(self, number: int) -> tuple[Review, ...]:
        """Reviews of a pull request that were handed in."""
        found = self.http.pages(f"{self._root}/pulls/{number}/reviews")
        return tuple(shaped(Review, each) for each in found if each.get("submitted_at"))

    def timeline(self, number: int) -> tuple[TimelineEntry, ...]:
        """What happened to a pull request, oldest first."""
        found = self.http.pages(f"{self._root}/issues/{number}/timeline")
        return tuple(shaped(TimelineEntry, each) for each in found)

    def commit_parents(self, commit: str) -> tuple[str, ...]:
        """Parents of a commit, first first."""
        found: Any = self.http.get(f"{self._root}/git/commits/{commit}", stat="false", files="false")
        try:
            return tuple(str(parent["sha"]) for parent in found["parents"])
        except (KeyError, TypeError):
            raise ForgeError(f"the forge answered no commit for {commit}") from None

    def comments(self, number: int) -> tuple[PullComment, ...]:
        """What is said below a pull request, oldest first."""
        found = self.http.pages(f"{self._root}/issues/{number}/comments")
        return tuple(shaped(Said, each).shown(self._account) for each in found)

    def act(self, method: str, path: str, **content: object) -> Reply:
        """Change something below the repository."""
        return self.http.act(method, f"{self._root}{path}", content)

    def shown(self, pull: Pull) -> PullRequest:
        """A pull request as the port shows it."""
        mark = mark_of(self._account, pull.user, pull.body)
        return PullRequest(
            number=pull.number,
            branch=pull.head.label,
            base_branch=pull.base.label,
            head_sha=pull.head.sha,
            title=pull.title,
            body=pull.body or "",
            state="merged" if pull.merged else pull.state,
            url=pull.html_url,
            run_key=mark.run_key,
            task_id=mark.task_id,
            merge_sha=(pull.merge_commit_sha or "") if pull.merged else "",
        )
