"""From findings to ranked ideas, whether one is worth a run, and why the rest is not (runbook §4 Triaging; P12)."""

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, partial
from typing import Any, NamedTuple

from contracts.handover import COULD_NOT_LOOK, NOTHING_WORTH_DOING
from contracts.task import Candidate, CandidateTasks, Finding, FindingFacts, SuppressedCandidate, TaskType
from contracts.verdict import Verdict
from policies.counted import counted, shortened
from policies.digests import digest
from policies.paths.rules import hostile_name, matches, protection, reachable, readable
from policies.settings.schema import CapSettings, EffectivePolicy
from policies.task.acceptance import CARE, area, expected, package, quiet, turn
from policies.task.compliance import is_licence_text
from policies.task.idea_memory import Memory, withheld
from policies.task.risk import BLOCKED_UNLESS_APPROVED, is_runtime, worst_level
from policies.task.task_words import common_words, plain_words, task_title
from policies.verdicts import allow, deny

LINES_PER_FINDING = 2
"""One removed, one added: the estimate; the contract's limit is what holds."""

_EVIDENCE = 10


class Ranking(NamedTuple):
    """The two lists of ``candidate_tasks.json``."""

    candidates: tuple[Candidate, ...]
    suppressed: tuple[SuppressedCandidate, ...]


def rank(findings: tuple[Finding, ...], policy: EffectivePolicy, memory: Memory) -> Ranking:
    """Group, bound, score, suppress; the same input always gives the same answer.

    Rules, in order:

    1. Only what a tool can fix, in paths that its fixes and a contract may touch, counts (P5).
    2. Findings of one tool and rule in one package are one idea; where they are more than the diff budget, those in one
       folder (``area``). A larger one still is split, and one that would be HIGH by its size: the files that fit and
       remove most findings are proposed, the rest waits.
    3. First comes what owners accept (``acceptance.turn``), then the higher score: confidence * value (what the tool
       says of its kind of finding) * log2(1 + findings removed).
    4. Suppressed, with the reason: too many open pull requests · one open for the same tool and rule · refused in one
       of its files (``idea_memory``) · closed twice in its folder · being remediated · confidence below the minimum ·
       no file fits the budget · beyond the listed number.
    5. What came to nothing without a judgement goes behind: each such attempt weighs as much as its place itself.
    """
    groups: dict[tuple[str, str, str], list[Finding]] = defaultdict(list)
    kept_out = cache(partial(untouched, policy))
    for finding in findings:
        if finding.fixable and not kept_out(finding.path, finding.facts):
            groups[finding.tool, finding.rule, "" if finding.facts.together else package(finding.path)].append(finding)
    ideas = (
        candidate_of(tool, rule, part, policy)
        for (tool, rule, _), group in sorted(groups.items())
        for part in _reviewed_as_one(group, policy)
    )
    return _divide(ideas, policy, memory)


def _reviewed_as_one(group: list[Finding], policy: EffectivePolicy) -> list[list[Finding]]:
    """All of them where they fit the diff budget; else folder by folder."""
    budget, files = policy.autopilot.diff_budget, {each.path for each in group}
    fits = len(files) <= budget.files and LINES_PER_FINDING * len(group) <= budget.lines
    if fits or group[0].facts.together:
        return [group]
    areas: dict[str, list[Finding]] = defaultdict(list)
    for each in group:
        areas[area(each.path)].append(each)
    return [areas[place] for place in sorted(areas)]


def suppress(proposed: CandidateTasks, policy: EffectivePolicy, memory: Memory) -> CandidateTasks:
    """Apply rule 4 of ``rank`` to candidates from any backend; what a backend suppressed itself stays so."""
    kept, suppressed = _divide(proposed.candidates, policy, memory)
    return proposed.model_copy(update={"candidates": kept, "suppressed": (*proposed.suppressed, *suppressed)})


def _divide(ideas: Iterable[Candidate], policy: EffectivePolicy, memory: Memory) -> Ranking:
    kept: list[Candidate] = []
    suppressed: list[SuppressedCandidate] = []
    ranked = (expected(idea, memory.answers) for idea in ideas)
    for idea in sorted(ranked, key=lambda each: turn(each, memory.attempts(each.tool, each.rule, each.paths))):
        reason = _suppression(idea, policy, memory)
        if not reason and len(kept) >= policy.autopilot.candidates.listed:
            reason = f"beyond the {policy.autopilot.candidates.listed} best; until those are done"
        if reason:
            suppressed.append(SuppressedCandidate(task_id=idea.task_id, title=idea.title, reason=reason))
        else:
            kept.append(idea)
    return Ranking(tuple(kept), tuple(suppressed))


def told(findings: Iterable[Finding], policy: EffectivePolicy, memory: Memory) -> tuple[SuppressedCandidate, ...]:
    """What is withheld from ranking, because it was refused: one entry for each tool, rule and reason."""
    kept_back = withheld((each for each in findings if may_be_touched(each, policy)), memory)
    ideas = ((candidate_of(tool, rule, list(group), policy), why) for (tool, rule, why), group in kept_back.items())
    return tuple(SuppressedCandidate(task_id=idea.task_id, title=idea.title, reason=why) for idea, why in ideas)


def with_reported(found: CandidateTasks, findings: Iterable[Finding], policy: EffectivePolicy) -> CandidateTasks:
    """What a source reports, ranked beside the tools' own, for a person to see: nothing here has a fix for it."""
    groups: dict[tuple[str, str], list[Finding]] = defaultdict(list)
    for finding in findings:
        if finding.facts.for_person and not finding.fixable:
            groups[finding.tool, finding.rule].append(finding)
    ideas = (candidate_of(*key, group, policy, needs_person=True) for key, group in groups.items())
    listed = list(found.candidates)
    for idea in sorted(ideas, key=turn):
        place = next((at for at, each in enumerate(listed) if turn(each)[:2] > turn(idea)[:2]), len(listed))
        listed.insert(place, idea)
    return found.model_copy(update={"candidates": tuple(listed)})


def stated_by_us(proposed: CandidateTasks, target: str, findings: tuple[Finding, ...]) -> tuple[Candidate, ...]:
    """Candidates of any backend under our own ids and words: a fresh id would slip past what is suppressed."""
    ours = []
    stated: dict[str, object]
    for each in proposed.candidates:
        kind = (each.tool, each.rule)
        about = [one for one in findings if (one.tool, one.rule) == kind and one.path in each.paths]
        stated = {"task_id": task_id(target, *kind, each.paths), "remediates": "", "needs_person": False}
        if each.type is TaskType.DEPENDENCY_UPDATE and {one.facts.type for one in about} != {each.type}:
            # That type opens lock files: whether it is one, the tool says that found it.
            stated["type"] = TaskType.CODE_IMPROVEMENT
        ours.append(each.model_copy(update=stated | {"asked": None} | _care(about)))
    return tuple(ours)


def task_id(target: str, tool: str, rule: str, paths: tuple[str, ...]) -> str:
    """``<tool>-<rule>-<8 hex>``: stable while the idea is; fit for a branch name."""
    return f"{_idea(tool, rule)}-{digest([target, tool, rule, sorted(paths)])[:8]}"


def may_be_touched(finding: Finding, policy: EffectivePolicy) -> bool:
    """Whether a contract may be made of a finding (rule 1 of ``rank``)."""
    return finding.fixable and not untouched(policy, finding.path, finding.facts)


def waits_for_people(tool: str, rule: str, caps: CapSettings, memory: Memory) -> str:
    """Why an idea waits until people have answered, and until when; empty when it does not.

    Too many pull requests are open, or one of the same tool and rule: two would touch the same lines before long.
    """
    if len(memory.open_task_ids) >= caps.open_pull_requests:
        waits = counted(len(memory.open_task_ids), "pull request waits", "pull requests wait")
        return f"{waits} for a person, at most {caps.open_pull_requests}; until one is merged or closed"
    idea = _idea(tool, rule)
    for open_id in sorted(memory.open_task_ids):
        known = memory.ideas.get(open_id)
        if idea == (_idea(*known) if known else open_id.rpartition("-")[0]):
            return f"a pull request is open for the same idea: {open_id}; until it is merged or closed"
    return ""


def _idea(tool: str, rule: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", f"{tool}-{rule}".lower()).strip("-")[:60]


def untouched(policy: EffectivePolicy, path: str, facts: FindingFacts) -> str:
    """The first rule by which a fix may not touch a file, in words; empty: it may."""
    if hostile := hostile_name(path):
        return f"its name is refused: {hostile}"
    if not matches(path, facts.may_change):
        return "it is of a kind that its tool may not change"
    # What defines checks or instructs agents is read by programs: no place for better prose.
    if facts.type is TaskType.DOCUMENTATION_UPDATE and matches(path, policy.protected_paths.check_defining):
        return "it defines checks or instructs agents, and programs read it"
    if rule := protection(path, policy, facts.type):
        return f"it is protected: {rule.reason}"
    if is_licence_text(path, policy):
        return "it is a licence text"
    if not reachable(path, policy, facts.type):
        return "it is outside allowed_paths of the target's file"
    return ""


def _care(group: list[Finding]) -> dict[str, Any]:
    """Of an idea: what it is called, how much it matters, and why; of one about nothing that was found, nothing."""
    facts = min((each.facts for each in group), key=lambda each: each.confidence, default=FindingFacts())
    words = common_words(group) or (plain_words(group[0], CARE[facts.concern]) if group else None)
    return {"words": words, "concern": facts.concern, "why": words.why if words else ""}


def candidate_of(
    tool: str, rule: str, group: list[Finding], policy: EffectivePolicy, *, needs_person: bool = False
) -> Candidate:
    """One idea: the findings of a tool and rule in as many files as fit the diff budget; all of them for a person."""
    per_file = Counter(finding.path for finding in group)
    paths = tuple(sorted(per_file)) if needs_person else _best_files(per_file, policy, group[0].facts.type)
    chosen = [finding for finding in group if finding.path in paths]
    paths = tuple(sorted({*paths, *(path for finding in chosen for path in finding.along)}))
    # Of one kind they say the same; where they do not, the least sure of them counts.
    removed, facts = len(chosen), min((finding.facts for finding in group), key=lambda each: each.confidence)
    tests_only = all(not is_runtime(path) and path.endswith(".py") for path in paths) and bool(paths)
    rest = len(per_file) - len(paths)
    return Candidate(
        task_id=task_id(policy.target.name, tool, rule, paths),
        type=TaskType.TEST_HARDENING if tests_only else facts.type,
        title=task_title(tool, rule, chosen, paths),
        tool=tool,
        rule=rule,
        paths=paths,
        metric=f"{tool} {rule} findings",
        before=removed,
        expected_after=0,
        confidence=facts.confidence,
        score=round(facts.confidence * facts.value * math.log2(1 + removed), 4),
        estimated_files=len(paths),
        estimated_lines=LINES_PER_FINDING * removed,
        needs_person=needs_person,
        evidence=tuple(
            [f"{f.path}:{f.line} {f.rule} {f.message}" for f in sorted(chosen, key=lambda f: (f.path, f.line))][
                :_EVIDENCE
            ]
            + [_waiting(rest)] * (rest > 0)
        ),
        **_care(chosen or group),
    )


def _waiting(rest: int) -> str:
    waits = "waits" if rest == 1 else "wait"
    return f"{counted(rest, 'more file')} {waits} for another day: one batch stays within diff budget and risk"


def _best_files(per_file: Mapping[str, int], policy: EffectivePolicy, task_type: TaskType) -> tuple[str, ...]:
    """Files with most findings first, as long as they fit; a file that alone is too large is left out.

    No file joins that would make the batch HIGH by its size: nobody could release it, and each part could be. Files
    that are HIGH alone come last.
    """
    budget = policy.autopilot.diff_budget
    high = {path for path in per_file if worst_level((path,), policy, task_type) in BLOCKED_UNLESS_APPROVED}
    chosen: list[str] = []
    lines = 0
    for path, count in sorted(per_file.items(), key=lambda item: (item[0] in high, -item[1], item[0])):
        fits = len(chosen) < budget.files and lines + LINES_PER_FINDING * count <= budget.lines
        if fits and (not chosen or worst_level((*chosen, path), policy, task_type) not in BLOCKED_UNLESS_APPROVED):
            chosen.append(path)
            lines += LINES_PER_FINDING * count
    return tuple(sorted(chosen))


def _suppression(candidate: Candidate, policy: EffectivePolicy, memory: Memory) -> str | None:
    caps, rules = policy.autopilot.caps, policy.autopilot.candidates
    if waits := waits_for_people(candidate.tool, candidate.rule, caps, memory):
        return waits
    if refusal := memory.refusal(candidate.task_id, candidate.tool, candidate.rule, candidate.paths):
        return refusal
    if reason := quiet(candidate.tool, candidate.rule, candidate.paths, memory.answers, policy.target.name):
        return reason
    if late := sorted(p for p in candidate.paths if (candidate.tool, candidate.rule, p) in memory.suspects):
        return f"a remediation of the same idea has its turn first, on {readable(late[0])}; until that has ended"
    if candidate.confidence < rules.minimum_confidence:
        return f"confidence {candidate.confidence} is below {rules.minimum_confidence}"
    if not candidate.paths:
        return "each of its files alone is beyond the diff budget"
    return None


WORTH_RULE = "there is something worth doing"
LISTED = 50
"""Of each kind; the whole list is in ``candidate_tasks.json``."""
_REASON = 400


def judge_worth(
    found: CandidateTasks, findings: tuple[Finding, ...], policy: EffectivePolicy, unseen: Sequence[str] = ()
) -> Verdict:
    """ALLOW, whether or not there is: a day without work is no refusal.

    Below it stands why each candidate matters, a no for every idea that was kept back, with what keeps it, and one for
    the findings of each tool and rule of which no task can be made. ``unseen``: what could not be looked at, a line
    each; a day on which nothing is found says that first.
    """
    takeable = [each for each in found.candidates if not each.needs_person]
    if takeable:
        verdict = allow(
            WORTH_RULE, f"{counted(len(takeable), 'candidate')}, best: {takeable[0].title}", best=takeable[0].task_id
        )
    else:
        reason = f"{NOTHING_WORTH_DOING}: {counted(len(findings), 'finding') if findings else 'no findings'}"
        if found.suppressed:
            reason += f", {counted(len(found.suppressed), 'idea')} suppressed"
        if found.candidates:
            number = len(found.candidates)
            reason += f", {number} {'waits' if number == 1 else 'wait'} for a person: {found.candidates[0].title}"
        if useless := _of_no_task(findings, policy):
            (tool, rule, why), _ = useless[0]
            reason += f"; {tool} {rule}: {why}" + (
                f", and {counted(len(useless) - 1, 'more kind')}" if useless[1:] else ""
            )
        if unseen:
            more = f", and {len(unseen) - 1} more" if unseen[1:] else ""
            reason = f"{COULD_NOT_LOOK}{shortened(unseen[0].rstrip('.'), _REASON)}{more}; {reason}"
        verdict = allow(WORTH_RULE, reason)
    children = (*_listed(takeable), *_kept_back(found), *_useless(findings, policy))
    return verdict.model_copy(update={"children": children})


def _listed(takeable: list[Candidate]) -> Iterator[Verdict]:
    """Why each matters, and what people here answered to its kind."""
    for each in takeable[:LISTED]:
        text = shortened(" ".join(filter(None, (each.why, each.answers))), _REASON)
        yield allow(shortened(each.title, _REASON), f"{each.concern.value}: {text}", task=each.task_id)


def _kept_back(found: CandidateTasks) -> Iterator[Verdict]:
    for each in found.suppressed[:LISTED]:
        yield deny(shortened(each.title, _REASON), f"suppressed: {shortened(each.reason, _REASON)}", task=each.task_id)
    if (rest := len(found.suppressed) - LISTED) > 0:
        yield deny("the other ideas", f"{counted(rest, 'more idea')} suppressed; see candidate_tasks.json")


def _of_no_task(findings: tuple[Finding, ...], policy: EffectivePolicy) -> list[tuple[tuple[str, str, str], int]]:
    """Tool, rule and why no task can be made of it, with how many there are; most first."""
    kinds: Counter[tuple[str, str, str]] = Counter()
    for each in findings:
        if each.facts.for_person and not each.fixable:
            # It is listed.
            continue
        if not each.fixable:
            kinds[each.tool, each.rule, "its tool has no fix for it that is known to be safe"] += 1
        elif each.facts == FindingFacts():
            kinds[each.tool, each.rule, "its tool does not say how sure its fixes are"] += 1
        elif why := untouched(policy, each.path, each.facts):
            kinds[each.tool, each.rule, f"its task may not touch the file: {why}"] += 1
    return kinds.most_common()


def _useless(findings: tuple[Finding, ...], policy: EffectivePolicy) -> Iterator[Verdict]:
    kinds = _of_no_task(findings, policy)
    for (tool, rule, reason), number in kinds[:LISTED]:
        yield deny(f"{tool} {rule}: {counted(number, 'finding')}", reason)
    if (rest := len(kinds) - LISTED) > 0:
        yield deny("the other findings", f"of {counted(rest, 'more rule')}; see state_snapshot.json")
