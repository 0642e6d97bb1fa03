"""The reviewer refuses each bad thing, and approves what is right."""

from __future__ import annotations

import pytest

from adapters.agents.reviewer import _text
from adapters.agents.tree_difference import Difference
from contracts.evidence import Severity
from contracts.task import AskedBy, AskedTask, MeasureKind
from policies.settings.schema import CheckPolicy
from policies.task.asked import candidate_of
from policies.task.planning import make_contract
from ports.agents import AgentError
from tests.policies.sample_policy import policy as shipped

CODE = """import os
import sys


class A(object):
    def keep(self):
        return "{}".format(self)


def test_one():
    assert os and sys


def test_two():
    assert A().keep()
"""
PROJECT = '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.8"\n'
FILES = {"pyproject.toml": PROJECT, "p.py": CODE, "q.py": "x = 1\n", "doc.md": "Text.\n"}


@pytest.fixture
def made(repo):
    return repo(FILES)


def refusals(proposal):
    """What speaks against the change; the two fields must agree."""
    found = [each.message for each in proposal.remarks if each.severity in {Severity.MAJOR, Severity.BLOCKING}]
    assert proposal.approve is not bool(found)
    return found


def test_the_tools_own_fix_is_approved(made):
    """A true improvement in scope has nothing against it."""
    contract = made.contract("ruff", "UP")
    made.code(contract)
    proposal = made.review(contract)
    assert ([], True, 1.0) == (refusals(proposal), proposal.approve, proposal.confidence)


FIXED = CODE.replace("(object)", "").replace('"{}".format(self)', 'f"{self}"')
AWS = "AKIA" + "A" * 16


LESS = FIXED.replace("test_two", "helper").replace("assert A().keep()", "A().keep()").replace("def keep", "def kept")
QUIET = FIXED.replace("import sys", "import sys  # type: ignore")


@pytest.mark.parametrize(
    ("reasons", "edits"),
    [
        # Reviews cost a second each: what cannot hide one another is in one change, each with a reason of its own.
        (
            (
                "outside the contract's scope",
                "removes a test: test_two",
                "1 assertion less",
                "removes a definition: A.keep",
                "silences a check: # noqa",
                "looks like a secret",
                "can newly run code or programs: eval",
                "imports a further module: subprocess",
                "invisible",
            ),
            {
                "q.py": "x = 2\n",
                "p.py": "import subprocess\n"
                + LESS.replace("import sys", "import sys  # noqa: F401")
                + f'KEY = "{AWS}"\neval("1")\n# \u202e reversed\n',
            },
        ),
        (
            (
                "outside the contract's scope",
                "silences a check: # type: ignore",
                "looks like a secret",
                "can newly run code or programs: os.system",
                "has more ruff F findings",
            ),
            {
                "new.py": "x = 2\n",
                "p.py": QUIET + 'password = "correct-horse"\nrun = os.system\nprint(undefined_name)\n',
            },
        ),
        (("silences a check",), {"p.py": FIXED.replace("def test_two", "@pytest.mark.skip\ndef test_two")}),
        (("no longer parses",), {"p.py": FIXED + "def (\n"}),
        (("lines changed",), {"p.py": FIXED + "y = 1\n" * 500}),
        (("line ends",), {"p.py": FIXED}),
        (("nothing was changed",), {"p.py": CODE}),
    ],
)
def test_each_bad_thing_is_refused(repo, reasons, edits):
    """Each hostile thing, with the reason that must be among the remarks."""
    base = CODE.replace("\n", "\r\n") if "line ends" in reasons else CODE
    made = repo({**FILES, "p.py": base.encode()})
    contract = made.contract("ruff", "UP")
    for path, content in edits.items():
        made.write(path, content)
    found = refusals(made.review(contract))
    assert [] == [reason for reason in reasons if not any(reason in each for each in found)], found


def test_deletion_link_and_mode_are_refused(made):
    """What is no edit of a file is no fix."""
    contract = made.contract("ruff", "UP")
    (made.tree / "q.py").unlink()
    (made.tree / "link.py").symlink_to("/etc/passwd")
    (made.tree / "p.py").chmod(0o744)
    found = refusals(made.review(contract))
    for reason in ("files deleted", "other than an ordinary file", "can be executed"):
        assert [each for each in found if reason in each], reason


@pytest.mark.parametrize(
    ("tool", "rule", "before", "after", "reason"),
    [
        (
            "ruff",
            "I",
            "import sys\nimport os\n\nprint(os, sys)\n",
            "import os\nimport sys\n\nprint(os)\n",
            "not shown to do what it did",
        ),
        (
            "ruff",
            "I",
            "import sys\nimport os\n\nprint(os, sys)\n",
            "import os\nimport re as sys\n\nprint(os, sys)\n",
            "not shown to do what it did",
        ),
        ("ruff", "W", "x = 1  \n", "x = 2\n", "not shown to do what it did"),
        ("codespell", "comments", "x = 1  # We recieve it.\n", "x = 2  # We receive it.\n", "comments and docstrings"),
        ("codespell", "docs", "We recieve it.\n", "We receive it. And more.\n", "single words"),
    ],
)
def test_a_kind_of_change_stays_in_its_kind(repo, tool, rule, before, after, reason):
    """Import order, white space and spelling may not change what the code does or the text says."""
    path = "a.md" if rule == "docs" else "a.py"
    made = repo(
        {
            "pyproject.toml": PROJECT,
            path: before,
            "b.py": "import os\n\nprint(os)\n",
            "c.py": "import os\n\nprint(os)\n",
        }
    )
    contract = made.contract(tool, rule)
    made.write(path, after)
    assert [each for each in refusals(made.review(contract)) if reason in each]


@pytest.mark.parametrize(("tool", "approve"), [("codespell", True), ("ruff", False)])
def test_what_could_not_be_compared_lowers_confidence(repo, tool, approve):
    """A file that never parsed here is no reason to refuse a word; of a linter's fix nothing can be shown."""
    text = "print 'We recieve it'  # x\n"
    made = repo({"pyproject.toml": PROJECT, "a.py": text + "y = 1 \n", "b.py": "y = 1 \n"})
    contract = made.contract("ruff", "W")
    scope = contract.scope.model_copy(update={"allowed_paths": ("a.py",)})
    made.write("a.py", text + "y = 1\n")
    proposal = made.review(contract.model_copy(update={"scope": scope, "tool": tool}))
    assert (approve, 0.8) == (proposal.approve, proposal.confidence)


@pytest.mark.parametrize(
    ("body", "granted", "refused"),
    [
        ("on: push\n", ("ci.yml",), []),
        ("on: push\n", (), ["is outside the contract's scope", "2 files changed, the contract allows 1"]),
        (f"key: {AWS}\n", ("ci.yml",), ["a new line looks like a secret"]),
        ("run: ruff check  # noqa\n", ("ci.yml",), ["adds a marker that silences a check: # noqa"]),
    ],
)
def test_a_granted_path_is_looked_at_like_any_other(repo, body, granted, refused):
    """It need not be of the contract's kind; a secret or a silenced check in it still speaks against the change."""
    made = repo(FILES | {"doc.md": "You recieve.\n", "ci.yml": "on: never\n"})
    contract = made.contract("codespell", "docs")
    made.write("doc.md", "You receive.\n")
    made.write("ci.yml", body)
    if granted:
        scope = contract.scope.model_copy(update={"max_files": 2})
        contract = contract.model_copy(update={"scope": scope})
    found = refusals(made.review(contract, granted=frozenset(granted)))
    assert set(refused) <= set(found)
    assert bool(refused) is bool(found)


@pytest.mark.parametrize(
    ("compared", "reason"),
    [
        ({}, "is not shown to do what it did: nobody compared it"),
        ({"p.py": "line 5 differs"}, "is not shown to do what it did: line 5 differs"),
    ],
)
def test_what_is_not_shown_to_be_equal_is_refused(made, compared, reason):
    """The comparison is the step's own; a path that is missing from it was not compared."""
    contract = made.contract("ruff", "UP")
    made.write("p.py", FIXED)
    assert [reason] == refusals(made.review(contract, compared=compared))


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        ("// We receive it.\nvar a = recieve;\n", []),
        ("// We recieve it.\nvar a = receive;\n", ["changes more than comments and docstrings"]),
        ("// We receive it.\nvar b = recieve;\n", ["changes more than comments and docstrings"]),
        ("// We receive it.\nvar a = recieve(;\n", ["nobody can tell its comments: does not parse: line 2"]),
    ],
)
def test_where_prose_is_mended_code_of_no_language_changes(repo, after, reason):
    """A word for a word is not enough there: the tokens must be the same."""
    made = repo({"a.js": "// We recieve it.\nvar a = recieve;\n", "b.js": "// They seperate it.\n"})
    contract = made.contract("codespell", "comments")
    scope = contract.scope.model_copy(update={"allowed_paths": ("a.js",)})
    made.write("a.js", after)
    found = refusals(made.review(contract.model_copy(update={"scope": scope})))
    assert set(reason) <= set(found)
    assert bool(reason) is bool(found)


def test_a_comparison_that_did_not_happen_is_no_opinion(made):
    """The step is tried again: neither yes nor no."""
    contract = made.contract("ruff", "UP")
    made.write("p.py", FIXED)
    with pytest.raises(AgentError, match="could not be compared"):
        made.review(contract, compared={"p.py": "could not be compared: no sandbox"})


@pytest.mark.parametrize(
    ("tool", "path", "reason"),
    [
        ("codespell", "p.json", "is no file that a fix of this kind may change"),
        ("ruff", "doc.md", "is no file that a fix of this kind may change"),
        ("nobody's", "doc.md", "is no file that a fix of this kind may change"),
    ],
)
def test_a_tool_changes_its_own_kinds_of_file_alone(repo, tool, path, reason):
    """Whatever the contract's scope says; of a tool that is not ours nothing is let through."""
    made = repo(FILES | {"p.json": "{}\n", "b.md": "We recieve it.\n"})
    contract = made.contract("codespell", "docs")
    contract = contract.model_copy(
        update={"tool": tool, "scope": contract.scope.model_copy(update={"allowed_paths": (path,)})}
    )
    made.write(path, "Words.\n")
    assert reason in refusals(made.review(contract))


@pytest.mark.parametrize(
    ("other", "believed"),
    [
        ({}, True),
        ({"base_sha": "e" * 40}, False),
        ({"truncated": 1}, False),
        ({"missing": ("ruff: no sandbox",)}, False),
    ],
)
def test_what_sensing_saw_of_the_base_is_not_looked_at_again(repo, other, believed):
    """Only of this base, and whole; an old fault that is only said to be there hides a new one where it is believed."""
    made = repo({"pyproject.toml": PROJECT, "a.py": "def f():\n    return 1\n", "b.py": "import os\n"})
    contract = made.contract("ruff", "F")
    contract = contract.model_copy(
        update={"scope": contract.scope.model_copy(update={"allowed_paths": ("a.py",), "max_files": 1})}
    )
    (one,) = (each for each in made.detect()[0] if each.path == "b.py")
    said = made.snapshot((one.model_copy(update={"path": "a.py"}),)).model_copy(update=other)
    made.write("a.py", "import os\n\n\ndef f():\n    return 1\n")
    remarks = {each.message for each in made.review(contract, snapshot=said).remarks}
    assert believed is ("has more ruff F findings than before" not in remarks)


ASKED = {
    "p.py": "def total(prices):\n    return sum(prices) + 1\n",
    "tests/test_p.py": "from p import total\n\n\ndef test_total():\n    assert total([1]) == 1\n",
    "pyproject.toml": PROJECT,
    "src/lib.rs": "pub fn f(a: i32) -> i32 { a + 1 }\n#[test]\nfn it() { assert_eq!(f(1), 3); }\n",
    "web/__snapshots__/a.snap": "old\n",
}
MENDED = {"p.py": "def total(prices):\n    import math\n\n    return math.fsum(prices)\n"}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("// eslint-disable-next-line", "silences"),
        ("// @ts-expect-error", "silences"),
        ("it.skip('adds', () => {})", "silences"),
        ("describe.only('x', () => {})", "silences"),
        ("  xit('adds')", "silences"),
        ("x() //nolint:errcheck", "silences"),
        ("\tt.Skip()", "silences"),
        ("#[ignore]", "silences"),
        ("#![allow(dead_code)]", "silences"),
        ("    __test__ = False", "silences"),
        ("@unittest.expectedFailure", "silences"),
        ("    os._exit(0)", "silences"),
        ("from os import _exit", "silences"),
        ("a = 'x\U000e0041y'", "invisible"),
        ("a = 'x\u00ady'", "invisible"),
        ("a = 'x\u3164'", "invisible"),
        ("model.fit(x); query.only('a'); profit(1)", ""),
        ("emoji = '❤️'", ""),
    ],
)
def test_what_silences_a_check_or_hides_in_any_language(line, said):
    """Whoever adds one is told, a reviewer is, too."""
    found = [each.message for each in _text(Difference("a", b"", f"{line}\n".encode()))]
    assert [said in each for each in found] == [True] * bool(said)


@pytest.mark.parametrize(
    ("measure", "edits", "refused"),
    [
        ("check", MENDED, ""),
        ("check", MENDED | {"tests/test_new.py": "def test_new():\n    assert True\n"}, ""),
        ("check", {"tests/test_p.py": ASKED["tests/test_p.py"].replace("== 1", "== 2")}, "a test that was there"),
        (
            "check",
            {"tests/test_p.py": ASKED["tests/test_p.py"].replace("    assert", "    return\n    assert")},
            "test that was",
        ),
        # The failing test is gone: with its file, or out of it.
        ("check", {"tests/test_p.py": None}, "a test that was there"),
        ("check", {"tests/test_p.py": "from p import total\n"}, "removes a test"),
        ("check", {"src/lib.rs": ASKED["src/lib.rs"].replace("3", "4")}, "a test that was there"),
        ("check", {"src/lib.rs": ASKED["src/lib.rs"].replace("a + 1", "a + 2")}, ""),
        ("check", {"web/__snapshots__/a.snap": "new\n"}, "a test that was there"),
        ("check", {"tests/pytest.py": "raise SystemExit(0)\n"}, "in place of pytest"),
        ("check", MENDED | {"ci/unit.sh": "exit 0\n"}, "what the checks are made of"),
        ("new_test", MENDED | {"tests/test_p.py": ASKED["tests/test_p.py"].replace("[1]", "[1, 0]")}, ""),
        (
            "check",
            {"p.py": "import os\n\n\ndef total(prices):\n    return 1 if os.environ.get('CI') else 'test_total'\n"},
            "asks who runs it",
        ),
        ("check", MENDED | {"conftest.py": "collect_ignore = ['tests']\n"}, "what the checks are made of"),
        ("new_test", MENDED | {"pyproject.toml": PROJECT + "# x\n"}, "what the checks are made of"),
        ("acceptance", MENDED | {"pyproject.toml": PROJECT + "# x\n"}, ""),
        (
            "check",
            MENDED | {"tests/test_p.py": "import pytest\n\n\n@pytest.mark.skip()\ndef test_total(): ...\n"},
            "silences",
        ),
    ],
)
def test_what_an_agent_was_asked_for_is_not_cheated(repo, measure, edits, refused):
    """By editing what measures it; what else it does in its scope a person looks at (P6)."""
    made = repo(ASKED)
    unit = CheckPolicy(name="unit", kind="tests", argv=("sh", "ci/unit.sh"))
    target = made.policy.target.model_copy(update={"checks": (*made.policy.target.checks, unit)})
    made.policy = made.policy.model_copy(update={"protected_paths": shipped().protected_paths, "target": target})
    asked = AskedTask(key="check-unit", by=AskedBy.CHECK, title="Mend it", measure=MeasureKind(measure), check="unit")
    candidate = candidate_of(asked, made.policy)
    contract = make_contract(candidate, made.policy, "r1")
    for path, text in edits.items():
        if text is None:
            (made.tree / path).unlink()
        else:
            made.write(path, text)
    found = refusals(made.review(contract))
    assert bool(refused) is bool(found), found
    assert not refused or [each for each in found if refused in each]
    unasked = contract.model_copy(update={"asked": None})
    assert refusals(made.review(unasked))
