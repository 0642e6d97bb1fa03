"""ports.forge.Forge over Gitea's API; branches are read with git, as everywhere."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from pathlib import Path

from adapters.forges.gitea.api import GiteaRepository, Review, Status
from adapters.forges.http.forge import HttpForge, by_a_person, opening, undemanded
from contracts.forge_facts import BranchProtection, CheckState, CommitCheck, HumanAct
from policies.counted import shortened
from ports.forge import OpenForge

_MOST_LOGS = 10
# What was skipped did not run.
_STATES = {"success": CheckState.GREEN, "pending": CheckState.PENDING, "skipped": CheckState.MISSING}
_CANCELLED = "Has been cancelled"
"""Gitea's own CI calls that a failure, and nobody looked at the commit to the end."""
_REVIEWS = {"APPROVED": "approved", "REQUEST_CHANGES": "changes_requested"}
_EVENTS = {"close": "closed", "reopen": "reopened", "merge_pull": "merged"}


class GiteaForge(HttpForge[GiteaRepository]):
    """Reading one target's forge."""

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

    def human_acts(self, number: int) -> tuple[HumanAct, ...]:
        """Reviews, and who merged, closed or reopened it."""
        repository = self._repository
        happened = (by_a_person(_EVENTS, each.type, each.user, each.created_at) for each in repository.timeline(number))
        found = [*(_reviewed(review) for review in repository.reviews(number)), *happened]
        return tuple(sorted(filter(None, found), key=lambda act: act.at))


def _check(status: Status) -> CommitCheck:
    stopped = status.status == "failure" and status.description == _CANCELLED
    state = CheckState.MISSING if stopped else _STATES.get(status.status, CheckState.RED)
    text = shortened(status.description, 300)
    return CommitCheck(name=status.context, state=state, link=status.target_url, detail=text, stopped=stopped)


def _required(pattern: str, statuses: tuple[Status, ...], *, exactly: bool = False) -> list[CommitCheck]:
    # Gitea reads a required name of its own as a glob.
    matching = [
        _check(each)
        for each in statuses
        if each.context == pattern or (not exactly and fnmatchcase(each.context, pattern))
    ]
    return matching or [CommitCheck(name=pattern, state=CheckState.MISSING)]


def _reviewed(review: Review) -> HumanAct | None:
    if review.dismissed and review.state == "REQUEST_CHANGES":
        # Taken back by somebody who may: it stands in nobody's way any more.
        return None
    counts = review.official and not review.stale and not review.dismissed
    looked_at = {"commit_sha": review.commit_id, "counts": counts}
    return by_a_person(_REVIEWS, review.state, review.user, review.submitted_at, **looked_at)


def open_gitea_forge(_home: Path, mirrors: Path) -> OpenForge:
    """Forges of targets whose ``forge`` is ``gitea``."""
    return opening(mirrors, GiteaRepository, GiteaForge)
