"""Making and reading verdict trees. The result of a rule is its own explanation (P12)."""

from collections.abc import Iterable

from contracts.verdict import Decision, Fact, Verdict

_WORST_FIRST = (Decision.ESCALATE, Decision.DENY, Decision.HOLD, Decision.ASK, Decision.ALLOW)


def allow(rule: str, reason: str, /, **facts: Fact) -> Verdict:
    """The rule holds."""
    return Verdict(rule=rule, decision=Decision.ALLOW, reason=reason, facts=facts)


def deny(rule: str, reason: str, /, **facts: Fact) -> Verdict:
    """The rule does not hold."""
    return Verdict(rule=rule, decision=Decision.DENY, reason=reason, facts=facts)


def ask(rule: str, reason: str, /, **facts: Fact) -> Verdict:
    """A person must decide."""
    return Verdict(rule=rule, decision=Decision.ASK, reason=reason, facts=facts)


def hold(rule: str, reason: str, /, **facts: Fact) -> Verdict:
    """Wait: the facts may change."""
    return Verdict(rule=rule, decision=Decision.HOLD, reason=reason, facts=facts)


def escalate(rule: str, reason: str, /, **facts: Fact) -> Verdict:
    """A policy violation: pause everything (runbook §6.1)."""
    return Verdict(rule=rule, decision=Decision.ESCALATE, reason=reason, facts=facts)


def all_of(rule: str, children: Iterable[Verdict]) -> Verdict:
    """The worst child decides: ESCALATE, DENY, HOLD, ASK, ALLOW. No children prove nothing, so DENY (P13).

    Its reason is the whole's, word for word: so the reason of any rule that says no is a sentence of its own, which
    says what is the case, and needs neither the rule's words before it nor those of the rules above it.
    """
    children = tuple(children)
    if not children:
        return deny(rule, "nothing was looked at, so nothing is proven")
    worst = min(children, key=lambda child: _WORST_FIRST.index(child.decision))
    held = "the condition holds" if len(children) == 1 else f"all {len(children)} conditions hold"
    reason = held if worst.allowed else worst.reason
    return Verdict(rule=rule, decision=worst.decision, reason=reason, children=children)


def deciding(verdict: Verdict) -> Verdict:
    """The leaf that decided: the first child, all the way down, that concluded what the whole concluded."""
    for child in verdict.children:
        if child.decision is verdict.decision:
            return deciding(child)
    return verdict


def explain(verdict: Verdict) -> str:
    """The tree as indented text, one line per rule."""
    return "\n".join(_lines(verdict, depth=0))


def _lines(verdict: Verdict, depth: int) -> Iterable[str]:
    facts = ", ".join(f"{name}={value}" for name, value in verdict.facts.items())
    yield f"{'  ' * depth}{verdict.decision.name} {verdict.rule}: {verdict.reason}" + (f" [{facts}]" if facts else "")
    for child in verdict.children:
        yield from _lines(child, depth + 1)
