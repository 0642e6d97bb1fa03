"""Submodules in the trees of `prepare`, builds and checks: fetched outside, kept by what decides them (P8)."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import ValidationError

from adapters.agents.taken_out import place_in
from adapters.environments.wheels import WheelEnvironments
from adapters.git.mirror import Mirror
from adapters.sandbox.bubblewrap import BubblewrapSandbox
from policies.settings.environment import EnvironmentPolicy
from ports.environments import EnvironmentUnavailable
from tests.adapters.git.served import Served, serving
from tests.adapters.lfs_world import oid_of, pointer
from tests.adapters.test_check_environments import policy, quiet
from tests.adapters.test_prepared_environments import LIMITS, prepared_by

SHARED = Path(__file__).parents[2] / ".cache/check-environments/environments"


@dataclass
class App:
    """A repository with a submodule, over HTTP, and its mirror."""

    served: Served
    mirror: Mirror
    base: str

    def policy(self, *scripts: str, **more):
        """With submodules; ``prepare`` where there are scripts."""
        more = {"submodules": True, "git_hosts": (self.served.host,)} | more
        chosen = prepared_by(*scripts, **more) if scripts else policy(build=False, **more)
        return chosen.model_copy(update={"target": chosen.target.model_copy(update={"remote": self.served.url("app")})})


@pytest.fixture
def app(tmp_path):
    (tmp_path / "served").mkdir()
    with serving(tmp_path / "served") as served:
        lib = served.repository("lib", {"lib.txt": "of the submodule\n"})
        base = served.repository("app", {"lock": "1\n"}, {"vendor/lib": ("../lib.git", lib)})
        mirror = Mirror(tmp_path / "mirror.git", served.url("app"), "main")
        assert base == mirror.fetch_base()
        yield App(served, mirror, base)


@pytest.fixture
def environments(tmp_path):
    # Wheels that other tests have unpacked need not be unpacked again.
    (tmp_path / "root").mkdir()
    SHARED.mkdir(parents=True, exist_ok=True)
    (tmp_path / "root/environments").symlink_to(SHARED)
    return WheelEnvironments(tmp_path / "root", BubblewrapSandbox())


def check(made, app: App, tmp_path: Path, script: str):
    tree = tmp_path / "check"
    app.mirror.checkout(app.base, tree)
    return BubblewrapSandbox().run(made.command(("sh", "-c", script), tree, LIMITS), quiet), tree


def test_prepare_and_checks_find_it_in_their_tree(app, environments, tmp_path):
    """A copy of its own for each, without git; what was fetched is in the records, and is not fetched again."""
    chosen = app.policy("cat vendor/lib/lib.txt > /env/seen; echo changed > vendor/lib/lib.txt")
    made = environments.prepare(app.mirror, app.base, chosen, quiet)
    result, _ = check(made, app, tmp_path, "cat /env/seen vendor/lib/lib.txt; ls -A vendor/lib")
    assert b"of the submodule\nof the submodule\nlib.txt\n" == result.output
    assert f"vendor/lib {app.mirror.gitlinks(app.base)['vendor/lib']}" in dict(made.records)["submodules.txt"].decode()
    asked = len(app.served.asked)
    assert made.digest == environments.prepare(app.mirror, app.base, chosen, quiet).digest
    assert asked == len(app.served.asked)


def test_contents_of_git_lfs_inside_it_are_there(app, environments, tmp_path):
    """Also one submodule deeper, each from its own server; what comes is what the pointer says, or nothing does."""
    deep, lib = b"of the inner one\n", b"of a large file\n"
    inner = app.served.repository("inner", {"deep.bin": pointer(deep)})
    commit = app.served.repository("lib", {"data/big.bin": pointer(lib)}, {"inner": ("../inner.git", inner)})
    app.served.repository("app", {}, {"vendor/lib": ("../lib.git", commit)})
    base, chosen = app.mirror.fetch_base(), app.policy("cat vendor/lib/data/big.bin > /env/seen", lfs=True)
    app.served.lfs = {oid_of(lib): lib, oid_of(deep): deep.replace(b"inner", b"other")}
    with pytest.raises(EnvironmentUnavailable, match="LFS object"):
        environments.prepare(app.mirror, base, chosen, quiet)
    app.served.lfs[oid_of(deep)] = deep
    made = environments.prepare(app.mirror, base, chosen, quiet)
    assert () == made.notes
    assert f"vendor/lib/inner/deep.bin {oid_of(deep)}" in dict(made.records)["submodules.txt"].decode()
    app.base = base
    result, _ = check(made, app, tmp_path, "cat /env/seen vendor/lib/data/big.bin vendor/lib/inner/deep.bin")
    assert lib * 2 + deep == result.output
    assert [f"/{name}.git/info/lfs/objects/batch" for name in ("lib", "inner")] == sorted(
        {each for each in app.served.asked if each.endswith("/batch")}, reverse=True
    )


def test_what_stays_a_pointer_is_said(app, environments):
    """Where the policy wants no git LFS: `init` and `doctor` show it with what to do, and the record has all."""
    assert () == environments.prepare(app.mirror, app.base, app.policy("true"), quiet).notes
    lib = app.served.repository("lib", {"data/big.bin": pointer(b"of a large file\n")})
    app.served.repository("app", {}, {"vendor/lib": ("../lib.git", lib)})
    made = environments.prepare(app.mirror, app.mirror.fetch_base(), app.policy("true"), quiet)
    assert "vendor/lib/data/big.bin stays a pointer of git LFS" in made.notes[0]
    assert made.notes[0] in dict(made.records)["submodules.txt"].decode()


def test_another_commit_is_another_environment(app, environments):
    """The files that decide are the same; what `prepare` found was not."""
    chosen = app.policy("true")
    first = environments.prepare(app.mirror, app.base, chosen, quiet)
    lib = app.served.repository("lib", {"lib.txt": "newer\n"})
    app.served.repository("app", {}, {"vendor/lib": ("../lib.git", lib)})
    later = environments.prepare(app.mirror, app.mirror.fetch_base(), chosen, quiet)
    assert first.path != later.path
    assert "newer\n" == (later.copies[0][0] / "lib.txt").read_text()


def test_with_wheels_too_and_off_by_default(app, environments, tmp_path):
    """Nobody is asked for a submodule that the policy does not want."""
    plain = environments.prepare(app.mirror, app.base, policy(build=False), quiet)
    asked = [each for each in app.served.asked if "lib.git" in each]
    assert ((), []) == (plain.copies, asked)
    made = environments.prepare(app.mirror, app.base, app.policy(), quiet)
    result, tree = check(made, app, tmp_path, "cat vendor/lib/lib.txt")
    assert b"of the submodule\n" == result.output
    # What a coder's tree holds after its submodules were put back is no change.
    place = place_in(tree, "vendor/lib")
    subprocess.run(["rm", "-rf", place], check=True)
    place.mkdir()
    assert () == app.mirror.changed_paths(app.base, app.mirror.commit_tree(app.base, tree, "x"))


def test_what_stands_in_its_place_is_not_overwritten(app, environments, tmp_path):
    """A change that puts a file into a submodule is refused anyway; the check is not run on a mixture."""
    made = environments.prepare(app.mirror, app.base, app.policy("true"), quiet)
    tree = tmp_path / "own"
    app.mirror.checkout(app.base, tree)
    (tree / "vendor/lib/mine").write_text("x")
    with pytest.raises(Exception, match="vendor/lib is put into the tree, but the tree has its own"):
        BubblewrapSandbox().run(made.command(("true",), tree, LIMITS), quiet)


@pytest.mark.parametrize(
    ("more", "says", "unreachable"),
    [
        (
            {"git_hosts": ("git.example.com:443",)},
            r"vendor/lib is not fetched: it is on 127\.0\.0\.1:\d+, which",
            False,
        ),
        (
            {"submodules": ("vendor/other",)},
            "no submodule at vendor/other, which `environment.submodules` names",
            False,
        ),
        ({}, r"the submodule vendor/lib \(http://.*could not be fetched", True),
    ],
)
def test_one_that_cannot_be_had_is_no_environment(app, environments, tmp_path, more, says, unreachable):
    """Said plainly: which, and why. A host that is down is nobody's change."""
    (tmp_path / "served/lib.git").rename(tmp_path / "served/gone.git")
    with pytest.raises(EnvironmentUnavailable, match=says) as refused:
        environments.prepare(app.mirror, app.base, app.policy(**more), quiet)
    assert unreachable == refused.value.unreachable


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"submodules": True}, "need each other"),
        ({"git_hosts": ["x:1"]}, "need each other"),
        ({"submodules": ["../x"], "git_hosts": ["x:1"]}, "plain path inside"),
        ({"submodules": True, "git_hosts": ["https://x"]}, "String should match"),
    ],
)
def test_a_policy_that_says_half_of_it_is_refused(said, says):
    """What is not said is what it was before there was any (P15)."""
    with pytest.raises(ValidationError, match=says):
        EnvironmentPolicy.model_validate(said)
    assert {"submodules", "git_hosts"}.isdisjoint(EnvironmentPolicy().model_dump())
