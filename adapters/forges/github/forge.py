"""ports.forge.Forge over GitHub's API; branches are read with git, as everywhere."""

from pathlib import Path

from pydantic import BaseModel

from adapters.forges.github.answers import RequiredCheck, Review, Rule
from adapters.forges.github.api import GitHubRepository
from adapters.forges.github.checks import reported, required
from adapters.forges.http.address import forge_address
from adapters.forges.http.mirrored_forge import MirroredForge
from adapters.forges.http.shapes import shaped
from adapters.forges.http.skipped import undemanded
from adapters.forges.http.tokens import reading_environment, reading_token
from adapters.git.mirror import Mirror, open_mirror
from contracts.forge_facts import BranchProtection, CommitCheck, HumanAct, PullComment
from policies.settings.schema import Target
from ports.forge import OpenForge

_REVIEWS = {"APPROVED": "approved", "CHANGES_REQUESTED": "changes_requested"}
_EVENTS = {"closed": "closed", "reopened": "reopened", "merged": "merged"}


class _RuledCheck(BaseModel):
    context: str
    integration_id: int | None = None


class _RuledChecks(BaseModel):
    required_status_checks: tuple[_RuledCheck, ...] | None = None


class GitHubForge(MirroredForge):
    """Reading one target's forge."""

    def __init__(self, repository: GitHubRepository, mirror: Mirror, base_branch: str) -> None:
        """``mirror`` reaches the same repository with git."""
        super().__init__(repository, mirror)
        self._repository = repository
        self._base_branch = base_branch

    def required_checks(self, commit: str, named: tuple[str, ...] = ()) -> tuple[CommitCheck, ...] | None:
        """What protection, rulesets and ``named`` demand; every reported check where nobody demands one by name."""
        wanted = self._required()
        if not wanted and not named:
            return undemanded(self.reported_checks(commit)) or None
        return required(wanted, named, self._repository.check_runs(commit), self._repository.statuses(commit))

    def reported_checks(self, commit: str) -> tuple[CommitCheck, ...]:
        """Check runs and commit statuses."""
        return reported(self._repository.check_runs(commit), self._repository.statuses(commit))

    def protection(self) -> BranchProtection:
        """How the base branch is protected, as far as the reading token may see.

        Of approvals, only rulesets tell readers the number; classic protection tells administrators.
        """
        rules = self._repository.rules(self._base_branch)
        protected = self._repository.branch(self._base_branch).protected or bool(rules)
        approvals = [_whole(rule.parameters.get("required_approving_review_count")) for rule in rules]
        return BranchProtection(
            protected=protected,
            # Who may push past it is told to nobody who only reads.
            writer_may_push=None if protected else True,
            required_checks=tuple(dict.fromkeys(check.context for check in self._required(rules))),
            required_approvals=max(approvals, default=0),
        )

    def comments(self, number: int) -> tuple[PullComment, ...]:
        """What is said below a pull request."""
        return self._repository.comments(number)

    def human_acts(self, number: int) -> tuple[HumanAct, ...]:
        """Reviews, and who merged, closed or reopened it."""
        head = self._repository.pull(number).head.sha
        handed_in = _not_withdrawn(self._repository.reviews(number))
        reviews = [act for review in handed_in if (act := self._reviewed(review, head))]
        events = [
            HumanAct.model_validate({"actor": event.actor.login, "act": _EVENTS[event.event], "at": event.created_at})
            for event in self._repository.events(number)
            if event.event in _EVENTS and event.actor
        ]
        told = _without_merge_closing(events)
        return tuple(sorted([*reviews, *told], key=lambda act: act.at))

    def _required(self, rules: tuple[Rule, ...] | None = None) -> tuple[RequiredCheck, ...]:
        classic = self._repository.branch(self._base_branch).protection.required_status_checks
        pinned = {check.context for check in classic.checks}
        found = [*classic.checks, *(RequiredCheck(context=name) for name in classic.contexts if name not in pinned)]
        for rule in self._repository.rules(self._base_branch) if rules is None else rules:
            if rule.type == "required_status_checks":
                ruled = shaped(_RuledChecks, rule.parameters).required_status_checks or ()
                found += [RequiredCheck(context=each.context, app_id=each.integration_id) for each in ruled]
        return tuple(found)

    def _reviewed(self, review: Review, head: str) -> HumanAct | None:
        if review.state not in _REVIEWS or review.user is None or review.submitted_at is None:
            return None
        looked_at = review.commit_id or ""
        return HumanAct.model_validate(
            {
                "actor": review.user.login,
                "act": _REVIEWS[review.state],
                "at": review.submitted_at,
                "commit_sha": looked_at,
                "counts": looked_at == head and self._repository.may_write(review.user.login),
            }
        )


def _not_withdrawn(reviews: tuple[Review, ...]) -> tuple[Review, ...]:
    """Without dismissed reviews and whatever the same person said before them: that does not come to life again."""
    last = {_login(review): place for place, review in enumerate(reviews) if review.state == "DISMISSED"}
    return tuple(review for place, review in enumerate(reviews) if place > last.get(_login(review), -1))


def _login(review: Review) -> str:
    return review.user.login if review.user else ""


def _without_merge_closing(events: list[HumanAct]) -> list[HumanAct]:
    """Merging closes too, and GitHub says so; nobody closed it. Only an open one is merged, so it is the last closing.

    Their order tells, not their times: those are whole seconds.
    """
    acts = [event.act for event in events]
    if "merged" not in acts:
        return events
    opened = max((place for place, act in enumerate(acts) if act == "reopened"), default=-1)
    return [event for place, event in enumerate(events) if event.act != "closed" or place < opened]


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def open_github_forge(_home: Path, mirrors: Path) -> OpenForge:
    """Forges of targets whose ``forge`` is ``github``, read with ``[forge_access.read]`` or as the App, if named."""
    open_repository = open_mirror(mirrors, reading_environment)

    def opened(target: Target) -> GitHubForge:
        address = forge_address(target)
        token, account = reading_token(target), target.forge_access.account
        repository = GitHubRepository(address.api, address.repository, account, token)
        return GitHubForge(repository, open_repository(target), target.base_branch)

    return opened
