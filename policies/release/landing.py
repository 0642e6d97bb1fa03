"""Last words before a merge of ours: what people decided, and whether the commit is about the contract it was made for.

People decide on the forge while a run checks and probes: a no of theirs, or a yes that is missing, leaves it to them.
"""

import re
from dataclasses import dataclass

from contracts.forge_facts import BranchProtection, HumanAct
from contracts.pull_request import PullRequest
from contracts.verdict import Verdict
from policies.after.open_pulls import asking, last_reviews
from policies.settings.schema import Target
from policies.verdicts import all_of, allow, ask, deny

_TRAILER = re.compile(r"^Contract-Digest: (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class LandingFacts:
    """Read back from the forge and from git, at this moment."""

    merge_sha: str
    landed: bool
    """The base holds the merge result already: an earlier attempt of this run merged it."""
    pull: PullRequest | None
    acts: tuple[HumanAct, ...]
    """What people did with it, oldest first."""
    protection: BranchProtection
    account: str
    """Ours: its own acts are nobody's decision."""
    commit_message: str
    """Of the change's commit."""
    contract_digest: str
    """Pinned by plan."""


def lands_by_pull(target: Target) -> bool:
    """Whether the forge merges pull requests itself; the base of a local one is moved by git."""
    return target.forge != "local"


def judge_landing(facts: LandingFacts) -> Verdict:
    """Nothing stands in the way: the trailer denies, people are asked."""
    return all_of("the merge may land", (_trailer(facts), *_people(facts)))


def _trailer(facts: LandingFacts) -> Verdict:
    rule = "the commit names the pinned contract"
    found = _TRAILER.findall(facts.commit_message)
    if facts.contract_digest and found == [facts.contract_digest]:
        return allow(rule, "as pinned", digest=facts.contract_digest)
    shown = ", ".join(each[:12] for each in found[:3]) or "no Contract-Digest"
    return deny(rule, f"the commit names {shown}, not the pinned contract {facts.contract_digest[:12] or '(none)'}")


def _people(facts: LandingFacts) -> tuple[Verdict, ...]:
    ended = _open(facts)
    if facts.landed and ended.allowed:
        return (ended,)
    return (ended, _no_objection(facts), _approved(facts))


def _open(facts: LandingFacts) -> Verdict:
    rule, pull = "nobody ended the pull request", facts.pull
    ends = [act for act in facts.acts if pull and act.act == pull.state and not _ours(facts, act)]
    if facts.landed and not ends:
        return allow(rule, "an earlier attempt of this run landed it")
    if pull is None:
        return ask(rule, "the forge does not show the pull request")
    if pull.state == "open":
        return allow(rule, f"pull request {pull.number} is open")
    by = f"{ends[-1].actor} at {ends[-1].at.isoformat(timespec='seconds')}" if ends else "a person"
    return ask(rule, f"pull request {pull.number} was {pull.state} by {by}")


def _no_objection(facts: LandingFacts) -> Verdict:
    """A no holds whatever it was said of, until the same person approves: a newer head does not answer it."""
    rule = "nobody asks for changes"
    asks = asking(facts.acts, facts.account)
    if not asks:
        return allow(rule, "nobody does")
    shown = "; ".join(f"{act.actor} at {act.at.isoformat(timespec='seconds')}" for act in asks[:5])
    return ask(rule, f"changes were requested by {shown}", requested=len(asks))


def _approved(facts: LandingFacts) -> Verdict:
    """A yes is of one commit: of an older head it is void."""
    rule, needed = (
        "what lands has the approvals that the base's protection requires",
        facts.protection.required_approvals,
    )
    if not needed:
        return allow(rule, "none are required")
    approvals = [act for act in last_reviews(facts.acts, facts.account) if act.act == "approved"]
    valid = [act for act in approvals if act.counts and act.commit_sha == facts.merge_sha]
    if len(valid) >= needed:
        return allow(rule, f"{len(valid)} of {needed}: {', '.join(act.actor for act in valid)}")
    void = ", ".join(
        f"{act.actor} approved {act.commit_sha[:12] or 'nothing'}" for act in approvals if act not in valid
    )
    reason = f"{len(valid)} of {needed} required approvals for {facts.merge_sha[:12]}"
    return ask(rule, f"{reason}; void: {void}" if void else reason, required=needed, approved=len(valid))


def _ours(facts: LandingFacts, act: HumanAct) -> bool:
    return act.actor.lower() == facts.account.lower()
