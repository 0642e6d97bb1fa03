"""What a wheel brings runs in the sandbox only (P8): unpacking it, compiling it and building start nothing here."""

from __future__ import annotations

import base64
import hashlib
import re
import zipfile

import pytest

from adapters.environments import wheels
from adapters.environments.wheels import WheelEnvironments
from adapters.sandbox.bubblewrap import BubblewrapSandbox
from ports.environments import EnvironmentUnavailable
from tests.adapters.test_check_environments import Committed, policy, quiet, run

FAKE_LIBRARY = "import posix\nposix.mkdir('/work/owned')\n"
FAKED = ("os.py", "encodings/__init__.py")
LIBRARIES = [f"lib/python3.{minor}" for minor in range(11, 16)]
SETUP = "from setuptools import setup\nsetup(name='demo', version='1', py_modules=[])\n"


@pytest.fixture
def repository(tmp_path):
    made = Committed(tmp_path / "repository")
    made.path.mkdir()
    made._git("init", "-q")
    return made


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return tmp_path_factory.mktemp("root")


@pytest.fixture
def environments(root):
    return WheelEnvironments(root, BubblewrapSandbox())


@pytest.fixture
def served(tmp_path, monkeypatch):
    """A folder that stands for a registry, beside the real one."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    monkeypatch.setenv("UV_FIND_LINKS", str(folder))
    return folder


def wheel(folder, name, version="1.0", files=None):
    info = f"{name}-{version}.dist-info"
    bodies = {
        f"{name}/__init__.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    } | (files or {})
    record = ""
    for path, body in bodies.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(body.encode()).digest()).rstrip(b"=").decode()
        record += f"{path},sha256={digest},{len(body)}\n"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as packed:
        for path, body in (bodies | {f"{info}/RECORD": f"{record}{info}/RECORD,,\n"}).items():
            packed.writestr(path, body)


def prepared(environments, repository, **chosen):
    return environments.prepare(repository, repository.commit({"x": ""}), policy(**chosen), quiet)


def test_start_up_code_of_a_wheel_runs_in_the_sandbox_only(environments, repository, served, tmp_path, monkeypatch):
    """A ``.pth`` and a ``sitecustomize``; nor do the worker's variables make uv start it."""
    marker = tmp_path / "ran"
    told = f"import sys; sys.stderr.write('started here\\n'); open({str(marker)!r}, 'a')\n"
    wheel(served, "startup_odd", files={"odd.pth": told, "sitecustomize.py": told})
    monkeypatch.setenv("UV_COMPILE_BYTECODE", "1")
    made = prepared(environments, repository, packages=("startup-odd",))
    checked = tmp_path / "tree"
    checked.mkdir()
    (checked / "setup.py").write_text(SETUP)
    environments.install(made, checked, policy(), quiet)
    assert not marker.exists()
    assert b"started here" in run(made, checked, "python", "-c", "").output


def test_wheels_are_compiled_once(environments, repository, served):
    """In the sandbox, before the first check: the environment is read-only from then on."""
    wheel(served, "compiled_odd", files={"compiled_odd/part.py": "x = 1\n", "compiled_odd/python2.py": "print 'x'\n"})
    made = prepared(environments, repository, packages=("compiled-odd",), build=False)
    assert ["__init__", "part"] == sorted(
        path.name.split(".")[0] for path in made.path.glob("lib/*/site-packages/compiled_odd/__pycache__/*.pyc")
    )


def test_settings_of_a_wheel_do_not_choose_who_compiles(environments, repository, served):
    """A ``pyvenv.cfg`` that names another library is data until a check starts: the environment stays what it was."""
    library = {f"redirect_odd-1.0.data/data/home/{place}/{name}": FAKE_LIBRARY for place in LIBRARIES for name in FAKED}
    settings = {"redirect_odd-1.0.data/data/pyvenv.cfg": "home = /work/home/bin\n"}
    wheel(served, "redirect_odd", files=library | settings)
    made = prepared(environments, repository, packages=("redirect-odd",), build=False)
    assert (made.path / "pyvenv.cfg").read_text().startswith("home = /work")
    assert not (made.path / "owned").exists()


@pytest.mark.parametrize("place", ["scripts", "data/bin"])
def test_wheel_cannot_replace_the_interpreter(environments, repository, served, place):
    """Its folder is shown in the sandbox, so it is ours to choose."""
    wheel(served, "replacing_odd", files={f"replacing_odd-1.0.data/{place}/python": "#!/bin/sh\n"})
    with pytest.raises(EnvironmentUnavailable, match="python"):
        prepared(environments, repository, packages=("replacing-odd",), build=False)


@pytest.mark.parametrize(
    ("pattern", "instead"), [(r"sha256:\w{8}", "sha256:00000000"), (r" \\\n    --hash=\S+", "")], ids=["other", "none"]
)
def test_tool_without_the_hash_of_the_lock_is_none(tmp_path, repository, monkeypatch, pattern, instead):
    """Our scanners judge every change: the registry's word for a version is not enough."""
    lock = tmp_path / "requirements.lock"
    lock.write_text(
        re.sub(r"(?m)^stevedore==.*\n(?:    --hash=.*\n)*", _entry(pattern, instead), wheels._LOCK.read_text())
    )
    monkeypatch.setattr(wheels, "_LOCK", lock)
    with pytest.raises(EnvironmentUnavailable, match="stevedore"):
        prepared(WheelEnvironments(tmp_path, BubblewrapSandbox()), repository, build=False)


def _entry(pattern, instead):
    return lambda entry: re.sub(pattern, instead, entry[0])


def test_package_is_built_by_our_pip(environments, repository, served, tmp_path):
    """The registry's newest is for the repository's own use."""
    wheel(served, "pip", "9999.0", {"pip/__main__.py": "raise SystemExit('another pip builds')\n"})
    checked = tmp_path / "tree"
    checked.mkdir()
    (checked / "setup.py").write_text(SETUP)
    made = prepared(environments, repository)
    assert b"another pip builds" in run(made, checked, "python", "-m", "pip").output
    environments.install(made, checked, policy(), quiet)


def test_command_of_the_tree_does_not_stand_in_for_a_tool(environments, repository, tmp_path):
    """What the package installs is found last: it must not judge itself."""
    checked = tmp_path / "tree"
    checked.mkdir()
    names = ["ruff", "bandit", "python", "env", "own-command"]
    (checked / "setup.py").write_text(f"from setuptools import setup\nsetup(name='demo', version='1', scripts={names})")
    for name in names:
        (checked / name).write_text("#!/bin/sh\necho spoofed\n")
        (checked / name).chmod(0o755)
    made = environments.install(prepared(environments, repository), checked, policy(), quiet)
    said = {name: run(made, checked, name, "--version").output.strip() == b"spoofed" for name in names}
    assert {name: name == "own-command" for name in names} == said


@pytest.mark.parametrize("index", ["http://bot:hidden@127.0.0.1:9/simple", "http://127.0.0.1:9/hidden/simple?t=hidden"])
def test_word_of_an_index_is_not_passed_on(environments, repository, monkeypatch, tmp_path, index):
    """What could not be reached is said without what opens it: reports and pull requests hold the message."""
    monkeypatch.setenv("UV_DEFAULT_INDEX", index)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    with pytest.raises(EnvironmentUnavailable, match=r"127\.0\.0\.1:9/…") as refused:
        prepared(environments, repository, packages=("toml",), build=False)
    assert "hidden" not in str(refused.value)
