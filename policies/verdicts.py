"""Making and reading verdict trees. The result of a rule is its own explanation (P12)."""

from collections.abc import Iterable

from contracts.verdict import Decision, Fact, Verdict

_WORST_FIRST = (Decision.ESCALATE, Decision.DENY, Decision.HOLD, Decision.ASK, Decision.ALLOW)


def allow(rule: str, reason: str, /, **facts: Fact) -> Verdict:
    """The rule holds."""
    return concluded(Decision.ALLOW, rule, reason, **facts)


def deny(rule: str, reason: str, /, **facts: Fact) -> Verdict:
    """The rule does not hold."""
    return concluded(Decision.DENY, rule, reason, **facts)


def ask(rule: str, reason: str, /, **facts: Fact) -> Verdict:
    """A person must decide."""
    return concluded(Decision.ASK, rule, reason, **facts)


def hold(rule: str, reason: str, /, **facts: Fact) -> Verdict:
    """Wait: the facts may change."""
    return concluded(Decision.HOLD, rule, reason, **facts)


def escalate(rule: str, reason: str, /, **facts: Fact) -> Verdict:
    """A policy violation: pause everything (runbook §6.1)."""
    return concluded(Decision.ESCALATE, rule, reason, **facts)


def concluded(decision: Decision, rule: str, reason: str, /, *children: Verdict, **facts: Fact) -> Verdict:
    """What the rules below it say, told as one of its own."""
    return Verdict(rule=rule, decision=decision, reason=reason, facts=facts, children=children)


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
    return concluded(worst.decision, rule, reason, *children)


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
