"""A look at a new repository: what to run is found out, nothing of it is executed (P8)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from adapters.git.mirror import Mirror
from adapters.policy_files import PolicyFiles
from adapters.survey.surveyor import Survey, _updatable, survey
from adapters.survey.target_file import render_target
from contracts.modes import Mode
from policies.settings.environment import EnvironmentPolicy

ROOT = Path(__file__).parents[2]
PYTEST = ("python", "-m", "pytest", "-q", "-x", "--no-header", "-p", "no:cacheprovider")
RUFF = ("ruff", "check", "--no-cache", "--output-format", "json", "--exit-zero")
BANDIT = ("bandit", "-q", "-r", "-f", "json", "--exit-zero")
TODAY = date(2026, 11, 23)

# Fails the test if anything of the tree is ever executed.
BOMB = "raise SystemExit('executed')\n"


class Package:
    """A small repository under real git."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._mirror = folder / "package", folder / "mirror.git"
        self.folder.mkdir()

    def look(self, files: dict[str, str | bytes]) -> Survey:
        """Commit these files and survey them through our own mirror."""
        for name, body in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(body if isinstance(body, bytes) else body.encode())
        self._git("init", "-q", "-b", "main")
        self._git("add", "-A")
        self._git("-c", "user.name=t", "-c", "user.email=t@t.invalid", "commit", "-q", "-m", "x")
        mirror = Mirror(self._mirror, str(self.folder), "main")
        return survey(mirror, mirror.fetch_base())

    def _git(self, *arguments: str) -> None:
        subprocess.run(["git", "-C", str(self.folder), *arguments], check=True, capture_output=True)


@pytest.fixture
def package(tmp_path: Path) -> Package:
    """An empty one."""
    return Package(tmp_path)


def argv(found: Survey) -> dict[str, tuple[str, ...]]:
    """Proposed checks by name."""
    return {check.name: check.argv for check in found.checks}


TOX = """[tox]
envlist = py{37,27}

[testenv]
deps =
    pytest-cov
    freezegun
    py27: mock
    -r{toxinidir}/requirements/ci.txt
    ./local
commands = pytest {posargs}
"""


def test_src_layout_with_tox(package):
    """Like itsdangerous 1.1: src layout, tests in sub-folders, requirements named in tox.ini only."""
    found = package.look(
        {
            "setup.py": BOMB + "from setuptools import setup\nsetup(name='x')\n",
            "setup.cfg": "[flake8]\nmax-line-length = 80\n[tool:pytest]\ntestpaths = tests\n",
            "tox.ini": TOX,
            "src/itsdangerous/__init__.py": BOMB,
            "src/itsdangerous/signer.py": BOMB,
            "tests/test_itsdangerous/__init__.py": "",
            "tests/test_itsdangerous/test_signer.py": "import pytest\nfrom freezegun import freeze_time\n",
            "docs/conf.py": BOMB,
            "requirements/ci.txt": "coverage==5.0\n",
        }
    )

    assert ("src", ("itsdangerous",), ("src/itsdangerous",)) == (found.layout, found.imports, found.sources)
    assert ("tests",) == found.tests
    assert ("flake8",) == found.linters
    assert ("pytest", "pytest-cov", "freezegun") == found.environment.packages
    assert ("requirements/ci.txt",) == found.environment.requirements
    assert found.environment.build
    assert {
        "tests": (*PYTEST, "tests"),
        "lint": (*RUFF, "--isolated", "--select", "E9,F", "."),
        "security": (*BANDIT, "src/itsdangerous"),
    } == argv(found)
    assert "/docs/**" in found.allowed_paths
    assert "/src/**" in found.allowed_paths


def test_pins_are_read_from_their_source(package):
    """Like itsdangerous 2: ``tests.in`` goes before its old exact pins in ``tests.txt``."""
    found = package.look(
        {
            "setup.cfg": "[options]\ninstall_requires =\n    markupsafe\n",
            "src/itsdangerous/__init__.py": "",
            "tests/test_a.py": "from freezegun import freeze_time\n",
            "requirements/tests.in": "pytest\nfreezegun\n",
            "requirements/tests.txt": "pytest==6.2.4\n",
        }
    )

    assert ("requirements/tests.in",) == found.environment.requirements
    assert ("markupsafe",) == found.environment.packages


@pytest.mark.parametrize(
    ("listed", "requirements", "extras", "packages"),
    [
        ("-e .[cli, none]\n\npytest==8.3.4  # why\ntrio==0.27\n", (), ("cli",), ("pytest==8.3.4", "trio==0.27")),
        ("-e .\npytest\n", (), (), ("pytest",)),
        ("pytest\ntrio\n", ("requirements.txt",), (), ()),
        ("trio\n", (), (), ("pytest",)),
    ],
)
def test_what_its_developers_use_where_nothing_is_said_of_tests(package, listed, requirements, extras, packages):
    """A requirements.txt with pytest in it; a line that installs the package itself is read for its extras."""
    manifest = "[project]\nname = 'x'\n[project.optional-dependencies]\ncli = ['rich']\n"
    found = package.look({"pyproject.toml": manifest, "tests/test_a.py": "", "requirements.txt": listed}).environment
    assert (requirements, extras, packages) == (found.requirements, found.extras, found.packages)


PYPROJECT = """[project]
name = "x"
dependencies = ["attrs"]
[project.optional-dependencies]
tests = ["pytest>=8", "mypy", "hypothesis"]
[tool.ruff]
line-length = 100
[tool.mypy]
strict = true
[tool.pytest.ini_options]
addopts = "--cov=x"
"""


def test_a_modern_flat_package(package):
    """Extras, its own ruff configuration, mypy as configured, the plugin its options need."""
    found = package.look(
        {"pyproject.toml": PYPROJECT, "x/__init__.py": "", "x/y/__init__.py": "", "tests/test_x.py": ""}
    )

    assert ("flat", ("x",), ("tests",)) == (found.layout, found.imports, found.tests)
    assert (("tests",), ("pytest-cov",)) == (found.environment.extras, found.environment.packages)
    assert (*RUFF, ".") == argv(found)["lint"]
    mypy = ("python", "-m", "mypy", "--no-incremental", "--cache-dir=/dev/null", "--no-error-summary", "x")
    assert mypy == argv(found)["types"]


def test_mypy_is_not_guessed(package):
    """Configured, but in no requirement: it would fail or check something else than they do."""
    found = package.look(
        {"pyproject.toml": PYPROJECT.replace('"mypy", ', ""), "x/__init__.py": "", "tests/test_x.py": ""}
    )

    assert "types" not in argv(found)


def test_the_owners_ruff_lints(package):
    """At the version that its hook pins; where it is not set up, ours looks for faults alone."""
    hook = "repos:\n- repo: https://github.com/astral-sh/ruff-pre-commit\n  rev: v0.5.0\n  hooks: [{id: ruff}]\n"
    files = {".pre-commit-config.yaml": hook, "x/__init__.py": "", "tests/test_x.py": ""}
    assert ("pytest",) == package.look(files).environment.packages
    assert "ruff==0.5.0" in package.look({"pyproject.toml": PYPROJECT}).environment.packages


def test_tests_in_the_root(package):
    """``test_*.py`` and ``tests.py`` beside a single module; unittest works through pytest."""
    found = package.look({"setup.py": "", "mod.py": "", "test_mod.py": "import six\n", "tests.py": "import unittest\n"})

    assert (("mod",), ("mod.py",)) == (found.imports, found.sources)
    assert (*PYTEST, "test_mod.py", "tests.py") == argv(found)["tests"]
    assert ("pytest", "six") == found.environment.packages


def test_tests_inside_the_package(package):
    """The folder named for tests is what pytest gets."""
    found = package.look({"setup.py": "", "p/__init__.py": "", "p/tests/__init__.py": "", "p/tests/test_a.py": ""})

    assert (("p",), ("p/tests",)) == (found.imports, found.tests)


def test_no_tests_at_all(package):
    """Byte-compiling and importing are the check, and the mode stops at PR_ONLY."""
    found = package.look({"setup.py": "", "p/__init__.py": "", "q.py": "", "docs/test_docs.py": ""})

    assert () == found.tests
    assert ("python", "-m", "compileall", "-q", ".") == argv(found)["compile"]
    assert ("python", "-c", "import p, q") == argv(found)["import"]
    assert () == found.environment.packages
    assert 'maximum_mode = "PR_ONLY"' in render(found)


def test_no_metadata_at_all(package):
    """Nothing is built; the import check finds the sources itself."""
    found = package.look({"src/p/__init__.py": "", "requirements.txt": "attrs\n"})

    assert not found.environment.build
    assert ("python", "-c", "import sys; sys.path.insert(0, 'src'); import p") == argv(found)["import"]
    assert ("requirements.txt",) == found.environment.requirements


def test_an_extension_is_noticed(package):
    """Building it needs a compiler, and the file says so."""
    found = package.look({"setup.py": "", "p/__init__.py": "", "p/_fast.c": "int x;"})

    assert found.native
    assert "needs a compiler" in render(found)


def test_what_tests_are_built_of_is_no_extension(package):
    """Nobody who installs the package compiles it."""
    assert not package.look({"setup.py": "", "p/__init__.py": "", "tests/elf/hello.c": "", "docs/x.h": ""}).native


def test_setup_py_is_read_not_run(package):
    """Literals, also by way of a name; anything computed is left alone."""
    text = BOMB + "TESTS = ['mock', 'pytest>=3']\nsetup(install_requires=['six>=1', 'attrs'], tests_require=TESTS,"
    found = package.look({"setup.py": text + " extras_require=dict(a=[x]))", "p/__init__.py": "", "test/test_a.py": ""})

    assert ("mock", "pytest>=3", "six>=1", "attrs") == found.environment.packages


def test_crlf_and_names_in_other_languages(package):
    """Windows line ends and non-ASCII names survive into a file the loader accepts."""
    found = package.look(
        {
            "setup.cfg": b"[metadata]\r\nname = x\r\n[options]\r\ninstall_requires =\r\n  attrs\r\n",
            "tox.ini": b"[testenv]\r\ndeps =\r\n  pytest\r\n  mock\r\n",
            "größe/__init__.py": "",
            "größe/daten 一.txt": "",
            "tests/test_größe.py": b"import gr\xc3\xb6\xc3\x9fe\r\n",
        }
    )

    assert (("größe",), ("pytest", "mock", "attrs")) == (found.imports, found.environment.packages)
    assert "/größe/**" in found.allowed_paths
    render(found)


@pytest.mark.parametrize(
    "files",
    [
        {"pyproject.toml": "[project\n", "setup.cfg": "x\n", "tox.ini": "[a]\n[a]\n= 1", "setup.py": "def ("},
        {"pyproject.toml": b"\xff\xfe\x00", "setup.py": b"\x00", "tests/test_a.py": b"\xff"},
        {"pyproject.toml": "project = 1\ndependency-groups = [1]\n", "tests/test_a.py": ""},
        {"pyproject.toml": "[project]\noptional-dependencies = {test = [1, 'a b', 'x @ file:///etc']}\n"},
        {"setup.py": "(" * 5000, "tests/test_a.py": "(" * 5000},
        {"README": "nothing here"},
    ],
)  # fmt: skip
def test_broken_repositories_are_survived(package, files):
    """Whatever cannot be read is left out; the target file stays valid."""
    render(package.look(files))


def test_hostile_trees_are_not_followed(package):
    """A symlink is its own text, hostile names are left out, and none reaches an argv."""
    (package.folder / "tests").mkdir()
    (package.folder / "pyproject.toml").symlink_to("/etc/passwd")
    (package.folder / "tests" / "test_\u202ea.py").write_text("")
    (package.folder / os.fsdecode(b"test_\xff.py")).write_text("")
    found = package.look({"--output=x/test_a.py": "", "p/__init__.py": ""})

    assert () == found.tests
    assert "3 files have names that no change may touch" in render(found)


def render(found: Survey, **changes) -> str:
    """The target file with every check kept."""
    return render_target(
        found,
        **{
            "name": "demo",
            "remote": '/srv/it\'s "here".git',
            "base_branch": "main",
            "today": TODAY,
            "by": "Zoë\n[x]",
            "kept": found.checks,
        }
        | changes,
    )


def test_the_written_file_is_what_the_loader_reads(package, tmp_path):
    """Round trip: values survive, dropped checks stay as comments with their reason on one line."""
    found = package.look({"pyproject.toml": PYPROJECT, "x/__init__.py": "", "tests/test_x.py": ""})
    tests, *others = found.checks
    text = render(found, kept=[tests], dropped=[(check, "2 findings\n[[checks]]\nx = 1") for check in others])
    folder = tmp_path / "policies"
    shutil.copytree(ROOT / "policies", folder, ignore=shutil.ignore_patterns("*.py", "__pycache__", "targets"))
    (folder / "targets").mkdir()
    (folder / "targets" / "demo.toml").write_text(text, encoding="utf-8")
    policy = PolicyFiles(folder).effective("demo")

    assert (tests,) == policy.target.checks
    assert found.environment == policy.target.environment
    assert found.allowed_paths == policy.target.allowed_paths
    assert (TODAY, "Zoë\n[x]", '/srv/it\'s "here".git') == (
        policy.target.review.on,
        policy.target.review.by,
        policy.target.remote,
    )
    assert Mode.PR_ONLY is policy.autopilot.modes.maximum
    assert "# Left out, it was not green on the base: 2 findings [[checks]] x = 1" in text


@pytest.mark.parametrize("name", ["Demo", "../x", "a b", ""])
def test_a_file_the_loader_would_refuse_is_not_written(package, name):
    """The name is checked before anything is written."""
    found = package.look({"p.py": ""})
    with pytest.raises(ValueError, match="name"):
        render(found, name=name)


def test_the_proposed_linters_give_countable_output(package):
    """Their argv is right: exit status 0 with findings, and JSON to count."""
    found = package.look({"p/__init__.py": "import os\nassert eval('1')\n", "setup.py": ""})
    counts = {}
    for name in ("lint", "security"):
        program, *rest = argv(found)[name]
        command = [str(Path(sys.executable).with_name(program)), *rest]
        ran = subprocess.run(command, cwd=package.folder, capture_output=True, check=True, timeout=60)
        results = json.loads(ran.stdout)
        counts[name] = len(results if isinstance(results, list) else results["results"])

    assert {"lint": 1, "security": 2} == counts


GO = {"go.mod": "module m\n", "m.go": "package m\n", "m_test.go": "package m\n", "LICENSE": "free\n"}


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (GO, "Most of it is Go, and checks are proposed for Python only"),
        (GO | {"tools/gen.py": "print(1)\n"}, "Most of it is Go, and checks are proposed for Python only"),
        ({"README.md": "words\n"}, "Most of it is in no language that is known here"),
    ],
)
def test_a_repository_that_is_not_python_gets_no_python_checks(package: Package, files: dict[str, str], told: str):
    """Green would mean nothing there (P18); the note says what to write, and so does the file."""
    found = package.look(files)
    assert () == found.checks
    assert found.notes[0].startswith(told)
    text = render_target(found, "m", str(package.folder), "main", TODAY, "me", ())
    assert '# argv = ["/usr/local/go/bin/go", "test", "./..."]' in text
    assert "ruff" not in text


def test_a_package_in_two_languages_is_told_what_is_not_looked_at(package: Package):
    """Its Python is checked; that this is the smaller part is said."""
    more = {f"ext/{n}.go": "package m\n" for n in range(9)}
    found = package.look({"pyproject.toml": "[project]\nname = 'p'\nversion = '1'\n", "p.py": "", **more})
    assert found.checks
    assert "Most of it is Go; the checks below look at its Python alone. Add what its own CI runs." == found.notes[0]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("pyproject.toml", '[tool.pytest.ini_options]\ntestpaths = ["checks"]\npython_files = ["check_*.py"]\n'),
        ("pytest.ini", "[pytest]\ntestpaths = checks\npython_files = check_*.py\n"),
        ("tox.ini", "[pytest]\ntestpaths =\n  ./checks/\npython_files = check_*.py other_*\n"),
        ("setup.cfg", "[tool:pytest]\ntestpaths = checks\npython_files = check_*.py\n"),
    ],
)
def test_pytests_own_settings_say_where_the_tests_are(package: Package, file: str, text: str):
    """What the repository's own pytest would run, not what we would have guessed."""
    files = {"setup.py": "", "p/__init__.py": "", "checks/check_a.py": "", "p/test_data.py": "", file: text}
    assert ("checks",) == package.look(files).tests


@pytest.mark.parametrize(
    ("paths", "keyed", "expected"),
    [
        (("go.mod", "go.sum", "api/go.mod", "api/go.sum"), ("/go.mod", "/go.sum"), ["go.mod"]),
        (("go.mod",), ("/go.mod", "/go.sum"), []),
        (("web/package-lock.json", "web/package.json"), ("/web/package-lock.json",), ["web/package-lock.json"]),
        (("Cargo.lock", "Gemfile.lock"), ("*.lock",), ["Cargo.lock"]),
    ],
)
def test_lock_files_of_which_releases_can_be_proposed(paths, keyed, expected):
    """Whole, understood, and deciding what is prepared."""
    environment = EnvironmentPolicy(prepare=(("true",),), keyed_by=keyed)
    assert expected == list(_updatable(paths, environment))
