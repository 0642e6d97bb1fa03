"""A change that asks who runs it: it may be right under the test runner alone.

That a change fits a check and not its cause cannot be told in general (a value that is written in, an input that is
compared). What can: code that asks for a test runner, or names the test by which it is measured.
"""

import re
from collections.abc import Iterable

from contracts.task import AskedBy, TaskContract

_RUNNERS = re.compile(
    r"PYTEST_(?:CURRENT_TEST|VERSION|XDIST_WORKER)\w*|\b(?:JEST_WORKER_ID|VITEST(?:_\w+)?|MOCHA_\w+|TOX_ENV_\w+)\b"
    r"|\bsys\.modules\b.{0,20}\b(?:pytest|_pytest|unittest|nose)\b"
    r"|[\"'](?:pytest|_pytest|unittest|nose)[\"']\s+(?:not\s+)?in\s+(?:sys\.)?modules\b"
    r"|\b(?:pytest|py\.test|unittest)\b.{0,20}\bsys\.argv|\bsys\.argv\b.{0,30}\b(?:pytest|py\.test|unittest)\b"
    r"|\b(?:environ|getenv|env|ENV|Getenv|LookupEnv|env::var)\b.{0,12}?\b(?:CI|GITHUB_ACTIONS|GITLAB_CI|GITEA_ACTIONS)\b"
    r"|\btesting\.Testing\(\)|\bflag\.Lookup\(\W?test\.|\bcfg!\(\s*test\s*\)"
)
_NAMES = re.compile(r"\b(?:test_\w{3,}|Test[A-Z]\w{2,})\b")
_DEFINED = re.compile(r"\b(?:def|func|fn)\s+(test_\w{3,}|Test[A-Z]\w{2,})")
_NO_CODE = (".md", ".rst", ".txt", ".adoc", ".yml", ".yaml", ".toml", ".ini", ".cfg", ".json")


def runner_asked(path: str, lines: Iterable[str], before: str) -> str:
    """What of new lines of code asks who runs them; empty: nothing, or what the file asked already."""
    if path.endswith(_NO_CODE):
        return ""
    found = (match[0] for line in lines for match in _RUNNERS.finditer(line))
    return next((each for each in found if each not in before), "")


def named_tests(contract: TaskContract, new_tests: Iterable[str]) -> frozenset[str]:
    """Names of tests by which a change is measured: those that the red check told of, and those that it brings."""
    task = contract.asked
    told = _NAMES.findall(task.text) if task and task.by is AskedBy.CHECK else []
    return frozenset(told) | frozenset(name for line in new_tests for name in _DEFINED.findall(line))


def measuring_test(path: str, lines: Iterable[str], before: str, names: frozenset[str]) -> str:
    """Which of these tests new lines of code name; empty: none, or they stood there before."""
    if path.endswith(_NO_CODE):
        return ""
    found = (word for line in lines for word in _NAMES.findall(line) if word in names)
    return next((word for word in found if word not in before), "")


def is_asked_for(what: str, contract: TaskContract) -> bool:
    """Whether a person's own words ask for it: a library may have to know that it runs in CI."""
    task = contract.asked
    words = re.findall(r"\w{2,}", what)
    text = f"{task.title}\n{task.text}" if task and task.by is not AskedBy.CHECK else ""
    return bool(text) and bool(words) and words[-1] in re.findall(r"\w+", text)
