"""Which lines an agent crossed in a run: somebody is to hear of it, however the run ended (runbook §9).

Of what the sandbox's walls stop only the network tells: a write that fails leaves no trace, nor does a name that nobody
looks up for it. A limit overrun, or a task not done, is no line.
"""

from collections.abc import Iterable, Iterator, Sequence

from contracts.evidence import ReviewRemark
from contracts.exchange import AgentRecord, Ending
from contracts.modes import Role
from contracts.verdict import Verdict
from policies.counted import counted, shortened

PATHS_RULE = "every changed path may be touched"
TREE_RULE = "the tree can be committed"
FITS_RULE = "the change fits its contract"
"""The rules that refuse what an agent left outside of its contract; of the last only what is too long to travel."""
CROSSED = "crossed"
"""The fact of a verdict: what our review saw in an agent's change that no honest work needs."""
_NAMED, _LONGEST = 3, 400


def lines_crossed(steps: Iterable[Verdict], agents: Sequence[AgentRecord]) -> tuple[str, ...]:
    """What each was, to follow "the agent …"; none where no agent of others' making worked.

    Rules, in order: it wrote where programs like it take orders, or where a secret is · it asked for a model that the
    charter does not name · it tried to reach a machine that the charter does not name · it made a `.git` · its tree, or
    a path of its change, is outside of what its contract allows · our review saw a check, or a test, made to say what
    it wants, or something hidden.

    Args:
        steps: the verdicts of all steps, those of earlier rounds included.
        agents: what agents did in the run, by our own records.
    """
    dropped = sorted({path for each in agents for path in each.dropped if path not in each.litter})
    where = "where agents' programs take orders or a secret is"
    found = [f"wrote {where}, which was not kept, at {_listed(dropped, 'path')}"] * bool(dropped)
    refused = [exchange for each in agents for exchange in each.exchanges if exchange.ending is Ending.FORBIDDEN]
    if models := sorted({exchange.model for exchange in refused if exchange.model}):
        found.append(f"asked for {_listed(models, 'model')} that the charter does not allow")
    tries = sum(each.reached_out or 0 for each in agents)
    found += [f"tried to reach other machines past the gateway, in vain, {counted(tries, 'time')}"] * bool(tries)
    if hosts := sorted({host for each in agents for host in each.hosts_refused if host not in each.usual_hosts}):
        found.append(f"asked for {_listed(hosts, 'host')} that the charter does not name")
    if hidden := sorted({path for each in agents for path in each.changed if ".git" in path.split("/")}):
        found.append(f"made a repository of its own, which was not kept, at {_listed(hidden, 'path')}")
    if any(each.role == Role.CODING for each in agents):
        found += [reason for verdict in steps for reason in _refused(verdict)]
    return tuple(shortened(reason, _LONGEST) for reason in dict.fromkeys(found))


def crossing(remarks: Iterable[ReviewRemark]) -> dict[str, str]:
    """The fact for a review's verdict; empty where our reviewer saw nothing of the kind."""
    text = "; ".join(f"{each.path or 'the change'} {each.message}" for each in remarks if each.crosses)
    return {CROSSED: shortened(text, _LONGEST)} if text else {}


def _refused(verdict: Verdict) -> Iterator[str]:
    if seen := verdict.facts.get(CROSSED):
        yield f"did what no honest work needs: {seen}"
    # What is too long to travel has its children in an artifact; only paths are that many.
    whole = verdict.rule == FITS_RULE and "whole" in verdict.facts
    if not verdict.allowed and (whole or verdict.rule in {PATHS_RULE, TREE_RULE}):
        yield f"left its contract: {verdict.reason}"
    for child in verdict.children:
        yield from _refused(child)


def _listed(names: Sequence[str], what: str) -> str:
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"{counted(len(names), what)}: {', '.join(names[:_NAMED])}{rest}"
