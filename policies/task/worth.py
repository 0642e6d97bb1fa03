"""Whether anything that was found is worth a run, and why the rest is not (P12)."""

from collections import Counter
from collections.abc import Iterator

from contracts.task import CandidateTasks, Finding, FindingFacts
from contracts.verdict import Verdict
from policies.counted import counted, shortened
from policies.settings.schema import EffectivePolicy
from policies.task.candidates import may_be_touched
from policies.verdicts import allow, deny

RULE = "there is something worth doing"
LISTED = 50
"""Of each kind; the whole list is in ``candidate_tasks.json``."""
REASON = 400
_UNTOUCHED = (
    "its task may not touch the file: protected, a licence, read by programs, outside allowed_paths, or of a kind that "
    "its tool may not change"
)


def judge_worth(found: CandidateTasks, findings: tuple[Finding, ...], policy: EffectivePolicy) -> Verdict:
    """ALLOW, whether or not there is: a day without work is no refusal.

    Below it stands a no for every idea that was kept back, with what keeps it, and for the findings of each tool and
    rule of which no task can be made.
    """
    takeable = [each for each in found.candidates if not each.needs_person]
    if takeable:
        verdict = allow(
            RULE, f"{counted(len(takeable), 'candidate')}, best: {takeable[0].title}", best=takeable[0].task_id
        )
    else:
        reason = f"nothing worth doing: {counted(len(findings), 'finding')}, "
        reason += f"{counted(len(found.suppressed), 'idea')} suppressed"
        if found.candidates:
            number = len(found.candidates)
            reason += f", {number} {'waits' if number == 1 else 'wait'} for a person: {found.candidates[0].title}"
        verdict = allow(RULE, reason)
    return verdict.model_copy(update={"children": (*_kept_back(found), *_useless(findings, policy))})


def _kept_back(found: CandidateTasks) -> Iterator[Verdict]:
    for each in found.suppressed[:LISTED]:
        yield deny(shortened(each.title, REASON), f"suppressed: {shortened(each.reason, REASON)}", task=each.task_id)
    if (rest := len(found.suppressed) - LISTED) > 0:
        yield deny("the other ideas", f"{counted(rest, 'more idea')} suppressed; see candidate_tasks.json")


def _useless(findings: tuple[Finding, ...], policy: EffectivePolicy) -> Iterator[Verdict]:
    kinds: Counter[tuple[str, str, str]] = Counter()
    for each in findings:
        if not each.fixable:
            kinds[each.tool, each.rule, "its tool has no fix for it that is known to be safe"] += 1
        elif each.facts == FindingFacts():
            kinds[each.tool, each.rule, "its tool does not say how sure its fixes are"] += 1
        elif not may_be_touched(each, policy):
            kinds[each.tool, each.rule, _UNTOUCHED] += 1
    for (tool, rule, reason), number in kinds.most_common(LISTED):
        yield deny(f"{tool} {rule}: {counted(number, 'finding')}", reason)
    if (rest := len(kinds) - LISTED) > 0:
        yield deny("the other findings", f"of {counted(rest, 'more rule')}; see state_snapshot.json")
