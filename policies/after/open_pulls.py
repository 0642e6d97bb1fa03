"""What becomes of pull requests of ours: one that is asked to change, and a branch that has served its purpose.

Nobody answers a request for changes with a change yet. So it is acknowledged once, shown while it stands, and closed
after a time; that is no judgement of the idea: only a person's own closing is (``policies.task.idea_memory``).
"""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts.forge_facts import HumanAct
from contracts.pull_request import PullRequest
from policies.counted import counted
from policies.run.strangers import OURS
from policies.texts.inert_markdown import code_span

_REVIEWS = frozenset({"approved", "changes_requested"})


def last_reviews(acts: tuple[HumanAct, ...], account: str) -> tuple[HumanAct, ...]:
    """Each person's latest word; our account's own is nobody's decision."""
    theirs = (act for act in acts if act.act in _REVIEWS and act.actor.lower() != account.lower())
    return tuple({act.actor: act for act in theirs}.values())


def asking(acts: tuple[HumanAct, ...], account: str) -> tuple[HumanAct, ...]:
    """Requests that stand: a no holds, whatever it was said of, until the same person approves or takes it back."""
    return tuple(act for act in last_reviews(acts, account) if act.act == "changes_requested")


def waits_for(asks: tuple[HumanAct, ...]) -> str:
    """How lists show it; empty: nobody asks for anything."""
    return f"waiting for {', '.join(act.actor for act in asks)}: requested changes" if asks else ""


def over(asks: tuple[HumanAct, ...], days: float, now: datetime) -> bool:
    """Whether the latest request has stood for its time."""
    return bool(asks) and max(act.at for act in asks) + timedelta(days=days) <= now


def acknowledgement(asks: tuple[HumanAct, ...], days: float) -> str:
    """The comment: what will happen."""
    until = max(act.at for act in asks) + timedelta(days=days)
    return (
        f"**Seen: {_who(asks)} requested changes.** Nobody of us works on a pull request again by itself yet, so it "
        "stays as it is, and is not merged by itself.\n\n"
        "- Approve it, or withdraw the request: it waits for a person, as before.\n"
        "- Close it: the idea is not proposed again in these files while it is closed.\n"
        f"- Otherwise it is closed after {until:%Y-%m-%d} ({_days(days)} after the request); the idea may come again.\n"
    )


def closed_unanswered(asks: tuple[HumanAct, ...], days: float) -> str:
    """Why it was closed, below its own text."""
    return (
        f"\n**Closed by us: changes were requested, and nothing more for {_days(days)}**\n\n"
        f"- By {_who(asks)}; nobody refused the idea itself, so it may come again.\n"
    )


def closed_overtaken(why: str) -> str:
    """Why the pull request of a proposal was closed, below its own text."""
    return f"\n**Closed by us: what it proposes may not be merged any more**\n\n- {code_span(why)}\n"


OUTLIVED = "it conflicts with the base, where nothing is left of what it mends"
"""The reason, where a person mended it in another way, or took the file away."""


def _who(asks: tuple[HumanAct, ...]) -> str:
    return ", ".join(code_span(act.actor) for act in asks)


def _days(days: float) -> str:
    return counted(round(days), "day") if days >= 1 else f"{days:g} days"


# Which branches of ours have served their purpose: those may go, and no other.

_CANARY = f"{OURS}canary/"
_SHORT = 8
"""Hex digits of the commit at the end of a canary's name."""


def is_canary(branch: str) -> bool:
    """Whether it is, or would be, one of these branches."""
    return branch.startswith(_CANARY)


def canary_branch(run_id: str, commit: str) -> str:
    """The branch that shows a run's merge result to the canary."""
    return f"{_CANARY}{run_id}-{commit[:_SHORT]}"


def canary_of(branch: str) -> str:
    """The run whose canary a branch is; empty: it is none."""
    return branch.removeprefix(_CANARY)[: -_SHORT - 1] if branch.startswith(_CANARY) else ""


@dataclass(frozen=True)
class Served:
    """A branch that may go, at the commit we put there, and why."""

    branch: str
    head_sha: str
    run_id: str
    """Whose it was."""
    why: str


def served(
    pulls: tuple[PullRequest, ...],
    heads: Mapping[str, str],
    ours: AbstractSet[str],
    busy: AbstractSet[str],
    ended: AbstractSet[str],
) -> tuple[Served, ...]:
    """In the order of their names.

    Args:
        pulls: all of ours, newest first.
        heads: the remote's branches.
        ours: commits that our audit logs say we put there: a branch that stands elsewhere is somebody's.
        busy: branches that a run which goes on writes to.
        ended: runs that have ended.
    """
    found = []
    for branch, head in sorted(heads.items()):
        if not branch.startswith(OURS) or head not in ours or branch in busy:
            continue
        mine = [pull for pull in pulls if pull.branch == branch]
        run_id = canary_of(branch)
        if run_id and run_id in ended:
            found.append(Served(branch, head, run_id, f"the canary of {run_id} is over"))
        elif mine and all(pull.state != "open" for pull in mine):
            last = mine[0]
            found.append(Served(branch, head, last.run_id, f"pull request {last.number} is {last.state}"))
    return tuple(found)
