"""ruff's safe fixes on packages as they are found in the wild."""

from __future__ import annotations

import json

import pytest

PROJECT = '[project]\nname = "p"\nversion = "1"\nrequires-python = ">=3.8"\n'
OLD = '''import os
import sys


class A(object):
    """A."""

    def f(self):
        return "{}".format(self)


print(sys)
'''
UP, F, I = ("ruff", "UP"), ("ruff", "F"), ("ruff", "I")  # noqa: E741 — the family's name


def test_src_layout_is_found_fixed_in_scope_and_measured_again(repo):
    """A family is found, repaired only where the contract allows, and gone afterwards."""
    made = repo({"pyproject.toml": PROJECT, "src/p/__init__.py": "", "src/p/a.py": OLD, "src/p/b.py": OLD})
    contract = made.contract(*UP)
    scope = contract.scope.model_copy(update={"allowed_paths": ("src/p/a.py",)})
    answer = json.loads(made.code(contract.model_copy(update={"scope": scope})))
    assert (2, 0) == (answer["metricBefore"], answer["metricAfter"])
    assert {"src/p/a.py"} == made.changed()
    assert 'return f"{self}"' in (made.tree / "src/p/a.py").read_text()
    assert {(*UP, "src/p/b.py"), (*F, "src/p/a.py"), (*F, "src/p/b.py")} == made.fixable()


def test_flat_layout_with_crlf_and_foreign_letters_keeps_its_bytes(repo):
    """Line ends, text and names that are not ASCII survive a fix."""
    text = "# Größe\n" + OLD
    made = repo(
        {
            "setup.py": "from setuptools import setup\nsetup(python_requires='>=3.8')\n",
            "naïve/größe.py": text.replace("\n", "\r\n").encode(),
        }
    )
    made.code(made.contract(*UP))
    after = (made.tree / "naïve/größe.py").read_bytes()
    assert {"naïve/größe.py"} == made.changed()
    assert after.count(b"\n") == after.count(b"\r\n") == text.count("\n")
    assert "# Größe".encode() in after


@pytest.mark.parametrize(
    "files",
    [
        {"setup.py": "from setuptools import setup\nsetup(python_requires='>=2.7, !=3.0.*')\n"},
        {"setup.cfg": "[bdist_wheel]\nuniversal = 1\n"},
        {"setup.py": "setup(classifiers=['Programming Language :: Python :: 2'])\n"},
        {"PKG-INFO": "Metadata-Version: 2.1\nRequires-Python: >=2.7\n"},
    ],
)
def test_a_package_for_python_2_is_not_modernised(repo, files):
    """Nothing above what the package supports is proposed, whatever form it says so in."""
    made = repo({**files, "p.py": OLD})
    assert {(*F, "p.py")} == made.fixable()


def test_the_target_version_is_never_above_what_is_supported(repo):
    """A ruff setting above requires-python does not count; one below does."""
    union = "from typing import Optional\n\n\ndef f(x: Optional[int]) -> None:\n    print(x)\n"
    settings = '[tool.ruff]\ntarget-version = "py312"\n'
    assert set() == repo({"pyproject.toml": PROJECT + settings, "p.py": union}).fixable()


@pytest.mark.parametrize(
    "settings",
    [
        '[lint]\nignore = ["ALL"]\n',
        'exclude = ["**"]\n',
        '[lint]\nfixable = []\nunfixable = ["ALL"]\n',
        '[lint]\nignore = ["UP", "F"]\n',
    ],
)
def test_a_repository_may_switch_rules_off(repo, settings):
    """What the repository's own configuration disables is not proposed."""
    assert set() == repo({"ruff.toml": settings, "pyproject.toml": PROJECT, "p.py": OLD}).fixable()


@pytest.mark.parametrize(
    "settings",
    [
        'extend = "/etc/passwd"\ncache-dir = "/work/cache"\n[lint]\nextend-safe-fixes = ["ALL"]\n',
        'extend = "../../outside.toml"\nfix = true\nunsafe-fixes = true\npreview = true\noutput-format = "full"\n',
        'required-version = ">=99"\nbuiltins = ["x"]\n[lint]\nselect = ["D"]\nallowed-confusables = ["x"]\n',
    ],
)
def test_a_hostile_configuration_decides_nothing_else(repo, settings):
    """Unsafe fixes stay unsafe, nothing outside is read, nothing is written while looking."""
    unsafe = "def f():\n    x = print()\n"
    made = repo({"ruff.toml": settings, "pyproject.toml": PROJECT, "p.py": OLD, "q.py": unsafe})
    assert {(*UP, "p.py"), (*F, "p.py")} == made.fixable()
    made.code(made.contract(*F))
    assert {"p.py"} == made.changed()


@pytest.mark.parametrize("settings", ["not = = toml", '[tool.ruff.lint.isort]\nno-such-key = "x"\n'])
def test_a_broken_configuration_is_missing_not_clean(repo, settings):
    """A tool that could not look says so."""
    findings, missing = repo({"pyproject.toml": settings, "p.py": OLD}).detect()
    assert not [each for each in findings if each.tool == "ruff"]
    assert [reason for reason in missing if reason.startswith("ruff: ")]


def test_a_file_that_does_not_parse_is_reported_and_skipped(repo):
    """A syntax error is a finding nobody fixes; the other files are still looked at."""
    made = repo({"pyproject.toml": PROJECT, "bad.py": "def f(:\n", "p.py": OLD})
    findings, missing = made.detect()
    assert () == missing
    assert {False} == {each.fixable for each in findings if each.path == "bad.py" and each.rule == "syntax"}
    assert {(*UP, "p.py"), (*F, "p.py")} == made.fixable()


def test_doubtful_imports_spare_the_file(repo):
    """An import others may rely on stays, and with it all of the file's imports."""
    made = repo(
        {
            "pyproject.toml": PROJECT,
            "p/__init__.py": "import os\n",
            "p/a.py": "import os\n\nfrom .b import x\n",
            "p/b.py": "import os\n\nx = 1\n",
        }
    )
    assert {(*F, "p/b.py")} == made.fixable()
    made.write("p/a.py", 'import os\n\nfrom .b import x\n\nprint(f"no")\n')
    made.code(made.contract(*F))
    assert 'import os\n\nfrom .b import x\n\nprint("no")\n' == (made.tree / "p/a.py").read_text()


def test_vendored_and_generated_files_are_left_alone(repo):
    """What the project did not write is not the project's to fix."""
    made = repo(
        {
            "pyproject.toml": PROJECT,
            "p/_vendor/x.py": OLD,
            "p/x_pb2.py": OLD,
            "p/gen.py": "# Generated by make. DO NOT EDIT\n" + OLD,
        }
    )
    assert set() == made.fixable()


def test_a_link_is_no_second_file(repo):
    """What is found through a symbolic link is not the link's."""
    made = repo({"pyproject.toml": PROJECT, "p.py": OLD, "d/x.py": "x = 1\n"})
    (made.tree / "d/link.py").symlink_to("../p.py")
    assert {(*UP, "p.py"), (*F, "p.py")} == made.fixable()


def test_format_is_kept_only_where_it_was(repo):
    """A file that complied with the repository's formatter still does; others are not reformatted."""
    neat = 'def f(a):\n    return "{}".format(a)\n'
    messy = "x = {  'a':1 }\n" + neat
    wide = 'def f(argument):\n    return [\n        "{}".format(argument),\n        "{}".format(argument),\n    ]\n'
    made = repo({"pyproject.toml": PROJECT + "[tool.black]\nline-length = 60\n", "wide.py": wide, "messy.py": messy})
    made.code(made.contract(*UP))
    assert "x = {  'a':1 }" in (made.tree / "messy.py").read_text()
    assert 'return [\n        f"{argument}",' in (made.tree / "wide.py").read_text()


def test_imports_follow_the_style_that_is_there(repo):
    """One import per line is a style, not a fault; what breaks the style is."""
    single = "from os import path\nfrom os import sep\n\nprint(path, sep)\n"
    unsorted = "from os import sep\nfrom os import path\n\nprint(path, sep)\n"
    files = {f"a{number}.py": single for number in range(3)}
    made = repo({"pyproject.toml": PROJECT, **files, "b.py": unsorted})
    assert {(*I, "b.py")} == made.fixable()
    made.code(made.contract(*I))
    assert single == (made.tree / "b.py").read_text()


def test_where_no_import_style_is_kept_none_is_imposed(repo):
    """Sorting a package that never sorted would only be noise."""
    unsorted = "import sys\nimport os\n\nprint(os, sys)\n"
    made = repo({"pyproject.toml": PROJECT, "a.py": unsorted, "b.py": unsorted, "c.py": "x = 1\n"})
    assert set() == made.fixable()


def test_imports_of_another_sorter_are_not_touched(repo):
    """A repository with isort's settings keeps isort's order."""
    made = repo(
        {
            "setup.cfg": "[isort]\nprofile = google\n",
            "b.py": "import sys\nimport os\n\nprint(os, sys)\n",
            "c.py": "x = 1\n",
        }
    )
    assert set() == made.fixable()


def test_fingerprints_survive_moved_lines_and_tell_twins_apart(repo):
    """The same findings have the same fingerprints further down in the file."""
    twins = 'def f(a):\n    return "{}".format(a)\n\n\ndef g(a):\n    return "{}".format(a)\n'
    made = repo({"pyproject.toml": PROJECT, "p.py": twins})
    first = {each.fingerprint for each in made.detect()[0]}
    made.write("p.py", '"""Moved."""\n\n\n' + twins)
    assert (2, first) == (len(first), {each.fingerprint for each in made.detect()[0]})
