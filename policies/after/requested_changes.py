"""A review that requests changes on a pull request of ours: who waits for what, what we say, and when it is over.

Nobody answers it with a change yet. So it is acknowledged once, shown while it stands, and closed after a time; that
is no judgement of the idea: only a person's own closing is (policies/task/idea_memory.py).
"""

from datetime import datetime, timedelta

from contracts.forge_facts import HumanAct
from policies.counted import counted
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


def _who(asks: tuple[HumanAct, ...]) -> str:
    return ", ".join(code_span(act.actor) for act in asks)


def _days(days: float) -> str:
    return counted(round(days), "day") if days >= 1 else f"{days:g} days"
