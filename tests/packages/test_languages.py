"""The blocks of docs/languages.md, each on a tiny repository with a dependency from the real registry."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import uv

from adapters.environments.wheels import WheelEnvironments
from adapters.sandbox.bubblewrap import BubblewrapSandbox
from policies.settings.environment import EnvironmentPolicy, FixerPolicy
from policies.settings.schema import CheckPolicy
from ports.environments import EnvironmentUnavailable
from ports.sandbox import Limits
from tests.adapters.test_check_environments import policy, quiet
from tests.adapters.test_prepared_environments import repository  # noqa: F401  # a fixture

PAGE = (Path(__file__).parents[2] / "docs/languages.md").read_text(encoding="utf-8")
BLOCKS = [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)]
BY_COMMAND = {
    Path(block["environment"]["prepare"][-1][0]).name: block
    for block in BLOCKS
    if "prepare" in block.get("environment", {})
}
LIMITS = Limits(300, 600, 3 << 30, 256, 512 << 20, 1 << 16)
POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>x</groupId>
<artifactId>x</artifactId><version>1</version><properties><maven.compiler.source>17</maven.compiler.source>
<maven.compiler.target>17</maven.compiler.target></properties></project>"""
PYTHON_TEST = {"test_it.py": "import iniconfig\n\ndef test_it():\n    assert iniconfig\n"}
PYPROJECT = '[project]\nname = "x"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["iniconfig", "pytest"]\n'
TREES = {
    "go": (
        {
            "go.mod": "module x\n\ngo 1.26\n\nrequire rsc.io/quote v1.5.2\n",
            "m_test.go": 'package x\n\nimport (\n\t"testing"\n\n\t"rsc.io/quote"\n)\n\nfunc TestH(t *testing.T) {\n'
            '\tif quote.Hello() == "" {\n\t\tt.Fatal()\n\t}\n}\n',
        },
        ("go", "mod", "tidy"),
    ),
    "cargo": (
        {
            "Cargo.toml": '[package]\nname = "x"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\nitoa = "1"\n',
            "src/lib.rs": '#[test]\nfn t() {\n    assert_eq!("3", itoa::Buffer::new().format(3));\n}\n',
        },
        ("cargo", "generate-lockfile"),
    ),
    "npm": (
        {
            "package.json": '{"name": "x", "scripts": {"test": "node --test"}, "dependencies": {"is-odd": "3.0.1"}}',
            "it.test.js": 'require("node:test")("odd", () => require("node:assert")(require("is-odd")(3)));\n',
        },
        ("npm", "install", "--package-lock-only"),
    ),
    "pip": (
        {"pyproject.toml": PYPROJECT, **PYTHON_TEST},
        (
            uv.find_uv_bin(),
            "pip",
            "compile",
            "--generate-hashes",
            "--quiet",
            "-o",
            "requirements.txt",
            "pyproject.toml",
        ),
    ),
    "uv": ({"pyproject.toml": PYPROJECT, **PYTHON_TEST}, (uv.find_uv_bin(), "lock", "--quiet")),
    "mvn": ({"pom.xml": POM, "src/main/java/A.java": "class A {}\n"}, ("true",)),
    "true": (
        {"Makefile": "test:\n\t$(CC) -x c -fsyntax-only a.c\n", "a.c": "int main(void) { return 0; }\n"},
        ("true",),
    ),
}


def here(toolchain: str, tmp_path: Path) -> str:
    """The page's folder, as it is on this machine."""
    if toolchain == "/opt/rust":
        return subprocess.run(
            ["rustc", "--print", "sysroot"], capture_output=True, check=True, text=True
        ).stdout.strip()
    if toolchain == "/opt/uv":
        (tmp_path / "uv").mkdir()
        shutil.copy(uv.find_uv_bin(), tmp_path / "uv")
        return str(tmp_path / "uv")
    return toolchain.replace("/opt/python", sys.base_prefix)


@pytest.mark.packages
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", TREES)
def test_the_pages_block_prepares_and_checks(name, repository, tmp_path):  # noqa: F811
    """Offline after it was prepared; hosts are those that the language's own client asks for."""
    if name in {"go", "cargo", "npm", "mvn"} and shutil.which(name) is None:
        pytest.skip(f"left out: {name} is missing on this machine")
    files, locking = TREES[name]
    repository.commit(files)
    subprocess.run(locking, cwd=repository.path, check=True, capture_output=True)
    base = repository.commit({})
    block = BY_COMMAND[name]
    toolchains = [here(each, tmp_path) for each in block["environment"].get("toolchains", [])]
    chosen = block["environment"] | {"toolchains": toolchains, "hosts": []}
    environments = WheelEnvironments(tmp_path / "root", BubblewrapSandbox())
    for _ in range(4):
        wanted = EnvironmentPolicy.model_validate(chosen)
        try:
            made = environments.prepare(repository, base, policy(**dict(wanted)), quiet)
            break
        except EnvironmentUnavailable as refused:
            asked = re.search(r"it asked for (\S+(?:, \S+)*), which", str(refused))
            if asked is None:
                raise
            chosen["hosts"] = [*chosen["hosts"], *asked[1].split(", ")]
    for check in (CheckPolicy.model_validate(each) for each in block["checks"]):
        tree = tmp_path / check.name
        tree.mkdir()
        repository.checkout(base, tree)
        result = BubblewrapSandbox().run(made.command(check.argv, tree, LIMITS), quiet)
        assert 0 == result.exit_code, result.output.decode()


def test_every_block_of_the_page_is_run_and_loads():
    """Also without a registry: what the page says is what a target's file takes."""
    assert set(TREES) == set(BY_COMMAND)
    beside = [block["environment"] for block in BLOCKS if "prepare" not in block.get("environment", {"prepare": ()})]
    wanted = [EnvironmentPolicy.model_validate(each) for each in beside]
    assert [(True, False), (False, True)] == [(each.submodules, bool(each.lfs)) for each in wanted]
    assert [FixerPolicy.model_validate(each) for block in BLOCKS for each in block.get("fixers", [])]
    for block in BY_COMMAND.values():
        assert EnvironmentPolicy.model_validate(block["environment"]).prepare
        assert [CheckPolicy.model_validate(each) for each in block["checks"]]
