"""One repository's part of GitHub's API, as values; each holds what we use and no more.

githubkit's own models want every field that GitHub ever documented: they refuse even GitHub's published examples.
"""

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from pydantic import AwareDatetime, BaseModel

from adapters.forges.github.client import GitHubApi
from adapters.forges.http.repository import Account, HttpRepository, Ticket, shaped
from contracts.pull_request import PullRequest

_MAY_WRITE = frozenset({"admin", "write"})
_PASSES = frozenset({"always", "exempt"})


class Repository(BaseModel):
    """Where a branch is."""

    id: int


class End(BaseModel):
    """One end of a pull request."""

    ref: str
    """The branch's name, also after it was deleted."""
    sha: str
    repo: Repository | None = None


class Pull(Ticket):
    """A pull request, in a list or alone."""

    merged_at: AwareDatetime | None = None
    merge_commit_sha: str | None = None
    """While it is open: a trial merge of GitHub's own."""
    head: End
    base: End


class Review(BaseModel):
    """What a reviewer said."""

    state: str
    user: Account | None = None
    commit_id: str | None = None
    submitted_at: AwareDatetime | None = None


class Event(BaseModel):
    """Something that happened to a pull request."""

    event: str
    actor: Account | None = None
    created_at: AwareDatetime


class App(BaseModel):
    """Who made a check run."""

    id: int


class Output(BaseModel):
    """What a check run shows."""

    title: str | None = None
    summary: str | None = None
    text: str | None = None


class CheckRun(BaseModel):
    """One check run, the latest of its suite and name."""

    name: str
    status: str
    conclusion: str | None = None
    html_url: str | None = None
    output: Output = Output()
    app: App | None = None


class Reporter(Account):
    """Who reported a status."""

    type: str = ""
    """``Bot``: an App."""


class Status(BaseModel):
    """One word of one context on a commit."""

    context: str
    state: str
    target_url: str | None = None
    description: str | None = None
    creator: Reporter | None = None


class RequiredCheck(BaseModel):
    """A name that must be green, and the App it must come from, where one is named."""

    context: str
    app_id: int | None = None


class RequiredChecks(BaseModel):
    """What classic protection shows to readers."""

    contexts: tuple[str, ...] = ()
    checks: tuple[RequiredCheck, ...] = ()


class Protection(BaseModel):
    """Classic protection, as far as readers see it."""

    required_status_checks: RequiredChecks = RequiredChecks()


class Branch(BaseModel):
    """A branch with its classic protection."""

    protected: bool
    protection: Protection = Protection()


class Rule(BaseModel):
    """One rule that a ruleset lays on a branch."""

    type: str
    parameters: dict[str, Any] = {}
    ruleset_id: int = 0
    ruleset_source: str = ""
    """The repository or organisation that has it."""


class Ruleset(BaseModel):
    """What a ruleset says of whoever asks."""

    current_user_can_bypass: str = "never"


class ListedBranch(BaseModel):
    """A branch in a list."""

    name: str


class Sha(BaseModel):
    """A name of an object."""

    sha: str


class Commit(BaseModel):
    """A commit and its tree."""

    sha: str
    tree: Sha


class Permission(BaseModel):
    """What a user may do in a repository."""

    permission: str


class GitHubRepository(HttpRepository):
    """GitHub's words for it."""

    def __init__(self, api: str, repository: str, account: str, token: str) -> None:
        """As of the base; ``api`` is its address."""
        super().__init__(GitHubApi(api, token), repository, account)
        self._owner = repository.split("/", maxsplit=1)[0]

    def account_of_token(self) -> str:
        """Login the token belongs to; an App's is not for its tokens to ask, so the worker made sure of it."""
        reply = self.http.look("/user")
        if reply.status == HTTPStatus.FORBIDDEN and self.account.endswith("[bot]"):
            return self.account
        if not reply.good:
            raise self.http.failed(reply, "looking at /user")
        return shaped(Account, reply.content).login

    def our_pulls(self, branch: str = "") -> Iterator[PullRequest]:
        """Of all, or of one branch."""
        return (self._shown(pull) for pull in self._pulls(branch) if self.is_ours(pull.user))

    def pulls_between(self, base: str, branch: str) -> Iterator[PullRequest]:
        """Of that branch, those onto that base."""
        return (self._shown(pull) for pull in self._pulls(branch) if pull.base.ref == base)

    def _pulls(self, branch: str) -> Iterator[Pull]:
        query = {"state": "all"} | ({"head": f"{self._owner}:{branch}"} if branch else {})
        for found in self.http.pages(f"{self._root}/pulls", **query):
            pull = shaped(Pull, found)
            same = pull.head.repo is not None and pull.base.repo is not None and pull.head.repo == pull.base.repo
            if same and branch in {"", pull.head.ref}:
                yield pull

    def our_tickets(self) -> Iterator[PullRequest]:
        """By the account; pull requests are among GitHub's issues, and are none."""
        return self._tickets(state="all", creator=self.account)

    def check_runs(self, commit: str) -> tuple[CheckRun, ...]:
        """The latest check run of each suite and name."""
        place = f"{self._root}/commits/{commit}/check-runs"
        return tuple(shaped(CheckRun, each) for each in self.http.pages(place, within="check_runs", filter="latest"))

    def statuses(self, commit: str) -> tuple[Status, ...]:
        """The latest status of each context."""
        latest: dict[str, Status] = {}
        for found in self.http.pages(f"{self._root}/commits/{commit}/statuses"):
            status = shaped(Status, found)
            # GitHub lists the newest first, and compares contexts without regard to case.
            latest.setdefault(status.context.lower(), status)
        return tuple(latest.values())

    def branch(self, name: str) -> Branch:
        """A branch and its classic protection."""
        return self._named_branch(Branch, name)

    def rules(self, branch: str) -> tuple[Rule, ...]:
        """Rules of all active rulesets on a branch; none where this GitHub knows no rulesets."""
        place = f"{self._root}/rules/branches/{quote(branch, safe='')}"
        first = self.http.look(place, per_page="1")
        unpaid = first.status == HTTPStatus.FORBIDDEN and "upgrade" in first.said.lower()
        if first.status == HTTPStatus.NOT_FOUND or unpaid:
            # An old Enterprise Server, or a plan without rulesets: nothing is laid on the branch.
            return ()
        return tuple(shaped(Rule, each) for each in self.http.pages(place))

    def passes(self, rule: Rule) -> bool:
        """Whether the token's account may pass a rule's ruleset by itself; one that is not shown lets nobody pass."""
        reply = self.http.look(f"{self._root}/rulesets/{rule.ruleset_id}")
        return reply.good and shaped(Ruleset, reply.content).current_user_can_bypass in _PASSES

    def protected_branch(self, under: str) -> str:
        """A protected branch whose name begins so; empty: there is none."""
        found = self.http.pages(f"{self._root}/branches", protected="true")
        names = (shaped(ListedBranch, each).name for each in found)
        return next((name for name in names if name.startswith(under)), "")

    def reviews(self, number: int) -> tuple[Review, ...]:
        """Reviews of a pull request that were handed in."""
        return self._reviews(Review, number)

    def events(self, number: int) -> tuple[Event, ...]:
        """What happened to a pull request, oldest first."""
        return tuple(shaped(Event, each) for each in self.http.pages(f"{self._root}/issues/{number}/events"))

    def may_write(self, login: str) -> bool:
        """Whether somebody's approval counts here, and what they say below an issue."""
        reply = self.http.look(f"{self._root}/collaborators/{quote(login, safe='')}/permission")
        return reply.good and shaped(Permission, reply.content).permission in _MAY_WRITE

    def commit(self, commit: str) -> Commit:
        """A commit and its tree."""
        return shaped(Commit, self.http.get(f"{self._root}/git/commits/{commit}"))

    def pull_as_shown(self, content: object) -> PullRequest:
        """Of a list, or alone."""
        return self._shown(shaped(Pull, content))

    def _shown(self, pull: Pull) -> PullRequest:
        return self._as_shown(
            pull,
            branch=pull.head.ref,
            base_branch=pull.base.ref,
            head_sha=pull.head.sha,
            state="merged" if pull.merged_at else pull.state,
            merge_sha=(pull.merge_commit_sha or "") if pull.merged_at else "",
        )
