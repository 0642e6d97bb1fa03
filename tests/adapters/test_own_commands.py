"""What a repository itself runs, read from wherever it says so, and what of that is a check here."""

from __future__ import annotations

import pytest

from adapters.survey.own_commands import own_checks, own_commands

TOX = """[testenv]
commands =
    pytest {posargs:tests} \\
      --strict
    - {envpython} -m mypy src
[testenv:x]
commands = {[testenv]commands}
[testenv:typing-{mypy,ty}]
commands =
    mypy: mypy src
"""
NOX = """import nox
@nox.session
def tests(session):
    session.run("pytest", "-q", *session.posargs)
    session.run("mypy", TARGET)
    session.run("flake8", "a b", external=True)
"""
SCRIPTS = """[tool.hatch.envs.default.scripts]
test = "pytest {args:tests}"
all = ["test", "hatch run x:check"]
[tool.pdm.scripts]
lint = {cmd = ["flake8", "src"]}
both = {composite = ["lint", "pdm run types"]}
[tool.poe.tasks]
types = "mypy src"
"""
MAKE = "GO ?= go\nPY := $(shell which python)\ntest: all\n\t@$(GO) test -race ./...\n\t-$(PY) x.py\n\tcd a && make\n"
HOOKS = """repos:
- repo: https://git.test/pre-commit/mirrors-mypy
  hooks: [{id: mypy}]
- repo: https://git.test/PyCQA/flake8
  hooks: [{id: flake8, args: [--max-line-length=100]}]
- repo: local
  hooks:
  - {id: clippy, entry: cargo clippy --all-targets, args: [--, -D, warnings], language: system}
  - {id: strange, entry: [a], language: system}
"""


HATCH = """
[envs.default.scripts]
test = "pytest {args:tests}"
report = ["- coverage combine"]
[envs.lint]
detached = true
[envs.lint.scripts]
typing = "mypy --install-types {args:p}"
"""


@pytest.mark.parametrize(
    ("path", "text", "found"),
    [
        (
            ".pre-commit-config.yaml",
            HOOKS,
            [
                "mypy --ignore-missing-imports --scripts-are-modules",
                "flake8 --max-line-length=100",
                "cargo clippy --all-targets -- -D warnings",
            ],
        ),
        (".pre-commit-config.yaml", "repos: [", []),
        ("tox.ini", TOX, ["pytest tests --strict", "python -m mypy src", "mypy src"]),
        ("noxfile.py", NOX, ["pytest -q", "flake8 a b"]),
        ("pyproject.toml", SCRIPTS, ["mypy src", "pytest tests", "flake8 src", "test", "check", "lint", "types"]),
        ("hatch.toml", HATCH, ["pytest tests", "mypy --install-types p", "coverage combine"]),
        ("Makefile", MAKE, ["go test -race ./..."]),
        (
            ".gitlab-ci.yml",
            "a:\n  script: [uv run mypy src, uv run --group x mypy, poetry run pytest]\n",
            ["mypy src", "pytest"],
        ),
        ("azure-pipelines.yml", "steps:\n- script: |\n    a b\n    c 'd|e'\n    f | g\n    X=1 h\n", ["a b", "c d|e"]),
        ("tox.ini", "[testenv\n", []),
        ("noxfile.py", "def (", []),
        ("pyproject.toml", "tool = 3\n", []),
        (".travis.yml", "script: [\n", []),
        ("docs/conf.py", "session.run('x')", []),
    ],
)
def test_plain_commands(path, text, found):
    """Word for word, without who runs them; what only a shell or the tool understands is left out."""
    said = own_commands(lambda each: text if each == path else "", (path,))
    assert found == [" ".join(argv) for argv in said]


def looked(*lines: str, sources=("src/p",), **pins: str):
    found = own_checks(
        [tuple(line.split()) for line in lines],
        sources,
        lambda name: (f"{name}=={pins[name]}" if name in pins else name,),
    )
    return {check.name: " ".join(check.argv) for check in found.checks}, found.packages, " ".join(found.tests)


MYPY = "python -m mypy --no-incremental --cache-dir=/dev/null --no-error-summary"


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["mypy --strict src tests"], ({"types": f"{MYPY} --strict src tests"}, ("mypy",), "")),
        (["mypy --install-types --non-interactive p"], ({"types": f"{MYPY} p"}, ("mypy",), "")),
        (["python -m mypy --strict"], ({"types": f"{MYPY} --strict src/p"}, ("mypy",), "")),
        (["flake8"], ({"flake8": "python -m flake8 src/p"}, ("flake8",), "")),
        (["coverage run --branch -m unittest discover"], ({}, (), "python -m unittest discover")),
        (["python manage.py test app"], ({}, (), "python manage.py test app")),
        (["python tests/runtests.py"], ({}, (), "python tests/runtests.py")),
        (["python setup.py sdist", "python build.py"], ({}, (), "")),
        (["py.test", "python -m unittest"], ({}, (), "")),
    ],
)
def test_what_is_a_check(lines, expected):
    """By its own words; pytest stays ours, which the surveyor writes."""
    assert expected == looked(*lines)


def test_versions_are_those_that_are_pinned():
    """And what is no check here is named."""
    assert ("mypy==1.9.0",) == looked("mypy src", mypy="1.9.0")[1]
    assert ("pylint", "pyright") == own_checks([("pyright",), ("pylint", "x"), ("echo",)], (), lambda _: ()).unknown
