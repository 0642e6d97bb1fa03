"""ports.forge.Forge over Gitea's API; branches are read with git, as everywhere."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from adapters.forges.gitea.api import GiteaRepository, Review, Status
from adapters.forges.http.address import forge_address
from adapters.forges.http.mirrored_forge import MirroredForge
from adapters.forges.http.skipped import undemanded
from adapters.forges.http.tokens import read_token, reading_environment
from adapters.git.mirror import Mirror, open_mirror
from contracts.forge_facts import BranchProtection, CheckState, CommitCheck, HumanAct, PullComment
from policies.counted import shortened
from policies.settings.schema import Target
from ports.forge import OpenForge

_MOST_LOGS = 10
# What was skipped did not run.
_STATES = {"success": CheckState.GREEN, "pending": CheckState.PENDING, "skipped": CheckState.MISSING}
_CANCELLED = "Has been cancelled"
"""Gitea's own CI calls that a failure, and nobody looked at the commit to the end."""
_REVIEWS = {"APPROVED": "approved", "REQUEST_CHANGES": "changes_requested"}
_EVENTS = {"close": "closed", "reopen": "reopened", "merge_pull": "merged"}


class GiteaForge(MirroredForge):
    """Reading one target's forge."""

    def __init__(self, repository: GiteaRepository, mirror: Mirror, base_branch: str) -> None:
        """``mirror`` reaches the same repository with git."""
        super().__init__(repository, mirror)
        self._repository = repository
        self._base_branch = base_branch

    def required_checks(self, commit: str, named: tuple[str, ...] = ()) -> tuple[CommitCheck, ...] | None:
        """What branch protection demands, and what is named; every reported status where that is nothing."""
        protection = self.protection()
        statuses = self._repository.statuses(commit)
        if not protection.required_checks and not named:
            return self._explained(undemanded(_check(status) for status in statuses)) or None
        demanded = (check for pattern in protection.required_checks for check in _required(pattern, statuses))
        ours = (check for name in named for check in _required(name, statuses, exactly=True))
        # A pattern and a name may mean the same check.
        return self._explained({check.name: check for check in (*demanded, *ours)}.values())

    def reported_checks(self, commit: str) -> tuple[CommitCheck, ...]:
        """The latest status of each context."""
        return tuple(_check(status) for status in self._repository.statuses(commit))

    def _explained(self, checks: Iterable[CommitCheck]) -> tuple[CommitCheck, ...]:
        """With whole links, and what failing jobs of Gitea's own CI said last."""
        shown: list[CommitCheck] = []
        for check in checks:
            told = check.state is CheckState.RED and sum(bool(each.log) for each in shown) < _MOST_LOGS
            log = self._repository.end_of_job(check.link) if told else ""
            link = self._repository.whole_link(check.link)
            shown.append(check.model_copy(update={"link": link, "log": log}))
        return tuple(shown)

    def protection(self) -> BranchProtection:
        """How the base branch is protected, as far as the reading token may see."""
        found = self._repository.branch(self._base_branch)
        return BranchProtection(
            protected=found.protected,
            # The answer is about the token's own account, and that one only reads.
            writer_may_push=None if found.protected else True,
            required_checks=(found.status_check_contexts or ()) if found.enable_status_check else (),
            required_approvals=found.required_approvals,
        )

    def comments(self, number: int) -> tuple[PullComment, ...]:
        """What is said below a pull request."""
        return self._repository.comments(number)

    def human_acts(self, number: int) -> tuple[HumanAct, ...]:
        """Reviews, and who merged, closed or reopened it."""
        reviews = [act for review in self._repository.reviews(number) if (act := _reviewed(review))]
        events = [
            HumanAct.model_validate({"actor": entry.user.login, "act": _EVENTS[entry.type], "at": entry.created_at})
            for entry in self._repository.timeline(number)
            if entry.type in _EVENTS and entry.user
        ]
        return tuple(sorted([*reviews, *events], key=lambda act: act.at))


def _check(status: Status) -> CommitCheck:
    stopped = status.status == "failure" and status.description == _CANCELLED
    state = CheckState.MISSING if stopped else _STATES.get(status.status, CheckState.RED)
    said = shortened(status.description, 300)
    return CommitCheck(name=status.context, state=state, link=status.target_url, detail=said, stopped=stopped)


def _required(pattern: str, statuses: tuple[Status, ...], *, exactly: bool = False) -> list[CommitCheck]:
    # Gitea reads a required name of its own as a glob.
    matching = [
        _check(each)
        for each in statuses
        if each.context == pattern or (not exactly and fnmatchcase(each.context, pattern))
    ]
    return matching or [CommitCheck(name=pattern, state=CheckState.MISSING)]


def _reviewed(review: Review) -> HumanAct | None:
    if review.state not in _REVIEWS or review.user is None:
        return None
    if review.dismissed and review.state == "REQUEST_CHANGES":
        # Taken back by somebody who may: it stands in nobody's way any more.
        return None
    return HumanAct.model_validate(
        {
            "actor": review.user.login,
            "act": _REVIEWS[review.state],
            "at": review.submitted_at,
            "commit_sha": review.commit_id,
            "counts": review.official and not review.stale and not review.dismissed,
        }
    )


def open_gitea_forge(_home: Path, mirrors: Path) -> OpenForge:
    """Forges of targets whose ``forge`` is ``gitea``, read with the token of ``[forge_access.read]``, if any."""
    open_repository = open_mirror(mirrors, reading_environment)

    def opened(target: Target) -> GiteaForge:
        address = forge_address(target)
        token = read_token(target.forge_access.read, "forge_access.read")
        repository = GiteaRepository(address.api, address.repository, target.forge_access.account, token)
        return GiteaForge(repository, open_repository(target), target.base_branch)

    return opened
