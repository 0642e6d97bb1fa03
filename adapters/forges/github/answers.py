"""GitHub's answers as values; each holds what we use and no more.

githubkit's own models want every field that GitHub ever documented: they refuse even GitHub's published examples.
"""

from typing import Any, Literal

from pydantic import AwareDatetime, BaseModel

from adapters.forges.http.answers import Account, Ticket


class Permissions(BaseModel):
    """What the account behind a token may do."""

    push: bool = False


class Rights(BaseModel):
    """A repository, as far as it says who may do what."""

    archived: bool = False
    has_issues: bool = True
    permissions: Permissions | None = None


class Repository(BaseModel):
    """Where a branch is."""

    id: int


class End(BaseModel):
    """One end of a pull request."""

    ref: str
    """The branch's name, also after it was deleted."""
    sha: str
    repo: Repository | None = None


class Pull(BaseModel):
    """A pull request, in a list or alone."""

    number: int
    title: str
    body: str | None = None
    state: Literal["open", "closed"]
    html_url: str
    merged_at: AwareDatetime | None = None
    merge_commit_sha: str | None = None
    """While it is open: a trial merge of GitHub's own."""
    user: Account | None = None
    head: End
    base: End


class Issue(Ticket):
    """A ticket, or a pull request's other face."""

    pull_request: dict[str, Any] | None = None


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
