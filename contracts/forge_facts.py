"""What a forge says about commits, branches and people; never what we would like it to say."""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import Literal

from pydantic import AwareDatetime

from contracts.artifact import Contract

FORGE_RESTS = "forgeRestsSeconds"
"""A fact of a verdict that holds because a forge, or a model, limits the rate: it is not asked again before."""


class CheckState(StrEnum):
    """How a check of the forge's CI stands."""

    GREEN = "green"
    RED = "red"
    PENDING = "pending"
    MISSING = "missing"
    """Required, and nobody reported it. Not green."""


class CommitCheck(Contract):
    """One check of the forge's CI on one commit."""

    name: str
    state: CheckState
    link: str = ""
    detail: str = ""
    log: str = ""
    """The end of its log, as far as the forge shows it."""
    stopped: bool = False
    """It began and gave no word: cancelled, given up, or waiting for somebody's leave. Never red, never green."""
    idle: bool = False
    """It was skipped, and neither the forge nor a policy demands it: a job that this commit need not start."""


class BranchProtection(Contract):
    """How the base branch is protected."""

    protected: bool
    writer_may_push: bool | None = None
    """None: the forge tells only people with more rights."""
    required_checks: tuple[str, ...] = ()
    """Names or glob patterns."""
    required_approvals: int = 0


class HumanAct(Contract):
    """What somebody did with a pull request."""

    actor: str
    act: Literal["approved", "changes_requested", "merged", "closed", "reopened"]
    at: AwareDatetime
    commit_sha: str = ""
    """For a review: what was looked at."""
    counts: bool = True
    """False for a review that is stale, dismissed, or from somebody whose word the forge does not count."""


class Issue(Contract):
    """An open issue: what strangers wrote in it is data, cut to a length."""

    number: int
    title: str
    """At most 300 characters."""
    body: str = ""
    """At most 4,000 characters."""
    author: str = ""
    labels: tuple[str, ...] = ()
    url: str = ""
    updated_at: AwareDatetime | None = None
    comments: int = 0
    """As the forge counts them."""


class IssueComment(Contract):
    """What somebody said below an issue: data, cut to a length."""

    author: str
    body: str
    """At most 4,000 characters."""
    writes: bool = False
    """Whether its author may write to the repository. Where the forge does not tell, nobody may."""
    run_key: str = ""
    """The write of ours that it is; empty: somebody else's."""


class PullComment(Contract):
    """A comment on a pull request."""

    author: str
    body: str
    run_key: str = ""
    """The write of ours that it is; empty: somebody else's."""


ABOUT_CHANGES = "changes"
ABOUT_CLOSING = "closed"
ABOUT_MERGE = "merged"
ABOUT_ROLLBACK = "rolled-back"
"""What a comment of ours is about: the last part of its name."""


def comment_name(number: int, about: str) -> str:
    """The last part of the key of a comment on a pull request: whoever looks for it knows from it where."""
    return f"comment-{number}-{about}"


def commented_on(run_key: str) -> int | None:
    """The pull request, from such a key."""
    found = re.search(r"/comment-(\d+)-", run_key)
    return int(found[1]) if found else None


def question_name(number: int, state: str) -> str:
    """The last part of the key of a question on an issue, asked once of each ``state`` that the issue is in."""
    return f"question-{number}-{state}"


def asked_on(run_key: str) -> int | None:
    """The issue, from such a key; None: the key is no question's."""
    found = re.search(r"/question-(\d+)-[0-9a-f]+$", run_key)
    return int(found[1]) if found else None


def said_by_us(comments: Iterable[PullComment | IssueComment], name: str) -> bool:
    """Whether any run of ours has said what has this name."""
    return any(comment.run_key.endswith(f"/{name}") for comment in comments)


def commented(comments: Iterable[PullComment], number: int, about: str) -> bool:
    """Whether any run of ours has said it on a pull request."""
    return said_by_us(comments, comment_name(number, about))


class AccessFinding(Contract):
    """One thing looked at before a forge is used: token, account, rights, protection."""

    name: str
    ok: bool
    detail: str
    remedy: str = ""
