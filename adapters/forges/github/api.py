"""One repository's part of GitHub's API, as values."""

from collections.abc import Iterator
from http import HTTPStatus
from urllib.parse import quote

from adapters.forges.github.answers import (
    Branch,
    CheckRun,
    Commit,
    Event,
    Issue,
    ListedBranch,
    Permission,
    Pull,
    Review,
    Rule,
    Ruleset,
    Status,
)
from adapters.forges.github.client import GitHubApi
from adapters.forges.http.answers import Account, Said, is_by, mark_of
from adapters.forges.http.json_api import Reply
from adapters.forges.http.shapes import shaped
from contracts.forge_facts import PullComment
from contracts.pull_request import PullRequest
from ports.forge import ForgeError, NotShown

_MAY_WRITE = frozenset({"admin", "write"})
_PASSES = frozenset({"always", "exempt"})


class GitHubRepository:
    """Reads and writes of one repository; which of them a token may do is GitHub's word."""

    def __init__(self, api: str, repository: str, account: str, token: str) -> None:
        """``account`` is the login whose pull requests and tickets are ours."""
        self.http = GitHubApi(api, token)
        self._owner = repository.split("/", maxsplit=1)[0]
        self._root = f"/repos/{repository}"
        self._account = account

    def account_of_token(self) -> str:
        """Login the token belongs to; an App's is not for its tokens to ask, so the worker made sure of it."""
        reply = self.http.look("/user")
        if reply.status == HTTPStatus.FORBIDDEN and self._account.endswith("[bot]"):
            return self._account
        if not reply.good:
            raise self.http.failed(reply, "looking at /user")
        return shaped(Account, reply.content).login

    def our_pulls(self, branch: str = "") -> Iterator[Pull]:
        """Pull requests that our account opened from this repository's own branches (or one of them), newest first."""
        for pull in self._pulls(branch):
            if is_by(self._account, pull.user):
                yield pull

    def pulls_between(self, base: str, branch: str) -> Iterator[Pull]:
        """Pull requests from one branch of this repository to another, whoever opened them, newest first."""
        return (pull for pull in self._pulls(branch) if pull.base.ref == base)

    def _pulls(self, branch: str) -> Iterator[Pull]:
        query = {"state": "all"} | ({"head": f"{self._owner}:{branch}"} if branch else {})
        for found in self.http.pages(f"{self._root}/pulls", **query):
            pull = shaped(Pull, found)
            same = pull.head.repo is not None and pull.base.repo is not None and pull.head.repo == pull.base.repo
            if same and branch in {"", pull.head.ref}:
                yield pull

    def pull(self, number: int) -> Pull:
        """One pull request."""
        return shaped(Pull, self.http.get(f"{self._root}/pulls/{number}"))

    def our_pull_requests(self) -> Iterator[PullRequest]:
        """What :meth:`our_pulls` finds, as the port shows it."""
        return (self.shown(pull) for pull in self.our_pulls())

    def our_tickets(self) -> Iterator[PullRequest]:
        """Tickets that our account opened, as the port shows them."""
        return (issue.shown(self._account) for issue in self.our_issues())

    def our_issues(self) -> Iterator[Issue]:
        """Tickets that our account opened, newest first."""
        for found in self.http.pages(f"{self._root}/issues", state="all", creator=self._account):
            issue = shaped(Issue, found)
            if issue.pull_request is None and is_by(self._account, issue.user):
                yield issue

    def ticket(self, number: int) -> Issue:
        """One ticket."""
        return shaped(Issue, self.http.get(f"{self._root}/issues/{number}"))

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
        try:
            return shaped(Branch, self.http.get(f"{self._root}/branches/{quote(name, safe='/')}"))
        except NotShown as missing:
            # Not there, or not shown: the repository itself tells which.
            self.http.get(self._root)
            raise ForgeError(str(missing)) from missing

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
        found = self.http.pages(f"{self._root}/pulls/{number}/reviews")
        return tuple(shaped(Review, each) for each in found if each.get("submitted_at"))

    def events(self, number: int) -> tuple[Event, ...]:
        """What happened to a pull request, oldest first."""
        return tuple(shaped(Event, each) for each in self.http.pages(f"{self._root}/issues/{number}/events"))

    def may_write(self, login: str) -> bool:
        """Whether somebody's approval counts here."""
        reply = self.http.look(f"{self._root}/collaborators/{quote(login, safe='')}/permission")
        return reply.good and shaped(Permission, reply.content).permission in _MAY_WRITE

    def commit(self, commit: str) -> Commit:
        """A commit and its tree."""
        return shaped(Commit, self.http.get(f"{self._root}/git/commits/{commit}"))

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
            branch=pull.head.ref,
            base_branch=pull.base.ref,
            head_sha=pull.head.sha,
            title=pull.title,
            body=pull.body or "",
            state="merged" if pull.merged_at else pull.state,
            url=pull.html_url,
            run_key=mark.run_key,
            task_id=mark.task_id,
            merge_sha=(pull.merge_commit_sha or "") if pull.merged_at else "",
        )
