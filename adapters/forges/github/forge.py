"""ports.forge.Forge over GitHub's API; branches are read with git, as everywhere."""

from pathlib import Path

from pydantic import BaseModel

from adapters.forges.github.api import GitHubRepository, RequiredCheck, Review, Rule
from adapters.forges.github.checks import reported, required
from adapters.forges.http.forge import HttpForge, by_a_person, opening, undemanded
from adapters.forges.http.repository import shaped
from contracts.forge_facts import BranchProtection, CommitCheck, HumanAct
from ports.forge import OpenForge

_REVIEWS = {"APPROVED": "approved", "CHANGES_REQUESTED": "changes_requested"}
_EVENTS = {"closed": "closed", "reopened": "reopened", "merged": "merged"}


class _RuledCheck(BaseModel):
    context: str
    integration_id: int | None = None


class _RuledChecks(BaseModel):
    required_status_checks: tuple[_RuledCheck, ...] | None = None


class GitHubForge(HttpForge[GitHubRepository]):
    """Reading one target's forge."""

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

    def human_acts(self, number: int) -> tuple[HumanAct, ...]:
        """Reviews, and who merged, closed or reopened it."""
        head = self._repository.pull(number).head_sha
        handed_in = _not_withdrawn(self._repository.reviews(number))
        reviews = [self._reviewed(review, head) for review in handed_in]
        events = (
            by_a_person(_EVENTS, event.event, event.actor, event.created_at)
            for event in self._repository.events(number)
        )
        told = _without_merge_closing([event for event in events if event])
        return tuple(sorted(filter(None, [*reviews, *told]), key=lambda act: act.at))

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
        if review.state not in _REVIEWS or review.user is None:
            return None
        looked_at = review.commit_id or ""
        counts = looked_at == head and self._repository.may_write(review.user.login)
        facts = {"commit_sha": looked_at, "counts": counts}
        return by_a_person(_REVIEWS, review.state, review.user, review.submitted_at, **facts)


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
    """Forges of targets whose ``forge`` is ``github``."""
    return opening(mirrors, GitHubRepository, GitHubForge)
