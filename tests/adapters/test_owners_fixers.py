"""The owner's own fixers that `init` finds in pre-commit and in what is set up: at their pinned versions, or said."""

from __future__ import annotations

import pytest

from adapters.survey.clients import Client
from adapters.survey.hooks import HOOKS, OwnersFixers, equipped, needed, owners_fixers, pinned, scanner
from policies.settings.environment import EnvironmentPolicy

CONFIG = """
exclude: ^docs/
repos:
- repo: https://git.test/pre-commit/pre-commit-hooks
  rev: v4.5.0
  hooks:
  - id: trailing-whitespace
  - {id: end-of-file-fixer, exclude: "\\\\.txt$", files: ^src/}
  - id: check-yaml
- repo: https://git.test/psf/black-pre-commit-mirror
  rev: 0123456789abcdef0123456789abcdef01234567  # frozen: 24.4.2
  hooks: [{id: black, args: [--quiet]}]
- repo: https://git.test/adamchainz/blacken-docs
  rev: 1.16.0
  hooks: [{id: blacken-docs, additional_dependencies: [black==24.4.2, ../own, "a @ file:///x"]}]
- repo: https://git.test/astral-sh/ruff-pre-commit
  rev: v0.4.4
  hooks: [{id: ruff, args: [--fix]}, {id: ruff-format}, {id: ruff-format, stages: [manual]}]
"""


def look(config: str, programs: str = "", **files: str) -> OwnersFixers:
    tree = {".pre-commit-config.yaml": config} | {name.replace("__", "."): text for name, text in files.items()}
    return owners_fixers(lambda path: tree.get(path, ""), tuple(tree), programs)


def hook(identity: str, repo: str = "black", rev: str = "24.4.2", **more: str) -> str:
    said = "".join(f", {key}: {value}" for key, value in more.items())
    return f"repos:\n- repo: https://git.test/x/{repo}\n  rev: {rev}\n  hooks: [{{id: {identity}{said}}}]\n"


def test_hooks_that_mend_at_their_versions():
    """Handed what pre-commit hands them, with their own words; not those that only look, or that our tools follow."""
    found = look(CONFIG)
    assert {
        "trailing-whitespace": "trailing-whitespace-fixer {files}",
        "end-of-file-fixer": "end-of-file-fixer {files}",
        "black": "black --quiet {files}",
        "blacken-docs": "blacken-docs {files}",
        "ruff-format": "ruff format --no-cache --force-exclude {files}",
    } == {each.name: " ".join(each.fix) for each in found.fixers}
    assert {
        "trailing-whitespace": ("pre-commit-hooks==4.5.0",),
        "end-of-file-fixer": ("pre-commit-hooks==4.5.0",),
        "black": ("black==24.4.2",),
        "blacken-docs": ("blacken-docs==1.16.0", "black==24.4.2"),
        "ruff-format": ("ruff==0.4.4",),
    } == found.packages
    assert () == found.notes
    end_of_file = found.fixers[1]
    assert (("^src/",), ("\\.txt$", "^docs/")) == (end_of_file.only, end_of_file.exclude)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        (hook("black", rev="main"), "black is left out: main names no version of black"),
        (hook("black", repo="fork-of-it"), "pre-commit's black: left out, no package of a registry is known here"),
        (hook("prettier", repo="mirrors-prettier"), "pre-commit's prettier: left out, no package"),
        (hook("black", types="[pyi]"), "black is left out: which files it is handed is told by types"),
        (hook("black", exclude="'('"), "black is left out: "),
        ("repos: [", "is not valid YAML"),
    ],
)
def test_what_cannot_be_had_is_said(config, said):
    """In a line each, and nothing is made of it."""
    found = look(config)
    (note,) = found.notes
    assert ((), {}) == (found.fixers, found.packages)
    assert said in note


@pytest.mark.parametrize(
    "config", [hook("mypy", "mirrors-mypy"), hook("check-toml"), hook("ruff", "ruff-pre-commit"), ""]
)
def test_what_mends_nothing_is_not_spoken_of(config):
    """It is a check's business, or that of our own tools."""
    assert OwnersFixers() == look(config)


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({"uv__lock": '[[package]]\nname = "black"\nversion = "24.1.0"\n'}, "24.1.0"),
        ({"requirements-dev__txt": "pytest\nblack[d] == 23.3.0 # why\n"}, "23.3.0"),
        ({"pyproject__toml": '[dependency-groups]\ndev = [\n  "black==22.1",\n]\n'}, "22.1"),
        ({"tox__ini": "[testenv]\ndeps =\n    black==21.4b0\n"}, "21.4b0"),
        ({"requirements__txt": "black>=23\nblack-extra==1\n"}, ""),
    ],
)
def test_what_pins_a_version(files, version):
    """Lock files first; a range is no pin."""
    tree = {name.replace("__", "."): text for name, text in files.items()}
    assert version == pinned("black", lambda path: tree.get(path, ""), tuple(tree))


@pytest.mark.parametrize(
    ("config", "lock", "requirements"),
    [
        (hook("mypy", "mirrors-mypy", "v1.9.0"), "", ("mypy==1.9.0",)),
        (hook("mypy", "mirrors-mypy", "v1.9.0"), 'name = "mypy"\nversion = "1.8.0"\n', ("mypy==1.8.0",)),
        (hook("mypy", additional_dependencies="[types-six, ../x]", rev="main"), "", ("mypy", "types-six")),
        ("repos: [", "", ("mypy",)),
    ],
)
def test_what_a_check_needs(config, lock, requirements):
    """The version of a lock file, else that of its hook; and what the hook is given besides."""
    tree = {".pre-commit-config.yaml": config, "uv.lock": lock}
    assert requirements == needed("mypy", lambda path: tree.get(path, ""), tuple(tree))


@pytest.mark.parametrize(
    ("config", "lock", "version"),
    [
        (hook("ruff", "ruff-pre-commit", "v0.5.0"), "", "0.5.0"),
        (hook("ruff-check", "ruff-pre-commit", "v0.12.1"), "", "0.12.1"),
        (hook("ruff", "ruff-pre-commit", "v0.5.0"), 'name = "ruff"\nversion = "0.4.4"\n', "0.4.4"),
        (hook("ruff", "ruff-pre-commit", "main"), "", ""),
        (hook("ruff", "ruff-pre-commit", "v0.0.250"), "", ""),
        (hook("black", "black", "24.1.0"), "", ""),
    ],
)
def test_whose_version_of_a_linter_of_ours_decides(config, lock, version):
    """The owner's, of the lock file before the hook's; one that cannot print what is counted does not."""
    tree = {".pre-commit-config.yaml": config, "uv.lock": lock}
    assert version == scanner("ruff", lambda path: tree.get(path, ""), tuple(tree))


def test_formatters_that_are_set_up_and_pinned():
    """Without a pin another version would format everything anew: said, and no fixer."""
    settings = {"pyproject__toml": "[tool.black]\nline-length = 100\n", "setup__cfg": "[isort]\nprofile = black\n"}
    found = look("", **settings, requirements__txt="black==24.4.2\n")
    assert [("black", "--quiet", ".")] == [each.fix for each in found.fixers]
    assert {"black": ("black==24.4.2",)} == found.packages
    assert ["isort is set up here, but no version of it is pinned: it is no fixer. Pin one, init again."] == [
        *found.notes
    ]


def test_their_programs_are_in_the_check_environment():
    """Of wheels: more packages. Prepared by commands: a place of its own there, from Python's own index."""
    found = look(CONFIG, HOOKS)
    assert all(each.fix[0].startswith(HOOKS) for each in found.fixers)
    wheels = equipped(EnvironmentPolicy(packages=("pytest",)), found, None)
    assert ("pytest", "pre-commit-hooks==4.5.0", "black==24.4.2") == wheels.packages[:3]
    python = Client(("/opt/python",), ("index.test:443",))
    made = EnvironmentPolicy(prepare=(("npm", "ci"),), keyed_by=("/package.json",), hosts=("packages.test:443",))
    prepared = equipped(made, found, python)
    assert [("npm", "ci"), ("python3", "-m", "venv", "/env/hooks")] == [*prepared.prepare[:2]]
    assert "black==24.4.2" in prepared.prepare[2]
    assert (("/opt/python",), ("packages.test:443", "index.test:443")) == (prepared.toolchains, prepared.hosts)
    assert made == equipped(made, OwnersFixers(), None)


def test_only_those_whose_program_cannot_be_had_are_dropped():
    """As the installer names them; all of them where it names none."""
    found = look(CONFIG)
    assert ("black", "blacken-docs") == found.named_in(
        "Because there is no version of black==24.4.2 and you require it"
    )
    assert tuple(found.packages) == found.named_in("the registry could not be reached")
    less = found.without(["black"])
    assert "black" not in {each.name for each in less.fixers} | less.packages.keys()
