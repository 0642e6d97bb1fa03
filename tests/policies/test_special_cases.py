"""A change that asks who runs it, or names the test that measures it (issue 14, "special-cases the check")."""

from __future__ import annotations

import pytest

from contracts.task import AskedBy, AskedTask, MeasureKind
from policies.agents.special_cases import is_asked_for, measuring_test, named_tests, runner_asked
from policies.task.asked import candidate_of
from policies.task.planning import make_contract
from tests.policies.sample_policy import policy


def contract(text: str, by: AskedBy = AskedBy.CHECK):
    """Of a task in these words."""
    asked = AskedTask(
        key="k", by=by, title="Mend it", text=text, measure=MeasureKind.CHECK, check="tests", paths=("**",)
    )
    return make_contract(candidate_of(asked, policy()), policy(), "demo-1")


@pytest.mark.parametrize(
    "line",
    [
        'if "PYTEST_CURRENT_TEST" in os.environ:',
        'if "pytest" in sys.modules:',
        "if 'unittest' not in sys.modules:",
        'return sys.modules.get("pytest") is not None',
        'if os.environ.get("CI"):',
        "if os.environ['CI'] == 'true':",
        'if os.getenv("GITHUB_ACTIONS"):',
        'if "pytest" in sys.argv[0]:',
        "if (process.env.CI) {",
        "if (process.env.JEST_WORKER_ID !== undefined) {",
        'if os.Getenv("CI") != "" {',
        "if testing.Testing() {",
        'if flag.Lookup("test.v") != nil {',
        'if env::var("CI").is_ok() {',
        "if cfg!(test) {",
    ],
)
def test_code_that_asks_who_runs_it_is_seen(line: str) -> None:
    """In the languages that checks are run in; not where the file asked before."""
    assert runner_asked("a.py", [line], "")
    assert not runner_asked("a.py", [line], f"x\n{line}\ny")
    assert not runner_asked("ci.yml", [line], "")


@pytest.mark.parametrize(
    "line",
    [
        "import pytest_helpers",
        "CI = 3  # confidence interval",
        "environment = load('CIPHER')",
        "os.environ.get('CITY')",
        "#[cfg(test)]",
        "names = sys.modules[__name__]",
        "the unittest module is not in use here",
        "env = Environment()",
    ],
)
def test_other_code_is_not(line: str) -> None:
    """What only looks like it."""
    assert not runner_asked("a.py", [line], "")


def test_code_that_names_its_test_is_seen() -> None:
    """Those that the red check told of, and those that the change brings; prose may name them."""
    task = contract("FAILED tests/test_cart.py::test_total_of_two - assert 3 == 4")
    names = named_tests(task, ["def test_new_case(self):", "func TestCart(t *testing.T) {", "x = test_other"])
    assert {"test_cart", "test_total_of_two", "test_new_case", "TestCart"} == names
    line = "    if caller == 'test_total_of_two': return 4"
    assert "test_total_of_two" == measuring_test("cart.py", [line], "", names)
    assert "" == measuring_test("cart.py", [line], line, names)
    assert "" == measuring_test("CHANGELOG.md", [line], "", names)
    assert "" == measuring_test("cart.py", ["def test_quality(): pass"], "", names)
    # What an issue says is no list of tests.
    assert frozenset() == named_tests(contract("see test_total_of_two", AskedBy.ISSUE), [])


def test_what_a_person_asks_for_is_no_cheat() -> None:
    """A library may have to know that it runs in CI; the output of a red check asks for nothing."""
    asked = "No colours where the variable CI is set"
    assert is_asked_for('os.environ.get("CI"', contract(asked, AskedBy.ISSUE).model_copy())
    assert not is_asked_for('os.environ.get("CI"', contract(asked, AskedBy.CHECK))
    assert not is_asked_for('os.environ.get("CI"', contract("Mend the circle", AskedBy.ISSUE))
