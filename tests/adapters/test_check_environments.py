"""Check environments: what is read, what is refused, and that nothing of the repository runs outside the sandbox."""

from __future__ import annotations

import subprocess
import sys
import threading
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from adapters.environments.wheels import WheelEnvironments
from adapters.sandbox.bubblewrap import BubblewrapSandbox
from policies.settings.schema import (
    Autopilot,
    CapSettings,
    Charter,
    EffectivePolicy,
    EnvironmentPolicy,
    ProtectedPaths,
    ProtectedRule,
    ReviewStamp,
    Target,
)
from ports.environments import EnvironmentUnavailable
from ports.sandbox import Command, Limits

LIMITS = Limits(60, 60, 1 << 31, 128, 64 << 20, 1 << 16)
EXTENSION = """
#include <Python.h>
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "compiled", NULL, -1, NULL};
PyMODINIT_FUNC PyInit_compiled(void) { return PyModule_Create(&module); }
"""


def quiet() -> None:
    """An activity that is never cancelled."""


def policy(**environment) -> EffectivePolicy:
    return EffectivePolicy(
        autopilot=Autopilot(caps=CapSettings()),
        protected_paths=ProtectedPaths(protected=(ProtectedRule(patterns=("/x",), reason="x"),)),
        charter=Charter(roles={}),
        target=Target(
            name="demo",
            remote="/nowhere",
            base_branch="main",
            review=ReviewStamp(on=date(2026, 1, 1), by="ann"),
            environment=EnvironmentPolicy(**environment),
        ),
        digest="0" * 64,
    )


@dataclass
class Committed:
    """A real repository, read as the mirror reads it."""

    path: Path

    def read(self, commit: str, path: str) -> bytes | None:
        done = subprocess.run(
            ["git", "-C", self.path, "cat-file", "blob", f"{commit}:{path}"], check=False, capture_output=True
        )
        return done.stdout if done.returncode == 0 else None

    def commit(self, files: dict[str, str]) -> str:
        for name, text in files.items():
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
            (self.path / name).write_text(text)
        self._git("add", "-A")
        self._git("-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x", "--allow-empty")
        return self._git("rev-parse", "HEAD").strip()

    def _git(self, *arguments: str) -> str:
        return subprocess.run(["git", "-C", self.path, *arguments], check=True, capture_output=True, text=True).stdout


@pytest.fixture
def repository(tmp_path):
    path = tmp_path / "repository"
    subprocess.run(["git", "init", "-q", path], check=True)
    return Committed(path)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("root")


@pytest.fixture
def environments(root):
    return WheelEnvironments(root, BubblewrapSandbox())


@pytest.fixture
def tree(tmp_path):
    made = tmp_path / "tree"
    made.mkdir()
    return made


def run(environment, tree, *argv):
    mounts = ((environment.path, environment.guest), *environment.read_only)
    command = Command(argv, tree, LIMITS, environment=environment.environment, read_only=mounts)
    return BubblewrapSandbox().run(command, quiet)


# What is made of it.


def test_prepared_environment_runs_checks_and_our_tools(environments, repository, tree):
    """The target's own packages and our pinned ruff and bandit, found on PATH inside."""
    base = repository.commit({"requirements.txt": "pytest\n"})
    made = environments.prepare(repository, base, policy(requirements=("requirements.txt",)), quiet)
    (tree / "test_it.py").write_text("def test_it():\n    assert len(__file__)\n")
    assert 0 == run(made, tree, "pytest", "-q").exit_code
    assert 0 == run(made, tree, "python", "-m", "pytest", "-q").exit_code
    assert 0 == run(made, tree, "ruff", "check", "--isolated", "test_it.py").exit_code
    assert b'"results"' in run(made, tree, "bandit", "-q", "-f", "json", "-r", ".").stdout


def test_tree_cannot_stand_in_for_the_scanner(environments, repository, tree):
    """A module of the tree with the scanner's name is not what runs."""
    base = repository.commit({"x": ""})
    made = environments.prepare(repository, base, policy(build=False), quiet)
    made = environments.install(made, tree, policy(build=False), quiet)
    (tree / "bandit").mkdir()
    (tree / "bandit" / "__init__.py").write_text("")
    (tree / "bandit" / "__main__.py").write_text("print('spoofed')")
    assert b"spoofed" not in run(made, tree, "bandit", "--version").output


def test_base_commit_decides_not_a_later_one(environments, repository):
    """What a change adds is not installed."""
    base = repository.commit({"requirements.txt": "iniconfig\n"})
    repository.commit({"requirements.txt": "git+https://example.org/evil\n"})
    made = environments.prepare(repository, base, policy(requirements=("requirements.txt",), build=False), quiet)
    assert [] == list(made.path.glob("lib/*/site-packages/evil*"))
    assert 1 == len(list(made.path.glob("lib/*/site-packages/iniconfig")))


def test_same_requirements_are_not_installed_twice(environments, repository, monkeypatch):
    """The second preparation needs no network, no cache and no uv."""
    base = repository.commit({"x": ""})
    first = environments.prepare(repository, base, policy(packages=("iniconfig",), build=False), quiet)
    monkeypatch.setattr("uv.find_uv_bin", lambda: "/bin/false")
    assert first == environments.prepare(repository, base, policy(packages=("iniconfig",), build=False), quiet)


def test_what_a_crash_left_is_replaced(environments, repository):
    """A half-made environment is never used."""
    base = repository.commit({"x": ""})
    chosen = policy(packages=("iniconfig<2.1",), build=False)
    place = environments.prepare(repository, base, chosen, quiet).path
    place.rename(place.with_suffix(".unfinished"))
    (place.with_suffix(".unfinished") / "bin" / "python").unlink()
    assert (environments.prepare(repository, base, chosen, quiet).path / "bin" / "python").exists()
    assert not place.with_suffix(".unfinished").exists()


def test_concurrent_preparers_share_one(root, repository):
    """Two at once: one makes it, both get it."""
    base = repository.commit({"x": ""})
    chosen = policy(packages=("iniconfig<3",), build=False)
    made = []

    def prepare() -> None:
        made.append(WheelEnvironments(root, BubblewrapSandbox()).prepare(repository, base, chosen, quiet))

    threads = [threading.Thread(target=prepare) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert made[0] == made[1]


def test_requirement_without_a_wheel_is_named(environments, repository):
    """Source distributions are not built; the message says which and what to do."""
    base = repository.commit({"x": ""})
    with pytest.raises(EnvironmentUnavailable, match=r"(?s)no wheel.*environment\.packages.*sgmllib3k"):
        environments.prepare(repository, base, policy(packages=("sgmllib3k",), build=False), quiet)


def test_unreachable_registry_is_said(environments, repository, monkeypatch, tmp_path):
    """The network's trouble is not the requirement's."""
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    base = repository.commit({"x": ""})
    with pytest.raises(EnvironmentUnavailable, match=r"(?s)registry could not be reached.*UV_OFFLINE"):
        environments.prepare(repository, base, policy(packages=("toml",), build=False), quiet)


def test_configuration_beside_the_worker_is_not_read(environments, repository, monkeypatch, tmp_path):
    """A uv.toml in the current folder does not choose the registry."""
    (tmp_path / "uv.toml").write_text('index-url = "http://127.0.0.1:9/simple"\n')
    monkeypatch.chdir(tmp_path)
    base = repository.commit({"uv.toml": 'index-url = "http://127.0.0.1:9/simple"\n'})
    assert environments.prepare(repository, base, policy(packages=("iniconfig>1",), build=False), quiet).path.exists()


def test_cancelled_preparation_leaves_nothing(environments, repository, root):
    """An exception from ``alive`` ends uv and removes what was begun."""

    def cancelled() -> None:
        raise InterruptedError("cancelled")

    base = repository.commit({"x": ""})
    with pytest.raises(InterruptedError):
        environments.prepare(repository, base, policy(packages=("iniconfig>1.0",), build=False), cancelled)
    assert [] == list((root / "environments").glob("*.unfinished"))


def test_interpreter_that_does_not_run_is_named(environments, repository):
    """A mistyped ``environment.python`` is the user's to correct."""
    base = repository.commit({"x": ""})
    with pytest.raises(EnvironmentUnavailable, match=r"environment\.python"):
        environments.prepare(repository, base, policy(python="/no/such/python"), quiet)


# The package itself.


@pytest.fixture
def builder(environments, repository):
    """An environment with setuptools."""
    return environments.prepare(repository, repository.commit({"setup.py": ""}), policy(), quiet)


def write(tree, files):
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)


def test_package_is_built_and_importable(environments, builder, tree):
    """A src layout with an extension in C and a command, at the version its metadata states."""
    write(
        tree,
        {
            "setup.py": "import os\nfrom setuptools import setup, Extension\n"
            "setup(name='demo', version=os.environ['SETUPTOOLS_SCM_PRETEND_VERSION'], package_dir={'': 'src'},"
            " packages=['demo'], ext_modules=[Extension('compiled', ['compiled.c'])],"
            " entry_points={'console_scripts': ['demo-command=demo:main']})\n",
            "compiled.c": EXTENSION,
            "src/demo/__init__.py": "import compiled\ndef main(): print('command ran')\n",
            "PKG-INFO": "Metadata-Version: 2.1\nName: demo\nVersion: 4.5.6\n",
        },
    )
    installed = environments.install(builder, tree, policy(), quiet)
    script = "import demo, importlib.metadata as m; print(m.version('demo'), demo.__file__)"
    assert [b"4.5.6", b"/opt/autonomy/package/demo/__init__.py"] == run(
        installed, tree, "python", "-c", script
    ).stdout.split()
    assert b"command ran\n" == run(installed, tree, "demo-command").stdout
    assert not (tree / "build").exists()


def test_build_runs_in_the_sandbox_only(environments, builder, tree, tmp_path):
    """A hostile set-up program writes, and reads, nothing outside; it has no network either."""
    canary = tmp_path / "canary"
    hostile = (
        f"import socket\nfrom setuptools import setup\ntry:\n    open({str(canary)!r}, 'w')\n"
        "except OSError: pass\n"
        "interfaces = ','.join(name for _, name in socket.if_nameindex())\n"
        "setup(name='demo', version='1', py_modules=[], description=interfaces)\n"
    )
    write(tree, {"setup.py": hostile, "conftest.py": f"open({str(canary)!r}, 'w')"})
    installed = environments.install(builder, tree, policy(), quiet)
    script = "import importlib.metadata as m; print(m.metadata('demo')['Summary'])"
    assert b"lo\n" == run(installed, tree, "python", "-c", script).stdout
    assert not canary.exists()


def test_planted_link_as_build_result_is_refused(environments, builder, tree, tmp_path):
    """A build that leaves a link to a folder of the host gets nothing mounted."""
    outside = tmp_path / "outside"
    outside.mkdir()
    trick = (
        f"import os\nfrom setuptools import setup\nos.makedirs({str(outside)!r}, exist_ok=True)\n"
        f"if not os.path.islink('/work/out'):\n    os.symlink({str(outside)!r}, '/work/out')\n"
        "setup(name='demo', version='1', py_modules=[])\n"
    )
    write(tree, {"setup.py": trick})
    with pytest.raises(EnvironmentUnavailable, match="made nothing to install"):
        environments.install(builder, tree, policy(), quiet)


def test_failed_build_shows_its_log(environments, builder, tree):
    """The end of the log is in the message, with what to do."""
    write(tree, {"setup.py": "raise RuntimeError('needs a compiler')"})
    with pytest.raises(EnvironmentUnavailable, match=r"(?s)environment\.build = false.*needs a compiler"):
        environments.install(builder, tree, policy(), quiet)


def test_same_tree_is_built_once(root, environments, builder, tree):
    """The second time no sandbox is needed; another tree is built anew."""
    write(tree, {"setup.py": "from setuptools import setup\nsetup(name='demo', version='1', py_modules=['one'])"})
    write(tree, {"one.py": "x = 1"})
    first = environments.install(builder, tree, policy(), quiet)
    assert first == WheelEnvironments(root, sandbox=None).install(builder, tree, policy(), quiet)
    write(tree, {"one.py": "x = 2"})
    second = environments.install(builder, tree, policy(), quiet)
    assert b"2\n" == run(second, tree, "python", "-P", "-c", "import one; print(one.x)").stdout


def test_built_packages_are_evicted_by_last_use_and_never_in_use(root, environments, builder, tree):
    """Nor is what a package of another tree was built on; what lies beside them is left alone."""
    write(tree, {"setup.py": "from setuptools import setup\nsetup(name='demo', version='1', py_modules=['one'])"})
    made = []
    for number in range(3):
        write(tree, {"one.py": f"y = {number}"})
        chosen = policy(kept_gb=20 if number < 2 else 1e-6)
        made.append(environments.install(builder, tree, chosen, quiet))
        if number == 0:
            unused = made.pop().read_only[-1][0]
    packages = [each.read_only[-1][0] for each in made]
    assert [False, True, True] == [place.exists() for place in (unused, *packages)]
    assert builder.path.exists()
    assert (root / "packages" / "building").exists()


@pytest.mark.parametrize(
    ("files", "where"),
    [
        ({"src/demo.py": "x = 1"}, "/work/src"),
        ({"demo.py": "x = 1"}, "/work"),
        ({"demo.py": "x = 1", "pyproject.toml": "[tool.ruff]"}, "/work"),
    ],
)
def test_tree_without_build_metadata_is_imported_as_it_is(environments, builder, tree, files, where):
    """No build: the tree's own folder is on the path."""
    write(tree, files)
    installed = environments.install(builder, tree, policy(), quiet)
    assert where == installed.environment["PYTHONPATH"]
    assert b"1\n" == run(installed, tree, "python", "-P", "-c", "import demo; print(demo.x)").stdout


def test_build_can_be_switched_off(environments, builder, tree):
    """``environment.build = false``: a broken set-up program does not matter."""
    write(tree, {"setup.py": "raise RuntimeError", "demo.py": ""})
    assert "/work" == environments.install(builder, tree, policy(build=False), quiet).environment["PYTHONPATH"]


def test_chosen_interpreter_is_used(environments, repository, tree):
    """``environment.python`` names another interpreter."""
    base = repository.commit({"x": ""})
    made = environments.prepare(repository, base, policy(python=sys.executable, build=False), quiet)
    assert f"{sys.version_info.major}.{sys.version_info.minor}".encode() in run(made, tree, "python", "-V").output
