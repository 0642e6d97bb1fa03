"""The review of a run once its change was merged or closed (runbook §10): what became of it, judged from facts."""

from collections.abc import Iterable, Sequence

from contracts.forge_facts import PullComment
from contracts.later_review import Fate, LaterReview, Moment, Objective, Said
from contracts.modes import RiskLevel
from contracts.release import RiskScore
from policies.counted import counted, shortened
from policies.governance.proposals import spoken_for

_SAID, _CHARACTERS = 10, 500
"""What people said: so many comments, the latest, of so many characters each."""
_BOT = "[bot]"


def fate(added: int, standing: int, undone: frozenset[str], changed: frozenset[str]) -> Fate:
    """What became of a merge: a line that stands is kept, and what is taken out of every file was reverted.

    Args:
        added: lines that it added.
        standing: those of them that stand.
        undone: of the files it changed, those of which nothing is left.
        changed: all that it changed.
    """
    if changed <= undone:
        return Fate.REVERTED
    return Fate.KEPT if standing == added and not undone else Fate.REWRITTEN


def words(comments: Iterable[PullComment], account: str) -> tuple[Said, ...]:
    """What people said; not what we wrote, and not what a machine account did."""
    ours = {account.lower(), ""}
    people = (each for each in comments if not each.run_key and each.author.lower() not in ours)
    remarks = [
        Said(author=each.author[:100], text=_short(each.body)) for each in people if not each.author.endswith(_BOT)
    ]
    return tuple(each for each in remarks if each.text)[-_SAID:]


def judged(review: LaterReview, risk: RiskScore | None) -> LaterReview:
    """With its sentence, the risk score against what happened, and what it speaks for."""
    return review.model_copy(
        update={
            "sentence": _sentence(review),
            "risk": risk.total if risk else None,
            "risk_against_outcome": _risk(review, risk),
            "suggested": tuple(_suggested(review)),
        }
    )


def went_badly(review: LaterReview) -> str:
    """Why it did, for a sentence; empty: it did not, so far."""
    if review.rolled_back:
        return "rolled back"
    if "regression" in review.ended:
        return "it broke the base"
    if review.ended.startswith("closed by") and not review.ended.startswith("closed by us"):
        return review.ended
    taken = next((each for each in review.moments if each.fate is Fate.REVERTED), None)
    return f"reverted{f' by {taken.by}' if taken.by else ''} within {counted(taken.days, 'day')}" if taken else ""


def objective_met(objective: Objective) -> bool | None:
    """Whether the merge brought what its contract promised; None: it could not be counted."""
    if objective.achieved is None:
        return None
    ahead = objective.achieved - objective.expected
    return ahead <= 0 if objective.expected <= objective.before else ahead >= 0


def told_objective(objective: Objective) -> str:
    """For example ``codespell docs: 3 → 0 on the base after the merge, as expected``."""
    if objective.achieved is None:
        return f"{objective.metric}: not counted on the base after the merge: {objective.note}"
    counts = f"{objective.metric}: {objective.before} → {objective.achieved} on the base after the merge"
    if objective.achieved == objective.expected:
        return f"{counts}, as expected"
    side = "better than" if objective_met(objective) else "short of"
    return f"{counts}, {side} the expected {objective.expected}"


def told_moment(moment: Moment) -> str:
    """For example ``2 of 3 lines stood after 7 days``."""
    after = f"after {counted(moment.days, 'day')}"
    match moment.fate:
        case Fate.NOT_YET:
            return f"{counted(moment.days, 'day is', 'days are')} not over yet"
        case Fate.KEPT:
            return f"kept {after}"
        case Fate.REVERTED:
            return f"reverted{f' by {moment.by}' if moment.by else ''} {after}"
        case Fate.REWRITTEN if moment.added:
            return f"rewritten {after}, {moment.standing} of {counted(moment.added, 'line')} stood"
        case Fate.REWRITTEN:
            return f"partly undone {after}"
        case Fate.UNKNOWN:
            return f"not known {after}: {moment.note}"


def _sentence(review: LaterReview) -> str:
    if review.merged is None:
        text = f", “{review.said[-1].text}”" if review.said and review.ended.startswith("closed") else ""
        if review.ended.startswith("merged"):
            return f"{_capital(review.ended)}; which commit brought it cannot be told, so nor can what became of it."
        return f"{_capital(review.ended)}{text}."
    by = f"by {review.merged.by}" if review.merged.by else "by itself"
    when = f"{review.merged.merged_at:%Y-%m-%d}"
    if review.rolled_back:
        return f"Merged {by} on {when}, and rolled back."
    told: list[str] = []
    for moment in review.moments:
        if moment.fate is Fate.NOT_YET and told and told[-1].endswith("not over yet"):
            continue
        told.append(told_moment(moment))
    return f"Merged {by} on {when}: {'; '.join(told)}."


def _risk(review: LaterReview, risk: RiskScore | None) -> str:
    if risk is None:
        return "no risk was scored"
    scored = f"scored {risk.level} ({risk.total:.2f})"
    if why := went_badly(review):
        verdict = "underestimated" if risk.level is RiskLevel.LOW else "borne out"
        return f"{verdict}: {scored}, and {why}"
    known = [each for each in review.moments if each.fate not in {Fate.NOT_YET, Fate.UNKNOWN}]
    if not known:
        return f"not known yet: {scored}"
    dangerous = risk.level in {RiskLevel.HIGH, RiskLevel.CRITICAL}
    return f"{'not borne out' if dangerous else 'borne out'} so far: {scored}, and {told_moment(known[-1])}"


def _suggested(review: LaterReview) -> Iterable[str]:
    why = went_badly(review)
    metrics: Sequence[str] = ()
    if review.rolled_back:
        metrics = ("rollbacks",)
    elif "regression" in review.ended:
        metrics = ("post-merge regressions",)
    elif why:
        metrics = ("pull request acceptance",)
    for metric in metrics:
        for threshold in spoken_for(metric):
            yield (
                f"{threshold} ({why}): one case of {metric}; the weekly review proposes a step when that misses its "
                "target by more than noise"
            )
    objective = review.objective
    if objective and objective_met(objective) is False:
        yield f"{told_objective(objective)}: if that repeats, drop the rule in charter.toml"


def _short(text: str) -> str:
    return shortened(" ".join(text.split()), _CHARACTERS)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
