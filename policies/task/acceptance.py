"""What an owner accepts: what comes first, what this repository's people answered so far, and what goes quiet there.

Few answers are few: under ``FEWEST`` of a kind nothing is learned. From then on what is assumed of every kind
(``PRIOR``) gives way only as far as the 95 % interval of the answers says that it is wrong.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Literal

from contracts.artifact import Contract
from contracts.task import Candidate, Concern
from policies.counted import counted, joined
from policies.governance.baselines import wilson

PRIOR = 0.6
"""Of every kind, until people say otherwise: the acceptance that the baselines ask for (runbook, Baselines)."""
FEWEST = 5
"""Answers of a kind from which on they count."""
LET_LIE = 30
"""Days after which a pull request that nobody answered is an answer, too."""
_QUIET_AFTER = 2
_WEIGHT = {
    Concern.SECURITY: 6,
    Concern.BROKEN: 5,
    Concern.HOOK: 4,
    Concern.OUTDATED: 3,
    Concern.CODE: 2,
    Concern.PROSE: 1,
}
CARE = {
    Concern.SECURITY: "A weakness that is known is open to whoever looks for it.",
    Concern.BROKEN: "Something here does not do what it is there for.",
    Concern.HOOK: "A tool that this repository has set up for itself complains about it.",
    Concern.OUTDATED: "It is behind, and the longer it waits the larger the step.",
    Concern.CODE: "Every reader stumbles over it, and mending it changes nothing that the code does.",
    Concern.PROSE: "It trips up readers.",
}
"""Why somebody should care, where a tool has no finer word."""
_OF_PACKAGES = frozenset({"packages", "crates", "apps", "services", "modules", "plugins", "projects", "libs"})
_CONTAINERS = _OF_PACKAGES | {"src", "lib", "internal", "pkg", "cmd"}

How = Literal["merged", "closed", "undone", "let lie"]
"""``undone``: merged, and taken out, rolled back or reverted since. ``let lie``: open, and answered by nobody."""


class Answer(Contract):
    """What people made of one pull request of ours."""

    tool: str
    rule: str
    areas: frozenset[str]
    how: How
    number: int


def area(path: str) -> str:
    """The folder that a person reviews as one: a package, or what lies at the root (empty).

    ``docs`` of all that lies below it, ``src/pkg`` of a package in ``src``, ``packages/web`` of one among several.
    """
    folders = path.split("/")[:-1]
    return "/".join(folders[:2] if folders[:1] and folders[0] in _CONTAINERS else folders[:1])


def package(path: str) -> str:
    """Of several in one repository the one that a path is of; empty where there is one alone."""
    return area(path) if path.split("/", maxsplit=1)[0] in _OF_PACKAGES else ""


def turn(candidate: Candidate, attempts: int = 0) -> tuple[float, float, str]:
    """Sort key, the first comes first: what owners accept, then the score; each attempt in vain halves, thirds … both.

    What counts is a concern's weight (security, broken, the owner's own hooks, what is outdated, code, prose) times the
    acceptance of its kind: one that people here refuse goes behind those that they take.
    """
    weight = _WEIGHT[candidate.concern] * candidate.acceptance
    return -weight / (1 + attempts), -candidate.score / (1 + attempts), candidate.task_id


def expected(candidate: Candidate, answers: Iterable[Answer]) -> Candidate:
    """The same with what people here answered to its kind, whoever proposed it."""
    how = Counter(each.how for each in answers if (each.tool, each.rule) == (candidate.tool, candidate.rule))
    share, text = _share(how, f"{candidate.tool} {candidate.rule}")
    return candidate.model_copy(update={"acceptance": share, "answers": text})


def _share(how: Mapping[How, int], kind: str) -> tuple[float, str]:
    number, assumed = sum(how.values()), f"{PRIOR:.0%} is assumed of every kind"
    if not number:
        return PRIOR, f"Nobody here has answered a pull request of {kind} yet; {assumed}."
    others = joined([f"{how[each]} {each}" for each in ("closed", "undone", "let lie") if how.get(each)])
    told = f"People here merged {how.get('merged', 0)} of {counted(number, 'pull request')} of {kind}"
    told += f" ({others})" if others else ""
    if number < FEWEST:
        return PRIOR, f"{told}; under {FEWEST} answers nothing is learned, {assumed}."
    low, high = wilson(how.get("merged", 0), number)
    share = round(min(max(PRIOR, low), high), 2)
    return share, f"{told}: {low:.0%} to {high:.0%} (95 %), so {share:.0%} is expected; {assumed}."


def quiet(tool: str, rule: str, paths: Iterable[str], answers: Iterable[Answer], target: str) -> str:
    """Why a kind is not proposed in one of these places any more, and how a person lifts that; empty: it may be.

    Its last two answers there were a no: closed, or merged and undone. What was let lie is no such answer.
    """
    of_this_kind = sorted(
        (each for each in answers if (each.tool, each.rule) == (tool, rule)), key=lambda each: -each.number
    )
    for place in sorted({area(path) for path in paths}):
        last = [each for each in of_this_kind if place in each.areas and each.how != "let lie"][:_QUIET_AFTER]
        if len(last) == _QUIET_AFTER and all(each.how != "merged" for each in last):
            numbers = joined([str(each.number) for each in reversed(last)])
            return (
                f"quiet: pull requests {numbers}, the last of this kind in {place or 'the root folder'}, were closed "
                f'or undone; until one is reopened, or improve.again."{tool} {rule}" in targets/{target}.toml is a '
                "later day than theirs"
            )
    return ""
