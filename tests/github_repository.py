"""One repository of the GitHub double: branches in git, pull requests, tickets, reviews, CI results, rules, merging.

Answers are GitHub's published examples with our facts laid over them, so they are complete.
"""

from __future__ import annotations

import itertools
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from zlib import crc32

from github_contract import Description

_ROOT = "/repos/{owner}/{repo}"
_RIGHTS = (
    (r"/pulls/\d+/merge", "contents"),
    (r"/pulls.*", "pull_requests"),
    (r"/issues.*", "issues"),
    (r"/commits/\w+/check-runs|/check-runs", "checks"),
    (r"/(commits/\w+/)?statuses.*", "statuses"),
    (r"/branches|/(branches|git)/.*", "contents"),
)
_IDS = itertools.count(1000)


@dataclass
class Answer:
    """One answer."""

    status: int
    content: Any
    headers: dict[str, str] = field(default_factory=dict)

    @classmethod
    def refusal(cls, status: int, message: str) -> Answer:
        """In GitHub's form."""
        place = "https://docs.github.com/rest"
        return cls(status, {"message": message, "documentation_url": place, "status": str(status)})


def user(login: str) -> dict[str, Any]:
    """Whoever it is."""
    return {"login": login, "id": crc32(login.encode()), "type": "Bot" if login.endswith("[bot]") else "User"}


@dataclass
class Pull:
    """A pull request's state."""

    number: int
    title: str
    body: str | None
    head: str
    base: str
    sha: str
    by: str
    state: str = "open"
    merged_at: str | None = None
    merge_sha: str | None = None


@dataclass
class DoubleRepository:
    """State and behaviour."""

    name: str
    place: Path
    description: Description
    address: str
    private: bool
    may: dict[str, str]
    pulls: dict[int, Pull] = field(default_factory=dict)
    issues: dict[int, dict[str, Any]] = field(default_factory=dict)
    reviews: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    comments: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    events: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    statuses: list[dict[str, Any]] = field(default_factory=list)
    runs: list[dict[str, Any]] = field(default_factory=list)
    required: list[dict[str, Any]] = field(default_factory=list)
    """Classic protection: ``context`` and ``app_id``; ``protected`` alone protects without checks."""
    protected: bool = False
    rules: list[dict[str, Any]] = field(default_factory=list)
    ruled: str = "*"
    """Which branches the rules are laid on."""
    bypassed: dict[int, str] = field(default_factory=dict)
    """How the account may pass the rulesets, by number."""
    guarded: str = ""
    """A pattern of classic protection, beside that of every branch."""
    merge_refused: str = ""
    before_merge: Callable[[], object] = lambda: None
    archived: bool = False
    has_issues: bool = True
    page_size: int = 100
    """No page is larger, whatever is asked for."""

    def right(self, method: str, path: str) -> tuple[str, str]:
        """What a token needs."""
        level = "read" if method == "GET" else "write"
        return next((right for pattern, right in _RIGHTS if re.fullmatch(pattern, path)), "metadata"), level

    def answer(self, who: str, method: str, path: str, query: dict[str, str], content: dict[str, Any]) -> Answer:
        """One request, by somebody who may."""
        self._look_at_branches()
        routes: tuple[tuple[str, str, Callable[..., Answer]], ...] = (
            ("GET", r"/pulls", lambda: self._list(path, query, self._pulls(query))),
            ("POST", r"/pulls", lambda: self._open_pull(who, content)),
            ("GET", r"/pulls/(\d+)", self._one_pull),
            ("PATCH", r"/pulls/(\d+)", lambda number: self._change_pull(who, int(number), content)),
            ("PUT", r"/pulls/(\d+)/merge", lambda number: self._merge(who, int(number), content)),
            ("GET", r"/pulls/(\d+)/reviews", lambda n: self._list(path, query, self.reviews.get(int(n), []))),
            ("POST", r"/pulls/(\d+)/reviews", lambda number: self._review(who, int(number), content)),
            ("PUT", r"/pulls/(\d+)/reviews/(\d+)/dismissals", self._dismiss),
            ("GET", r"/issues", lambda: self._list(path, query, self._issues(query))),
            ("POST", r"/issues", lambda: self._open_issue(who, content)),
            ("GET", r"/issues/(\d+)", self._one_issue),
            ("PATCH", r"/issues/(\d+)", lambda number: self._change_issue(int(number), content)),
            ("GET", r"/issues/(\d+)/comments", lambda n: self._list(path, query, self.comments.get(int(n), []))),
            ("POST", r"/issues/(\d+)/comments", lambda number: self._comment(who, int(number), content)),
            ("GET", r"/issues/(\d+)/events", lambda n: self._list(path, query, self.events.get(int(n), []))),
            ("GET", r"/commits/(\w+)/check-runs", lambda sha: self._check_runs(sha, path, query)),
            ("GET", r"/commits/(\w+)/statuses", lambda sha: self._list(path, query, self._of(sha))),
            ("POST", r"/statuses/(\w+)", lambda sha: self._report(who, sha, content)),
            ("POST", r"/check-runs", lambda: self._run(content)),
            ("GET", r"", lambda: self._about(who)),
            ("GET", r"/branches/(.+)", self._branch),
            ("GET", r"/branches", lambda: self._list(path, query, self._branches(query))),
            ("GET", r"/rules/branches/(.+)", lambda name: self._list(path, query, self._ruled(name))),
            ("GET", r"/rulesets/(\d+)", self._ruleset),
            ("GET", r"/git/commits/(\w+)", self._commit),
            ("GET", r"/collaborators/(.+)/permission", self._permission),
        )
        for verb, pattern, act in routes:
            if verb == method and (found := re.fullmatch(pattern, path)):
                return act(*found.groups())
        return Answer.refusal(404, "Not Found")

    # git

    def head(self, branch: str) -> str:
        """Where a branch is; empty: nowhere."""
        return self._git("rev-parse", "--verify", "--quiet", f"refs/heads/{branch}", check=False)

    def _git(self, *arguments: str, check: bool = True) -> str:
        who = ("-c", "user.name=GitHub", "-c", "user.email=noreply@github.invalid")
        done = subprocess.run(["git", *who, *arguments], cwd=self.place, capture_output=True, text=True, check=check)
        return done.stdout.strip()

    def _look_at_branches(self) -> None:
        """A push moves the head of an open pull request; a deleted branch closes it."""
        for pull in self.pulls.values():
            if pull.state == "open":
                if head := self.head(pull.head):
                    pull.sha = head
                else:
                    pull.state = "closed"
                    self._happened(pull.number, "closed", "owner")

    # Pull requests

    def _open_pull(self, who: str, content: dict[str, Any]) -> Answer:
        head, base = content["head"].removeprefix(f"{self.name.split('/')[0]}:"), content["base"]
        twin = any(pull.state == "open" and (pull.head, pull.base) == (head, base) for pull in self.pulls.values())
        wrong = {"head": not self.head(head), "base": not self.head(base)}
        if twin or any(wrong.values()):
            said = f"A pull request already exists for {head}." if twin else "invalid"
            errors = [{"resource": "PullRequest", "code": "custom", "message": said}]
            refusal = Answer.refusal(422, "Validation Failed")
            return Answer(422, refusal.content | {"errors": errors})
        number = len(self.pulls) + len(self.issues) + 1
        self.pulls[number] = Pull(number, content["title"], content.get("body"), head, base, self.head(head), who)
        return Answer(201, self._shown(self.pulls[number]))

    def _one_pull(self, number: str) -> Answer:
        pull = self.pulls.get(int(number))
        return Answer(200, self._shown(pull)) if pull else Answer.refusal(404, "Not Found")

    def _pulls(self, query: dict[str, str]) -> list[dict[str, Any]]:
        state, head = query.get("state", "open"), query.get("head", "").partition(":")[2]
        newest = sorted(self.pulls.values(), key=lambda pull: -pull.number)
        return [self._shown(pull) for pull in newest if state in {"all", pull.state} and head in {"", pull.head}]

    def _change_pull(self, who: str, number: int, content: dict[str, Any]) -> Answer:
        pull = self.pulls[number]
        pull.title, pull.body = content.get("title", pull.title), content.get("body", pull.body)
        state = content.get("state", pull.state)
        if state != pull.state and not pull.merged_at:
            pull.state = state
            self._happened(number, "closed" if state == "closed" else "reopened", who)
        return Answer(200, self._shown(pull))

    def _merge(self, who: str, number: int, content: dict[str, Any]) -> Answer:
        pull = self.pulls[number]
        if content.get("sha", pull.sha) != pull.sha:
            return Answer.refusal(409, "Head branch was modified. Review and try the merge again.")
        if pull.state != "open" or self.merge_refused:
            return Answer.refusal(405, self.merge_refused or "Pull Request is not mergeable")
        self.before_merge()
        base = self.head(pull.base)
        tree = self._git("merge-tree", "--write-tree", base, pull.sha).splitlines()[0]
        parents = ["-p", base] + ([] if content.get("merge_method") == "squash" else ["-p", pull.sha])
        said = (content.get("commit_title", f"Merge pull request #{number}"), content.get("commit_message", pull.title))
        by = ("-c", f"author.name={who}", "-c", f"author.email={who}@users.noreply.github.invalid")
        pull.merge_sha = self._git(*by, "commit-tree", tree, *parents, "-m", said[0], "-m", said[1])
        self._git("update-ref", f"refs/heads/{pull.base}", pull.merge_sha, base)
        pull.state, pull.merged_at = "closed", _now()
        self._happened(number, "merged", who)
        self._happened(number, "closed", who)
        return Answer(200, {"sha": pull.merge_sha, "merged": True, "message": "Pull Request successfully merged"})

    def _about(self, who: str) -> Answer:
        example = self.description.example(_ROOT, "get", 200)
        # Of forks and templates alone; GitHub's own example of them breaks GitHub's own description.
        example = {
            name: value for name, value in example.items() if name not in {"source", "parent", "template_repository"}
        }
        push = self.may.get(who) in {"admin", "write"}
        rights = {"admin": False, "maintain": False, "push": push, "triage": push, "pull": True}
        full = {
            "name": self.name.split("/")[1],
            "full_name": self.name,
            "archived": self.archived,
            "language": "Python",
        }
        return Answer(200, example | full | {"permissions": rights, "has_issues": self.has_issues})

    def _shown(self, pull: Pull) -> dict[str, Any]:
        example = self.description.example(_ROOT + "/pulls/{pull_number}", "get", 200)
        repository = example["base"]["repo"] | {"id": crc32(self.name.encode()), "full_name": self.name}
        ends = {
            end: example[end] | {"ref": name, "label": f"owner:{name}", "sha": sha, "repo": repository}
            for end, name, sha in (("head", pull.head, pull.sha), ("base", pull.base, self.head(pull.base) or pull.sha))
        }
        return example | ends | {
            "number": pull.number, "title": pull.title, "body": pull.body, "state": pull.state,
            "html_url": f"{self.address}/{self.name}/pull/{pull.number}", "merged": pull.merged_at is not None,
            "merged_at": pull.merged_at, "merge_commit_sha": pull.merge_sha, "user": example["user"] | user(pull.by),
            "id": pull.number, "draft": False, "labels": [], "requested_teams": [], "requested_reviewers": [],
        }  # fmt: skip

    def _review(self, who: str, number: int, content: dict[str, Any]) -> Answer:
        states = {"APPROVE": "APPROVED", "REQUEST_CHANGES": "CHANGES_REQUESTED", "COMMENT": "COMMENTED"}
        example = self.description.example(_ROOT + "/pulls/{pull_number}/reviews", "get", 200)[0]
        given = example | {
            "id": next(_IDS), "state": states[content["event"]], "submitted_at": _now(),
            "user": example["user"] | user(who),
            "commit_id": content.get("commit_id", self.pulls[number].sha),
        }  # fmt: skip
        self.reviews.setdefault(number, []).append(given)
        return Answer(200, given)

    def _dismiss(self, number: str, review: str) -> Answer:
        (found,) = [each for each in self.reviews[int(number)] if each["id"] == int(review)]
        found["state"] = "DISMISSED"
        return Answer(200, found)

    def _comment(self, who: str, number: int, content: dict[str, Any]) -> Answer:
        example = self.description.example(_ROOT + "/issues/{issue_number}/comments", "get", 200)[0]
        given = example | {"id": next(_IDS), "body": content["body"], "user": example["user"] | user(who)}
        self.comments.setdefault(number, []).append(given)
        return Answer(201, given)

    def _happened(self, number: int, what: str, who: str) -> None:
        example = self.description.example(_ROOT + "/issues/{issue_number}/events", "get", 200)[0]
        facts = {"id": next(_IDS), "event": what, "created_at": _now(), "actor": example["actor"] | user(who)}
        self.events.setdefault(number, []).append(example | facts)

    # Tickets: pull requests are among them, as on GitHub

    def _open_issue(self, who: str, content: dict[str, Any]) -> Answer:
        number = len(self.pulls) + len(self.issues) + 1
        example = self.description.example(_ROOT + "/issues", "post", 201)
        example.pop("pull_request", None)
        self.issues[number] = example | {
            "id": number, "number": number, "title": content["title"], "body": content.get("body"), "state": "open",
            "user": example["user"] | user(who), "html_url": f"{self.address}/{self.name}/issues/{number}",
            "closed_at": None, "closed_by": None,
            "labels": [example["labels"][0] | {"name": name} for name in content.get("labels", [])],
        }  # fmt: skip
        return Answer(201, self.issues[number])

    def _one_issue(self, number: str) -> Answer:
        found = self.issues.get(int(number))
        return Answer(200, found) if found else Answer.refusal(404, "Not Found")

    def _change_issue(self, number: int, content: dict[str, Any]) -> Answer:
        if number not in self.issues:
            return Answer.refusal(404, "Not Found")
        self.issues[number] |= content
        return Answer(200, self.issues[number])

    def _issues(self, query: dict[str, str]) -> list[dict[str, Any]]:
        example = self.description.example(_ROOT + "/issues", "post", 201)
        pulls = [
            example | {
                "id": pull.number, "number": pull.number, "title": pull.title, "body": pull.body, "state": pull.state,
                "user": example["user"] | user(pull.by),
                "pull_request": {key: f"{self.address}/{key}" for key in ("url", "html_url", "diff_url", "patch_url")},
            }
            for pull in self.pulls.values()
        ]  # fmt: skip
        by, state, wanted = query.get("creator", ""), query.get("state", "open"), query.get("labels", "").lower()
        found = [
            each
            for each in (*self._counted(), *pulls)
            if by in {"", each["user"]["login"]}
            and state in {"all", each["state"]}
            and wanted in {"", *(label["name"].lower() for label in each["labels"])}
        ]
        return sorted(found, key=lambda each: -each["number"])

    def _counted(self) -> list[dict[str, Any]]:
        return [each | {"comments": len(self.comments.get(number, []))} for number, each in self.issues.items()]

    # CI

    def _report(self, who: str, sha: str, content: dict[str, Any]) -> Answer:
        example = self.description.example(_ROOT + "/commits/{ref}/statuses", "get", 200)[0]
        facts = {"id": next(_IDS), "creator": example["creator"] | user(who), "of": sha}
        self.statuses.insert(0, example | facts | content)
        return Answer(201, self.statuses[0])

    def _of(self, sha: str) -> list[dict[str, Any]]:
        return [
            {key: value for key, value in each.items() if key != "of"} for each in self.statuses if each["of"] == sha
        ]

    def _run(self, content: dict[str, Any]) -> Answer:
        example = self.description.example(_ROOT + "/commits/{ref}/check-runs", "get", 200)["check_runs"][0]
        app = example["app"] | {"id": content.pop("app_id", 1)}
        shown = example["output"] | content.pop("output", {})
        facts = {"id": next(_IDS), "app": app, "output": shown, "conclusion": None, "status": "queued"}
        self.runs.insert(0, example | facts | content)
        return Answer(201, self.runs[0])

    def _check_runs(self, sha: str, path: str, query: dict[str, str]) -> Answer:
        latest: dict[tuple[str, int], dict[str, Any]] = {}
        for run in self.runs:
            if run["head_sha"] == sha:
                latest.setdefault((run["name"], run["app"]["id"]), run)
        page = self._list(path, query, list(latest.values()))
        return Answer(200, {"total_count": len(latest), "check_runs": page.content}, page.headers)

    # What GitHub knows of branches, commits and people

    def _branch(self, name: str) -> Answer:
        if not self.head(name):
            return Answer.refusal(404, "Branch not found")
        example = self.description.example(_ROOT + "/branches/{branch}", "get", 200)
        checks = {
            "enforcement_level": "non_admins" if self.required else "off",
            "contexts": [check["context"] for check in self.required],
            "checks": [{"app_id": None} | check for check in self.required],
        }
        protection = {"enabled": bool(self.required), "required_status_checks": checks}
        return Answer(200, example | {"name": name, "protected": self._guards(name), "protection": protection})

    def _guards(self, name: str) -> bool:
        return self.protected or bool(self.required) or fnmatch(name, self.guarded)

    def _branches(self, query: dict[str, str]) -> list[dict[str, Any]]:
        example = self.description.example(_ROOT + "/branches", "get", 200)[0] | {"protection": {"enabled": False}}
        names = self._git("for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads").splitlines()
        wanted = {"true": {True}, "false": {False}}.get(query.get("protected", ""), {True, False})
        return [
            example | {"name": name, "protected": self._guards(name)} for name in names if self._guards(name) in wanted
        ]

    def _ruled(self, name: str) -> list[dict[str, Any]]:
        return self.rules if fnmatch(name, self.ruled) else []

    def _ruleset(self, number: str) -> Answer:
        example = self.description.example(_ROOT + "/rulesets/{ruleset_id}", "get", 200)
        passes = {"current_user_can_bypass": self.bypassed.get(int(number), "never")}
        return Answer(200, example | {"id": int(number), "name": "Everywhere"} | passes)

    def _commit(self, sha: str) -> Answer:
        tree = self._git("rev-parse", "--verify", "--quiet", f"{sha}^{{tree}}", check=False)
        if not tree:
            return Answer.refusal(404, "Not Found")
        example = self.description.example(_ROOT + "/git/commits/{commit_sha}", "get", 200)
        return Answer(200, example | {"sha": sha, "tree": example["tree"] | {"sha": tree}})

    def _permission(self, login: str) -> Answer:
        example = self.description.example(_ROOT + "/collaborators/{username}/permission", "get", 200)
        role = self.may.get(login, "read")
        someone = example["user"] | user(login) | {"role_name": role}
        return Answer(200, example | {"permission": role, "role_name": role, "user": someone})

    def _list(self, path: str, query: dict[str, str], found: list[dict[str, Any]]) -> Answer:
        size, page = min(self.page_size, int(query.get("per_page", "30"))), int(query.get("page", "1"))
        headers = {}
        if len(found) > size * page:
            following = urlencode(query | {"page": str(page + 1)})
            headers["Link"] = f'<{self.address}/api/v3/repos/{self.name}{path}?{following}>; rel="next"'
        return Answer(200, found[size * (page - 1) : size * page], headers)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
