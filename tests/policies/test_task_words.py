"""A task's title is in a maintainer's words, whole, and short."""

from __future__ import annotations

import pytest

from adapters.tools.measures import TOOLS
from adapters.tools.ruff import FAMILIES, FINER
from contracts.task import Finding
from policies.task.task_words import LONGEST_TITLE, common_words, task_title
from policies.texts.inert_markdown import inert_line
from tests.policies.sample_policy import policy

TYPO = "comparision → comparison"


def finding(about: str, path: str, tool: str, rule: str) -> Finding:
    """Of a known tool; ``about`` may begin with the code."""
    plain = Finding(fingerprint="f", tool=tool, rule=rule, path=path, line=1, message="", fixable=True)
    code, _, rest = about.partition(" ")
    finer = {"words": FINER[code], "about": rest} if code in FINER else {"about": about}
    known = next((each.facts(rule, policy()) for each in TOOLS if each.name == tool), plain.facts)
    return plain.model_copy(update={**finer, "facts": known})


@pytest.mark.parametrize(
    ("tool", "rule", "seen", "title"),
    [
        ("codespell", "comments", {"src/x/_compat.py": TYPO}, "Fix a typo in `_compat.py`: comparision → comparison"),
        ("codespell", "docs", {"docs/a.rst": TYPO, "docs/b/c.rst": "teh → the"}, "Fix 2 typos in docs"),
        ("codespell", "docs", {"docs/a.rst": "teh → the", "b.md": "teh → the"},
         "Fix 2 typos in 2 files: teh → the"),
        ("codespell", "docs", {f"d{number}/a.rst": TYPO for number in range(200)},
         "Fix 200 typos in 200 files: comparision → comparison"),
        ("ruff", "F", {"a.py": "F401 os"}, "Remove an unused import in `a.py`: os"),
        ("ruff", "F", {"a/a.py": "F401 os", "b/a.py": "F541 "}, "Fix 2 Pyflakes findings in 2 files"),
        ("ruff", "UP", {"a.py": ""}, "Modernize an outdated construct in `a.py`"),
        ("pins", "pins", {"requirements.txt": "flask"},
         "Align a version pin in `requirements.txt`: flask"),
        ("other", "x.y", {"a.py": "@all"}, "Fix a finding of other x.y in `a.py`"),
        ("codespell", "docs", {f"a/{'n' * 300}.py": TYPO}, "Fix a typo: comparision → comparison"),
        ("codespell", "docs", {"Makefile": TYPO}, "Fix a typo in Makefile: comparision → comparison"),
        ("codespell", "docs", {"a/<!-- @x.py": "@x → `y`"}, "Fix a typo"),
        ("codespell", "docs", {"a/\u202efdp.py": "a\u200bb → \u3164"}, "Fix a typo"),
        ("codespell", "docs", {"\u05e9\u05dc.py": TYPO}, "Fix a typo: comparision → comparison"),
        ("t" * 90, "r", {"a.py": "x"}, "Fix 1 finding"),
    ],
)  # fmt: skip
def test_titles(tool: str, rule: str, seen: dict[str, str], title: str) -> None:
    """What does not fit, or could act, is left out whole."""
    findings = [finding(about, path, tool, rule) for path, about in seen.items()]
    made = task_title(tool, rule, findings, tuple(sorted(seen)))

    assert title == made
    assert made == inert_line(made)
    assert LONGEST_TITLE >= len(made)


def test_every_family_of_the_tools_has_words() -> None:
    """What the charter looks for by itself is never named by its code alone."""
    rules = [("ruff", family) for family in FAMILIES if family != "RUF"]
    assert all(common_words([finding("", "a.py", *each)]) for each in [*rules, ("codespell", "docs"), ("pins", "pin")])
