"""What an effect is called, by the way it is measured: to whoever is to bring it about, and to who reads the change.

A row each; how it is counted is the row of the same name in ``adapters/tools/measures.py``.
"""

from typing import NamedTuple

from contracts.task import AskedTask, MeasureKind
from policies.counted import counted


class MeasureWords(NamedTuple):
    """``{check}`` is the check's name, or the tool's and the rule's; ``{before}`` and ``{after}`` are what was counted.

    ``{found}`` is the latter, as findings.
    """

    objective: str
    """What is true when it is done, as it will be measured."""
    metric: str
    shown: str
    """To who reads the pull request."""
    by_check: bool = True
    """A check of the target shows it: the one that is named, else the first of kind `tests`."""


_JUDGED = MeasureWords(
    "Do what is asked; a person judges it.",
    "what a person has not accepted",
    "Nothing measures whether it is right: that is for you to say.",
    by_check=False,
)
WORDS: dict[MeasureKind, MeasureWords] = {
    MeasureKind.FINDINGS: MeasureWords(
        "Leave fewer findings of {check} in these files than on the base, and every required check green.",
        "{check} findings",
        "{check}: {found}, {before} before.",
        by_check=False,
    ),
    MeasureKind.CHECK: MeasureWords(
        "Make the check {check}, which is red on the base, green.",
        "red check {check}",
        "That check is red on the base and green with the change: {check}.",
    ),
    MeasureKind.NEW_TEST: MeasureWords(
        "Do what is asked, and show it by a test that the check {check} runs: red on the base, green with the change.",
        "behaviour without a test in the check {check}",
        "Its tests are red without the change and green with it: {check}.",
    ),
    MeasureKind.COUNTED: MeasureWords(
        "Do what is asked: the check {check} counts fewer findings than on the base.",
        "findings of the check {check}",
        "{check} counts {found}, {before} before.",
    ),
    MeasureKind.COVERAGE: MeasureWords(
        "Do what is asked: the check {check} runs named lines that it does not run on the base. Lines that are "
        "changed, taken out or excluded do not count.",
        "named lines that {check} does not run",
        "Of the lines that were asked about, {check} leaves {after} not run, {before} before, by its own report.",
    ),
    MeasureKind.BENCHMARK: MeasureWords(
        "Do what is asked: the benchmark gets better than on the base, by more than its noise. What the benchmark is "
        "made of stays as it is.",
        "thousandths of what the benchmark says of the base",
        "Its benchmark says {after} thousandths of what it says of the base, run in turn, beyond its noise.",
        by_check=False,
    ),
    MeasureKind.IN_CI: MeasureWords(
        "Make the forge's own CI, which is red on the base, green: it runs on the pull request.",
        "red checks in the forge's CI, which runs on the pull request",
        "Nothing here measures whether CI is green again: its own checks of this pull request do.",
        by_check=False,
    ),
    MeasureKind.ACCEPTANCE: _JUDGED,
}


def objective(task: AskedTask) -> str:
    """What is true when it is done, as it will be measured."""
    return WORDS[task.measure].objective.format(check=_name(task))


def metric(task: AskedTask) -> str:
    """What is counted."""
    return WORDS[task.measure].metric.format(check=_name(task))


def _name(task: AskedTask) -> str:
    return task.check or f"{task.tool} {task.rule}".strip()


def shown(measure: MeasureKind, check: str, before: int, after: int) -> str:
    """What shows that a change is what was asked for; ``check`` as it may stand in the text."""
    found = counted(after, "finding")
    return WORDS[measure].shown.format(check=check, before=before, after=after, found=found)
