"""Check environments: what is read of a repository's requirements, and what is refused."""

from __future__ import annotations

import pytest

from adapters.environments.declared_requirements import declared
from adapters.environments.requirements import read_requirements
from policies.settings.schema import EnvironmentPolicy
from ports.environments import EnvironmentUnavailable


def needed(files: dict[str, str], **environment) -> set[str]:
    encoded = {path: text.encode() for path, text in files.items()}
    policy = EnvironmentPolicy(**{"build": False, **environment})
    return set(read_requirements(encoded.get, policy).lines)


def test_project_dependencies_extras_and_groups_are_read():
    """pyproject.toml: dependencies, chosen extras with their own extras, chosen groups with their includes."""
    text = """
[project]
name = "Demo"
dependencies = ["click>=8"]
[project.optional-dependencies]
test = ["pytest", "demo[more]"]
more = ["attrs"]
docs = ["sphinx"]
[dependency-groups]
dev = [{include-group = "lint"}, "coverage"]
lint = ["mypy"]
"""
    assert {"click>=8", "pytest", "attrs", "coverage", "mypy", "hatch"} == needed(
        {"pyproject.toml": text}, extras=("test",), groups=("dev",), packages=("hatch",)
    )


def test_build_requirements_default_to_setuptools():
    """The build's own requirements come along, with pip to drive it."""
    assert {"setuptools", "wheel", "pip"} == needed({"setup.py": ""}, build=True)
    assert {"flit-core", "pip"} == needed(
        {"pyproject.toml": '[build-system]\nrequires = ["flit-core"]\n[project]\nname = "x"'}, build=True
    )


def test_requirement_files_include_others_and_keep_hashes():
    """-r stays inside the repository; comments, continuations and hashes are understood."""
    files = {
        "requirements/dev.txt": "-r base.txt  # more\npytest>=8 ; python_version >= '3'\n\n# nothing\n",
        "requirements/base.txt": "-r dev.txt\nclick==8.1.0 \\\n    --hash=sha256:aa \\\n    --hash=sha256:bb\n",
    }
    assert {'pytest>=8; python_version >= "3"', "click==8.1.0 --hash=sha256:aa --hash=sha256:bb"} == needed(
        files, requirements=("requirements/dev.txt",)
    )


@pytest.mark.parametrize(
    ("table", "packages", "extras"),
    [
        ('[X.default]\ndependencies = ["pytest", "mock>=4"]\nfeatures = ["more"]', {"pytest", "mock>=4"}, ("more",)),
        ('[X.default]\ndependencies = ["a"]\n[X.test]\nextra-dependencies = ["pytest"]', {"a", "pytest"}, ()),
        ("[X]\ndefault = 3", {"pytest"}, ()),
    ],
)
@pytest.mark.parametrize("place", ["hatch.toml", "pyproject.toml"])
def test_what_hatch_tests_with(place, table, packages, extras):
    """Of the environment for tests, else of the default, in either of its files."""
    project = '[project]\nname = "x"\n[project.optional-dependencies]\nmore = ["attrs"]\n'
    files = {"pyproject.toml": project}
    files[place] = files.get(place, "") + table.replace("X", "envs" if place == "hatch.toml" else "tool.hatch.envs")
    found = declared(lambda path: files.get(path, ""), ("tests/test_a.py",))
    assert (packages, extras) == ({*found.packages}, found.extras)


def test_setup_files_are_read_and_not_run(tmp_path):
    """setup.cfg and literals of setup.py count; what is computed is noted; nothing is executed."""
    canary = tmp_path / "canary"
    setup = (
        f"open({str(canary)!r}, 'w')\nfrom setuptools import setup\n"
        "setup(install_requires=['six'], tests_require=open('x').read(), extras_require={'t': ['mock']})\n"
    )
    files = {"setup.cfg": b"[options]\ninstall_requires =\n    attrs\n    click>=7\n", "setup.py": setup.encode()}
    found = read_requirements(files.get, EnvironmentPolicy(build=False, extras=("t",)))
    assert ("attrs", "click>=7", "mock", "six") == found.lines
    assert ("setup.py:3: `tests_require` is computed and was not read",) == found.notes
    assert not canary.exists()


def test_metadata_of_a_source_distribution_is_the_last_resort():
    """PKG-INFO answers when no other file does."""
    metadata = "Metadata-Version: 2.1\nName: x\nVersion: 1\nRequires-Dist: six\nRequires-Dist: mock; extra == 't'\n"
    files = {"setup.py": "setup(install_requires=compute())", "PKG-INFO": metadata}
    assert {"six"} == needed(files)
    assert {"six", "mock"} == needed(files, extras=("t",))
    assert {"attrs"} == needed({**files, "setup.py": "setup(install_requires=['attrs'])"})


@pytest.mark.parametrize(
    "line",
    [
        "git+https://example.org/x.git",
        "x @ git+https://example.org/x.git",
        "x @ https://example.org/x.whl",
        "https://example.org/x.whl",
        "x @ file:///tmp/x",
        "./local",
        "../x.whl",
        "/tmp/x",
        ".",
        "-e .",
        "--editable=git+ssh://example.org/x",
        "--index-url https://example.org/simple",
        "-i https://example.org/simple",
        "--extra-index-url=https://example.org/simple",
        "--find-links /tmp",
        "-f x",
        "--trusted-host example.org",
        "--no-binary :all:",
        "--pre",
        "-r ../outside.txt",
        "-r /etc/passwd",
        "-r https://example.org/r.txt",
        "-c constraints.txt",
        "${HOME}/x",
        "x --config-settings=a=b",
    ],
)
def test_other_origins_are_refused_with_file_and_line(line):
    """Names and versions from the registry only; the message says where the line is (dependency confusion)."""
    with pytest.raises(EnvironmentUnavailable, match=r"^req\.txt:2: .*is refused"):
        needed({"req.txt": f"six\n{line}\n"}, requirements=("req.txt",))


HIDDEN_LINE = "six; python_version < '3\x1b[2K'"
HIDDEN = [
    "\0",
    "\n--index-url=http://evil",
    "\r-r x",
    "\x0b",
    "\x0c",
    "\x1b[2K",
    "\x1c",
    "\x7f",
    "\x85",
    "\u2028",
    "\u2029",
    "\u202e",
]


@pytest.mark.parametrize("hidden", [*HIDDEN, "\ud800"])
@pytest.mark.parametrize("where", ["setup.py", "packages"])
def test_control_characters_are_refused_where_they_are_read(hidden, where):
    """A marker may quote any character; one line of a repository stays one line of the installer's."""
    line = f"six; python_version < '3{hidden}'"
    files = {"setup.py": f"from setuptools import setup\nsetup(install_requires=[{line!r}])\n"}
    with pytest.raises(EnvironmentUnavailable, match=r"^(setup\.py|environment\.packages).*`[ -~]*` is refused"):
        needed(files if where == "setup.py" else {}, packages=(line,) if where == "packages" else ())


@pytest.mark.parametrize("hidden", [each for each in HIDDEN if each[0] not in "\n\r"])
@pytest.mark.parametrize(
    "line", ["six{}", "six=={}1", "six --hash=sha256:a{}b", "-r a{}.txt", "six; python_version < '3{}'"]
)
def test_control_characters_of_a_requirement_file_are_refused(hidden, line):
    """Neither passed on nor taken for the end of the line."""
    with pytest.raises(EnvironmentUnavailable, match=r"^req\.txt:2: `[ -~]*` is refused"):
        needed({"req.txt": f"attrs\n{line.format(hidden)}x\n"}, requirements=("req.txt",))


def test_init_takes_no_line_with_control_characters():
    """It would stand in the target's file as the owner's own choice."""
    setup = f"from setuptools import setup\nsetup(install_requires=['attrs', {HIDDEN_LINE!r}])\n"
    assert ("attrs",) == declared(lambda path: setup if path == "setup.py" else "", ()).packages


def test_white_space_around_a_requirement_is_none_of_it():
    """Tabs, carriage returns and form feeds between lines are what editors leave."""
    text = "six\t>=1\r\n\x0c\nattrs\t# \x07\r\n"
    assert {"six>=1", "attrs"} == needed({"req.txt": text}, requirements=("req.txt",))


@pytest.mark.parametrize(
    ("text", "environment", "says"),
    [
        ('[project]\nname="x"\ndependencies = ["x @ file:///x"]', {}, "is refused"),
        ('[project]\nname="x"\n[project.optional-dependencies]\na = ["./x"]', {"extras": ("a",)}, "is refused"),
        ('[dependency-groups]\na = ["x @ git+file:///x"]', {"groups": ("a",)}, "is refused"),
        ('[build-system]\nrequires = ["x @ https://example.org/x"]', {"build": True}, "is refused"),
        ('[project]\nname="x"', {"extras": ("gone",)}, "no extra `gone`"),
        ("", {"groups": ("gone",)}, "gone"),
        ('[dependency-groups]\na = [{include-group = "b"}]\nb = [{include-group = "a"}]', {"groups": ("a",)}, "yclic"),
        ("", {"requirements": ("gone.txt",)}, "gone.txt: no such requirement file"),
        ("project = 1", {}, "not a table"),
        ("[project", {}, "cannot be read"),
    ],
)
def test_bad_declarations_are_refused(text, environment, says):
    """Each with a reason, none ignored."""
    with pytest.raises(EnvironmentUnavailable, match=says):
        needed({"pyproject.toml": text}, **environment)
