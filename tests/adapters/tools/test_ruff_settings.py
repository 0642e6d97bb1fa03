"""Whose selection counts: the owner's, wherever it is written; without one, ours; the target file may add."""

from __future__ import annotations

import pytest

from adapters.tools.other_linters import silenced
from adapters.tools.owners_files import hooks
from adapters.tools.ruff_settings import ruff_settings
from adapters.tools.source_tree import SourceTree
from adapters.tools.tool_runner import ToolUnavailable
from policies.settings.schema import Charter, ImprovePolicy
from tests.adapters.tools.conftest import policy

PYTHON_3 = '[project]\nname = "p"\nrequires-python = ">=3.8"\n'


def selections(root, files, *opted, families=("F",)):
    """For each call what it selects on the command line (none: as the configuration says), and for which files."""
    for path, content in {"pyproject.toml": PYTHON_3, "a.py": "", "sub/b.py": "", **files}.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    effective = policy()
    target = effective.target.model_copy(update={"improve": ImprovePolicy(ruff=opted)})
    charter = Charter(roles={}, families=families)
    settings = ruff_settings(SourceTree(root), effective.model_copy(update={"target": target, "charter": charter}))
    return {
        (options[options.index("--select") + 1] if "--select" in options else "", " ".join(sorted(look.paths)))
        for look in settings.looks
        for options in [look.options]
    }


def test_the_shipped_default_is_what_cannot_be_a_matter_of_taste():
    """The F rules, under the proof."""
    assert ("F",) == Charter(roles={}).families


OURS, OWNERS = ("F", "a.py sub/b.py"), ("", "a.py sub/b.py")
HOOK = "repos:\n- repo: x\n  hooks:\n  - id: ruff\n"


@pytest.mark.parametrize(
    ("files", "calls"),
    [
        ({}, {OURS}),
        ({"pyproject.toml": PYTHON_3 + "[tool.ruff]\nline-length = 99\n"}, {OURS}),
        ({"pyproject.toml": PYTHON_3 + '[tool.ruff.lint]\nselect = ["E"]\n'}, {OWNERS}),
        ({"ruff.toml": 'extend-select = ["B"]\n'}, {OWNERS}),
        ({".ruff.toml": 'extend = "x.toml"\n'}, {OWNERS}),
        ({"sub/ruff.toml": 'extend = "../x.toml"\n'}, {("F", "a.py"), ("", "sub/b.py")}),
        ({"ruff.toml": 'extend = "/etc/passwd"\n'}, {OURS}),
        ({"ruff.toml": 'extend = "~/x.toml"\nselect = ["E"]\n'}, {("E", OURS[1])}),
        ({"sub/ruff.toml": 'extend = "../../x.toml"\n'}, {OURS}),
        ({"tests/data/pyproject.toml": "not = = toml"}, {OURS}),
        ({"ruff.toml": '[lint]\nselect = ["E"]\n', ".ruff.toml": "line-length = 99\n"}, {OURS}),
        ({"sub/ruff.toml": '[lint]\nselect = ["E"]\n'}, {("F", "a.py"), ("", "sub/b.py")}),
        (
            {"ruff.toml": 'select = ["E"]\n', "sub/ruff.toml": "line-length = 9\n"},
            {("", "a.py"), ("F", "sub/b.py")},
        ),
        ({".pre-commit-config.yaml": HOOK}, {OWNERS}),
        ({".pre-commit-config.yaml": HOOK + "    args: [--fix, --select, 'UP,I']\n"}, {("UP,I", OURS[1])}),
        ({".pre-commit-config.yaml": HOOK + "    exclude: ^sub/\n"}, {("", "a.py")}),
        ({".pre-commit-config.yaml": HOOK.replace("ruff", "ruff-format")}, {OURS}),
        ({"setup.cfg": "[bdist_wheel]\nuniversal = 1\n"}, set()),
        ({"Makefile": "lint:\n\truff check --select E,F --fix .\n"}, {("E,F", OURS[1])}),
        ({"tox.ini": "[testenv]\ncommands = ruff check sub --select E --output-format github\n"}, {("E", "sub/b.py")}),
        ({"tasks.py": "c.run('ruff check --select E a.py')\n"}, {("E", "a.py")}),
        ({".github/workflows/a.yml": "- name: ruff check\n  run: ruff check --select E .\n"}, {("E", OURS[1])}),
        ({".github/workflows/a.yml": "- run: ruff check\n"}, {OWNERS}),
        ({"Makefile": "lint:\n\truff --select E .\n\truff format .\n"}, {("E", OURS[1])}),
        ({"Makefile": "x:\n\tpip install ruff\n\truff --version\n\truff check --statistics --select ALL\n"}, {OURS}),
        ({"Makefile": "x:\n\t# ruff check --select E\n", "README.md": "ruff check --select E .\n"}, {OURS}),
    ],
)
def test_whose_selection_counts(tmp_path, files, calls):
    """Ruff's own files, nested ones, the nearest winning; then pre-commit's hook; Python 2 gets nothing."""
    assert calls == selections(tmp_path, files)


def test_the_target_file_adds_to_either(tmp_path):
    """Opted in by a person, under the owner's ``ignore`` all the same."""
    files = {"ruff.toml": '[lint]\nselect = ["E"]\nignore = ["UP032"]\n'}
    assert {OWNERS, ("UP", OWNERS[1])} == selections(tmp_path, files, "UP")


@pytest.mark.parametrize(
    "files",
    [
        {"setup.cfg": "[isort]\nprofile = black\n"},
        {".isort.cfg": ""},
        {"pyproject.toml": PYTHON_3 + "[tool.isort]\n"},
        {".pre-commit-config.yaml": HOOK.replace("ruff", "isort")},
    ],
    ids=str,
)
def test_another_sorter_keeps_its_order(tmp_path, files):
    """Even where the target file asks for import sorting."""
    assert {OURS} == selections(tmp_path, files, "I")


@pytest.mark.parametrize(
    ("files", "code", "wanted"),
    [
        ({}, "F401", True),
        ({".flake8": "[flake8]\nignore = F401, E501\n"}, "F401", False),
        ({"setup.cfg": "[flake8]\nextend-ignore =\n    # why\n    F4\n"}, "F401", False),
        ({"tox.ini": "[flake8]\nselect = E9,F63\n"}, "F401", False),
        ({"tox.ini": "[flake8]\nselect = E9,F63\n"}, "F632", True),
        ({".flake8": "[flake8]\nper-file-ignores =\n    sub/*: F401,F541\n    a.py: E1\n"}, "F541", False),
        ({".flake8": "[flake8]\nper-file-ignores =\n    a.py: F401\n"}, "F401", True),
        ({".flake8": "[flake8]\nexclude = sub\n"}, "F401", False),
        ({".pre-commit-config.yaml": HOOK.replace("ruff", "flake8") + "    args: [--ignore=F401]\n"}, "F401", False),
        ({"pyproject.toml": PYTHON_3 + "[tool.flake8]\nextend-ignore = ['F401']\n"}, "F401", False),
        ({"pyproject.toml": PYTHON_3 + "[tool.flake8]\nper-file-ignores = ['sub/*:F401,F811']\n"}, "F811", False),
        ({"setup.cfg": "[pycodestyle]\nignore = W291\n"}, "W291", False),
        ({"setup.cfg": "[pycodestyle]\nselect = W291\n"}, "F401", True),
        ({".pylintrc": "[MESSAGES CONTROL]\ndisable=unused-import,\n    C0303\n"}, "F401", False),
        ({".pylintrc": "[MESSAGES CONTROL]\ndisable=unused-import,\n    C0303\n"}, "W291", False),
        ({".pylintrc": "[MESSAGES CONTROL]\ndisable=missing-docstring\n"}, "F401", True),
        ({"pylintrc": "[MASTER]\ndisable=all\nenable=W0611\n"}, "F401", True),
        ({"pylintrc": "[MASTER]\ndisable=all\nenable=W0611\n"}, "F841", False),
        ({"setup.cfg": "[pylint.messages control]\ndisable = W0611\n"}, "F401", False),
        ({"setup.cfg": "[other]\ndisable = W0611\n"}, "F401", True),
        (
            {"pyproject.toml": PYTHON_3 + "[tool.pylint.'messages control']\ndisable = ['unused-import']\n"},
            "F401",
            False,
        ),
        ({"pyproject.toml": PYTHON_3 + "[tool.pylint]\ndisable = 'W0611'\n"}, "F401", False),
    ],
    ids=str,
)
def test_what_flake8_leaves_out_is_left_out(tmp_path, files, code, wanted):
    """The same rules under the same names, in ``sub/b.py``."""
    selections(tmp_path, files)
    assert wanted is ruff_settings(SourceTree(tmp_path), policy()).flake8.wants("sub/b.py", code)


@pytest.mark.parametrize(
    ("text", "off"),
    [
        ("# pylint: disable=unused-import\nimport os\n", True),
        ("import os\n# pylint: disable = C0111, W0611\n", True),
        ("# pylint: skip-file\n", True),
        ("# pylint: disable=all\n", True),
        ("import os  # pylint: disable=unused-import\n", False),
        ("# pylint: disable=unused-variable\n", False),
        ("x = '# pylint: disable=unused-import'\n", False),
    ],
)
def test_what_a_file_tells_pylint_for_all_of_it(text, off):
    """Beside ruff's and flake8's own marks, which ruff reads."""
    assert off is silenced(text, "F401")


def test_a_selection_that_is_put_together_when_it_runs_is_no_silence(tmp_path):
    """What the owner looks for cannot be told then."""
    with pytest.raises(ToolUnavailable, match="Makefile: an option of ruff is put together"):
        selections(tmp_path, {"Makefile": "a:\n\truff check --select=$(RULES) .\n"})


@pytest.mark.parametrize("text", ["a: [\n", "repos:\n- hooks:\n  - id: ruff\n    files: '('\n"])
def test_a_hook_that_cannot_be_read_is_no_silence(tmp_path, text):
    """Broken YAML or a broken pattern: could not look."""
    with pytest.raises(ToolUnavailable):
        selections(tmp_path, {".pre-commit-config.yaml": text})


def test_odd_hooks_are_no_hooks(tmp_path):
    """Whatever YAML may hold."""
    (tmp_path / ".pre-commit-config.yaml").write_text("repos: [1, {hooks: x}, {hooks: [2, {id: 3}]}]\n")
    assert [3] == [hook["id"] for hook in hooks(SourceTree(tmp_path))]
