"""One repository's part of the API, as values."""

import re
from collections.abc import Iterator
from http import HTTPStatus
from urllib.parse import quote, urlsplit

from pydantic import AwareDatetime, BaseModel

from adapters.forges.http.json_api import JsonApi
from adapters.forges.http.repository import Account, HttpRepository, Ticket, shaped
from contracts.pull_request import PullRequest
from policies.run.strangers import OURS
from ports.forge import ForgeError

_MAY_WRITE = frozenset({"owner", "admin", "write"})
_LOG = 8 * 1024
"""Bytes of a log that are kept: its end."""


class Branch(BaseModel):
    """One end of a pull request."""

    label: str
    """The branch's name, also after it was deleted."""
    sha: str = ""
    repo_id: int = 0


class Pull(Ticket):
    """A pull request."""

    merged: bool = False
    merge_commit_sha: str | None = None
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


class Permission(BaseModel):
    """What a user may do in a repository."""

    permission: str


class GiteaRepository(HttpRepository):
    """Gitea's and Forgejo's words for it."""

    def __init__(self, api: str, repository: str, account: str, token: str) -> None:
        """As of the base; ``api`` is its address."""
        super().__init__(JsonApi(api, {"Authorization": f"token {token}"} if token else {}), repository, account)
        at = urlsplit(api)
        self._origin = f"{at.scheme}://{at.netloc}"
        self._page = f"{at.path.removesuffix('/api/v1')}/{repository}"
        self._writers: frozenset[str] | None = None

    def may_write(self, login: str) -> bool:
        """By the account's permission, which Gitea tells administrators; else by its list of who may be assigned.

        In an organisation that list holds people who only read, too: there it tells nothing.
        """
        told = self.http.look(f"{self._root}/collaborators/{quote(login, safe='')}/permission")
        if told.good:
            return shaped(Permission, told.content).permission in _MAY_WRITE
        if self._writers is None:
            listed = self.http.look(f"{self._root}/assignees")
            # Only an organisation's repository has teams.
            alone = self.http.look(f"{self._root}/teams").status == HTTPStatus.METHOD_NOT_ALLOWED
            people = listed.content if listed.good and alone and isinstance(listed.content, list) else []
            self._writers = frozenset(shaped(Account, each).login.lower() for each in people)
        return login.lower() in self._writers

    def our_pulls(self, branch: str = "") -> Iterator[PullRequest]:
        """By the account; Gitea lists none by their branch."""
        for found in self.http.pages(f"{self._root}/pulls", state="all", poster=self.account):
            pull = shaped(Pull, found)
            same = pull.head.repo_id == pull.base.repo_id
            if same and self.is_ours(pull.user) and branch in {"", pull.head.label}:
                yield self._shown(pull)

    def pulls_between(self, base: str, branch: str) -> Iterator[PullRequest]:
        """The one that Gitea shows: the latest."""
        place = f"{self._root}/pulls/{quote(base, safe='')}/{quote(branch, safe='')}"
        reply = self.http.look(place)
        if reply.status == HTTPStatus.NOT_FOUND:
            # Not there, or not shown: the repository itself tells which.
            self.http.get(self._root)
            return
        if not reply.good:
            raise ForgeError(self.http.complaint(reply, f"looking at {place}"))
        yield self.pull_as_shown(reply.content)

    def our_tickets(self) -> Iterator[PullRequest]:
        """By the account."""
        return self._tickets(state="all", type="issues", created_by=self.account)

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
        return self._named_branch(ProtectedBranch, name)

    def our_branch(self) -> str:
        """A branch under ``autonomy/``; empty: none that the first page of them shows, which goes by name."""
        found = self.http.get(f"{self._root}/branches", limit="50")
        names = (str(each.get("name", "")) for each in found if isinstance(each, dict))
        return next((name for name in names if name.startswith(OURS)), "")

    def reviews(self, number: int) -> tuple[Review, ...]:
        """Reviews of a pull request that were handed in."""
        return self._reviews(Review, number)

    def timeline(self, number: int) -> tuple[TimelineEntry, ...]:
        """What happened to a pull request, oldest first."""
        found = self.http.pages(f"{self._root}/issues/{number}/timeline")
        return tuple(shaped(TimelineEntry, each) for each in found)

    def pull_as_shown(self, content: object) -> PullRequest:
        """Of a list, or alone."""
        return self._shown(shaped(Pull, content))

    def _shown(self, pull: Pull) -> PullRequest:
        return self._as_shown(
            pull,
            branch=pull.head.label,
            base_branch=pull.base.label,
            head_sha=pull.head.sha,
            state="merged" if pull.merged else pull.state,
            merge_sha=(pull.merge_commit_sha or "") if pull.merged else "",
        )
