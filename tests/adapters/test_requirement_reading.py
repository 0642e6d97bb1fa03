"""Check environments: what is read of a repository's requirements, and what is refused."""

from __future__ import annotations

import pytest

from adapters.check_environments.requirements import read_requirements
from policies.schema import EnvironmentPolicy
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
