"""An update by each ecosystem's own command, on a tiny repository that is behind, from the real registries."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest
import uv

from adapters.environments.wheels import WheelEnvironments
from adapters.sandbox.bubblewrap import BubblewrapSandbox
from adapters.survey.clients import Clients
from adapters.tools.dependencies import DependenciesTool
from adapters.tools.measures import ToolMeasures
from adapters.tools.source_tree import SourceTree
from contracts.dependency import DependencyLook
from contracts.task import Scope, TaskContract
from policies.settings.environment import DependencyPolicy, EnvironmentPolicy
from ports.environments import EnvironmentUnavailable
from ports.measures import Look
from tests.adapters.test_check_environments import policy, quiet
from tests.adapters.test_prepared_environments import repository  # noqa: F401  # a fixture
from tests.packages.test_languages import BY_COMMAND, here

UV = uv.find_uv_bin()
PYPROJECT = """[project]
name = "x"
version = "1"
requires-python = ">=3.11"
dependencies = ["iniconfig"]
"""
ROUTES = 'package x\n\nimport "github.com/gorilla/mux"\n\nfunc New() *mux.Router { return mux.NewRouter() }\n'
BEHIND = {
    "uv": (
        "uv.lock",
        "iniconfig",
        "2.0.0",
        {"pyproject.toml": PYPROJECT},
        [(UV, "lock", "--quiet", "--upgrade-package", "iniconfig==2.0.0")],
    ),
    "npm": (
        "package-lock.json",
        "is-odd",
        "3.0.0",
        {"package.json": '{"name": "x", "version": "1.0.0", "license": "MIT"}'},
        [("npm", "install", "--package-lock-only", "--no-audit", "--save-prefix=^", "is-odd@3.0.0")],
    ),
    "go": (
        "go.mod",
        "github.com/gorilla/mux",
        "v1.8.0",
        {
            "go.mod": "module x\n\ngo 1.26\n\nrequire github.com/gorilla/mux v1.8.0\n",
            "m.go": ROUTES,
        },
        [("go", "mod", "tidy")],
    ),
    "cargo": (
        "Cargo.lock",
        "itoa",
        "1.0.1",
        {
            "Cargo.toml": '[package]\nname = "x"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\nitoa = "1"\n',
            "src/lib.rs": "pub fn x() -> usize { itoa::Buffer::new().format(3).len() }\n",
        },
        [("cargo", "generate-lockfile"), ("cargo", "update", "-p", "itoa", "--precise", "1.0.1")],
    ),
}
PDM = ("env", f"PDM_PYTHON={sys.executable}", UV, "tool", "run", "--quiet", "--with", "hishel<2", "pdm", "lock")
"""Told its interpreter, it leaves nothing in the tree."""
WIDER = ("sed", "-i", "s/iniconfig==2.0.0/iniconfig<3/", "pyproject.toml")
NARROW = PYPROJECT.replace('"iniconfig"', '"iniconfig==2.0.0"').replace(">=3.11", ">=3.11,<4")
BEHIND |= {
    "pdm": ("pdm.lock", "iniconfig", "2.0.0", {"pyproject.toml": NARROW}, [PDM, WIDER, (*PDM, "--update-reuse")]),
    "poetry": (
        "poetry.lock",
        "iniconfig",
        "2.0.0",
        {"pyproject.toml": NARROW},
        [(UV, "tool", "run", "--quiet", "poetry", "lock"), WIDER, (UV, "tool", "run", "--quiet", "poetry", "lock")],
    ),
    "pnpm": (
        "pnpm-lock.yaml",
        "is-odd",
        "3.0.0",
        {"package.json": '{"name": "x", "version": "1.0.0", "license": "MIT", "dependencies": {"is-odd": "3.0.0"}}'},
        [
            ("npx", "--yes", "pnpm@10", "install", "--lockfile-only"),
            ("sed", "-i", 's/3.0.0"}/^3.0.0"}/', "package.json"),
            ("npx", "--yes", "pnpm@10", "install", "--lockfile-only"),
        ],
    ),
}
IS_ODD = """{
  "name": "x",
  "version": "1.0.0",
  "license": "MIT",
  "dependencies": {
    "is-odd": "3.0.0"
  }
}
"""
FREE = ("sed", "-i", 's/"3.0.0"/"^3.0.0"/', "package.json")
YARN = ("npx", "--yes", "yarn@1", "install", "--ignore-scripts", "--non-interactive")
YARN_4 = ("npx", "--yes", "@yarnpkg/cli-dist@4", "install", "--mode=update-lockfile")
LOOSE = ("sed", "-i", 's/^"is-odd@npm:3/"is-odd@npm:^3/;s/is-odd: "npm:3/is-odd: "npm:^3/', "yarn.lock")
BEHIND |= {
    # Of a wider range yarn would take the newest at once: what it has locked is told of it by hand.
    "yarn": (
        "yarn.lock",
        "is-odd",
        "3.0.0",
        {"package.json": IS_ODD, ".gitignore": "node_modules\n"},
        [YARN, FREE, ("sed", "-i", "s/^is-odd@3.0.0/is-odd@^3.0.0/", "yarn.lock"), YARN],
    ),
    "yarn-4": (
        "yarn.lock",
        "is-odd",
        "3.0.0",
        {"package.json": IS_ODD, "yarn.lock": "", ".gitignore": ".yarn\n"},
        [YARN_4, FREE, LOOSE, YARN_4],
    ),
}
VENV = ["python3", "-m", "venv", "/env"]
MANAGED = {
    "pdm": {"prepare": [VENV, ["/env/bin/pip", "install", "pdm", "hishel<2"]], "toolchains": ["/opt/python"]},
    "poetry": {"prepare": [VENV, ["/env/bin/pip", "install", "poetry"]], "toolchains": ["/opt/python"]},
    "pnpm": {"prepare": [["npm", "install", "--global", "--prefix", "/env", "pnpm@10"]]},
    "yarn": {"prepare": [["npm", "install", "--global", "--prefix", "/env", "yarn@1"]]},
    "yarn-4": {
        "prepare": [["npm", "install", "--global", "--prefix", "/env", "@yarnpkg/cli-dist@4"]],
        "variables": {"CI": "true"},
    },
}


def index_of_pip() -> str:
    """Poetry asks more of the usual index than pages, unless it is told of one: the one that pip asks here."""
    asked = [sys.executable, "-m", "pip", "index", "versions", "iniconfig", "-vv"]
    said = subprocess.run(asked, capture_output=True, check=False, text=True).stdout
    page = re.search(r"Getting page (https?://\S+?)/iniconfig/", said)
    assert page, "pip did not say whom it asks"
    return f'[[tool.poetry.source]]\nname = "pips"\nurl = "{page[1]}/"\npriority = "primary"\n'


@pytest.mark.packages
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", BEHIND)
def test_a_real_package_that_is_behind_is_brought_on(name, repository, tmp_path):  # noqa: F811
    """Looked up, made twice, judged, made again; afterwards nothing is left to find."""
    program = {"pnpm": "npm", "yarn": "npm", "yarn-4": "npm"}.get(name, name)
    if name not in {"uv", "pdm", "poetry"} and shutil.which(program) is None:
        pytest.skip(f"left out: {program} is missing on this machine")
    lock_file, package, before, files, locking = BEHIND[name]
    if name == "poetry":
        files = {"pyproject.toml": files["pyproject.toml"] + index_of_pip()}
    repository.commit(files)
    for argv in locking:
        subprocess.run(argv, cwd=repository.path, check=True, capture_output=True)
    base = repository.commit({})
    if name in MANAGED:
        chosen = MANAGED[name] | {
            "hosts": list(Clients().yarn) if "yarn" in name else [],
            "keyed_by": [f"/{lock_file}"],
        }
    else:
        chosen = BY_COMMAND[name]["environment"] | {"hosts": [], "prepare": fetching(name), "keep": []}
    chosen["toolchains"] = [here(each, tmp_path) for each in chosen.get("toolchains", [])]
    environments = WheelEnvironments(tmp_path / "root", BubblewrapSandbox())
    measures = ToolMeasures(BubblewrapSandbox(), (DependenciesTool(),))
    tree = tmp_path / "tree"
    tree.mkdir()
    repository.checkout(base, tree)
    for _ in range(6):
        wanted = EnvironmentPolicy.model_validate(chosen)
        settings = policy(**dict(wanted))
        dependencies = DependencyPolicy(lock_files=(lock_file,))
        target = settings.target.model_copy(update={"dependencies": dependencies})
        settings = settings.model_copy(update={"target": target})
        try:
            made = environments.prepare(repository, base, settings, quiet)
            seen = measures.detect(Look(tree, settings, quiet, environment=made))
            said = " ".join(each.reason for each in seen.unread)
        except EnvironmentUnavailable as refused:
            said = str(refused)
        asked = re.search(r"it asked for (\S+(?:, \S+)*), which", said)
        if asked is None:
            assert "`prepare` " not in said or "is not there" in said, said
            break
        chosen["hosts"] = [*chosen["hosts"], *asked[1].split(", ")]
    look = DependencyLook.model_validate_json(seen.lookups["dependencies"])
    assert package in {each.package for each in look.updates}, (said, look)
    update = next(each for each in look.updates if each.package == package)
    assert ("", before) == (update.refused, update.before), (update, made.asked)
    changed = next(each for each in update.changes if each.package == package)
    assert changed.said_after
    assert changed.said_after.licence
    recorded = {"lookups/dependencies": seen.lookups["dependencies"]}
    again = Look(tree, settings, quiet, recorded=recorded, environment=made)
    finding = next(each for each in seen.findings if each.rule == f"{lock_file}/{package}")
    assert finding.fixable
    files = dependencies.files(lock_file)
    scope = Scope(allowed_paths=files, max_files=len(files), max_lines=400)
    contract = TaskContract.model_construct(rule=finding.rule, scope=scope)
    DependenciesTool().fix(SourceTree(tree), contract, settings, measures._runner(again))
    assert finding.rule not in {each.rule for each in measures.detect(again).findings}


def fetching(name: str) -> list[list[str]]:
    """What the page's block prepares, without building."""
    return [each for each in BY_COMMAND[name]["environment"]["prepare"] if not {"test", "vet"} & set(each)]
