"""ruff's safe fixes on packages as they are found in the wild."""

from __future__ import annotations

import pytest

from adapters.tools import ruff
from policies.settings.schema import ImprovePolicy

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
    made.code(contract.model_copy(update={"scope": scope}))
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
        {"q.py": "from __future__ import print_function\n"},
        {"bin/q.py": "#!/usr/bin/python2\n"},
    ],
)
def test_a_package_for_python_2_is_left_alone(repo, files):
    """Whatever form it says so in, or does not say but shows: our proofs speak of Python 3."""
    assert set() == repo({**files, "p.py": OLD}).fixable()


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


def test_a_hostile_configuration_decides_nothing_else(repo):
    """What it calls safe is proven all the same, and nothing is written while looking."""
    settings = (
        'fix = true\nunsafe-fixes = true\ncache-dir = "/work/cache"\noutput-format = "full"\nbuiltins = ["x"]\n'
        '[lint]\nselect = ["F", "UP"]\nextend-safe-fixes = ["ALL"]\n'
    )
    unsafe = "def f():\n    x = print()\n"
    made = repo({"ruff.toml": settings, "pyproject.toml": PROJECT, "p.py": OLD, "q.py": unsafe})
    assert {(*UP, "p.py"), (*F, "p.py")} == made.fixable()
    made.code(made.contract(*F))
    assert {"p.py"} == made.changed()


@pytest.mark.parametrize(
    "settings",
    [
        "not = = toml",
        '[tool.ruff.lint.isort]\nno-such-key = "x"\n',
        '[tool.ruff]\nrequired-version = ">=99"\n',
    ],
)
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


def test_an_import_with_an_effect_stays(repo):
    """What loads a module of the project, or stands where others look for names, is no left-over."""
    made = repo(
        {
            "pyproject.toml": PROJECT,
            "p/__init__.py": "import os\n",
            "p/a.py": "import os\n\nfrom .b import x\n",
            "p/b.py": "import os\n\nx = 1\n",
        }
    )
    assert {(*F, "p/a.py"), (*F, "p/b.py")} == made.fixable()
    made.code(made.contract(*F))
    assert "from .b import x\n" == (made.tree / "p/a.py").read_text().lstrip()
    assert "import os\n" == (made.tree / "p/__init__.py").read_text()


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
    """What is found through a symbolic link is not the link's; who imports through one cannot be told."""
    made = repo({"pyproject.toml": PROJECT, "p.py": OLD, "d/x.py": "x = 1\n"})
    (made.tree / "d/link.py").symlink_to("../p.py")
    assert {(*UP, "p.py")} == made.fixable()


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


def test_the_first_style_that_nothing_breaks_is_compared_to_no_other(repo, monkeypatch):
    """Each style that is asked about is one more start of the sandbox."""
    asked, check = [], ruff._check

    def counting(tree, look, bench, style=(), **more):
        asked.append(style)
        return check(tree, look, bench, style, **more)

    monkeypatch.setattr(ruff, "_check", counting)
    made = repo({"pyproject.toml": PROJECT, "a.py": "import os\nimport sys\n\nprint(os, sys)\n"})
    assert set() == made.fixable()
    assert asked
    assert not any(asked)


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


def test_only_what_the_owner_selected_is_found(repo):
    """Selection, nested configuration and per-file ignores are read by ruff itself; the charter adds nothing."""
    lint = '\n[tool.ruff.lint]\nselect = ["E", "F"]\nper-file-ignores = { "q.py" = ["F401"] }\n'
    made = repo(
        {
            "pyproject.toml": PROJECT + lint,
            "p.py": OLD,
            "q.py": OLD,
            "sub/ruff.toml": '[lint]\nselect = ["UP004"]\n',
            "sub/r.py": OLD,
        }
    )
    assert {(*F, "p.py"), (*UP, "sub/r.py")} == made.fixable()


def test_a_target_that_opts_in_gets_more_but_not_what_the_owner_ignores(repo):
    """``[improve]`` adds rules; the repository's own ``ignore`` still counts."""
    made = repo({"ruff.toml": '[lint]\nselect = ["E"]\nignore = ["UP032"]\n', "pyproject.toml": PROJECT, "p.py": OLD})
    target = made.policy.target.model_copy(update={"improve": ImprovePolicy(ruff=("UP",))})
    made.policy = made.policy.model_copy(update={"target": target})
    findings = {each.message.split()[0] for each in made.detect()[0] if each.tool == "ruff"}
    assert {"UP004"} == findings


def test_a_modernisation_takes_the_import_along_that_it_leaves_unused(repo):
    """And nothing else that was unused before; what cannot be taken along makes the file wait."""
    text = "from typing import Text\nimport os\n\n\ndef f(x: Text) -> Text:\n    return x\n"
    made = repo(
        {
            "pyproject.toml": PROJECT,
            "p/__init__.py": "",
            "p/a.py": text,
            "p/b.py": text,
            "p/c.py": "from p.b import Text\n\nprint(Text)\n",
        }
    )
    contract = made.contract(*UP)
    made.code(contract)
    assert "import os\n\n\ndef f(x: str) -> str:\n    return x\n" == (made.tree / "p/a.py").read_text()
    assert {"p/a.py"} == made.changed()
    assert made.review(contract).approve


def test_what_is_not_proven_is_said_and_left_alone(repo):
    """A finding whose fix drops a call is no idea, and its neighbours in the file are."""
    text = 'def f(a, note):\n    return "{0}".format(a, note(a))\n\n\nclass A(object):\n    x = 1\n'
    made = repo({"pyproject.toml": PROJECT, "p.py": text})
    found = {each.message.split()[0]: each for each in made.detect()[0] if each.tool == "ruff"}
    assert {"UP004"} == {code for code, each in found.items() if each.fixable}
    assert "left alone: line 1 is not shown to do the same" in found["UP032"].message
    made.code(made.contract(*UP))
    assert text.replace("(object)", "") == (made.tree / "p.py").read_text()


@pytest.mark.parametrize(
    "path",
    [
        "tests/data/unused.py",
        "tests/unit/inputs/unused.py",
        "tests/unit/unused.py",
        "golden/unused.py",
        "p/testdata/unused.py",
        "tests/__snapshots__/test_a.py",
        "foreign/unused.py",
        "written/unused.py",
    ],
)
def test_what_only_looks_like_source_is_left_alone(repo, path):
    """Test data, golden files, what ``.gitattributes`` or the file itself calls generated or vendored."""
    head = "# This file was automatically generated\n" if path.startswith("written") else ""
    made = repo(
        {
            "pyproject.toml": PROJECT,
            ".gitattributes": "foreign/** linguist-vendored\n",
            path: head + OLD,
            "tests/unit/test_it.py": "x = f'a'\n",
        }
    )
    assert {(*F, "tests/unit/test_it.py")} == made.fixable()
