"""Files in git LFS: fetched outside by their digests, seen in place of pointers, never in a tree (P5, P8)."""

from __future__ import annotations

import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from pydantic import ValidationError

from adapters.agents.command_backend import _without_secrets
from adapters.environments.lfs import LfsFiles
from adapters.environments.lfs_server import LfsServer, server_of
from adapters.environments.package_build import _below_src
from adapters.environments.submodules import Beside
from adapters.environments.wheels import WheelEnvironments
from adapters.forges.http.tokens import token_environment
from adapters.git.mirror import Mirror
from adapters.sandbox.bubblewrap import BubblewrapSandbox
from policies.paths.pointers import Pointer
from policies.settings.environment import EnvironmentPolicy
from ports.environments import CheckEnvironment, EnvironmentUnavailable
from ports.sandbox import Command, Instead
from tests.adapters.agents.played_program import made, play
from tests.adapters.git.conftest import PERSON
from tests.adapters.lfs_world import LfsWorld, oid_of, pointer, serving_lfs
from tests.adapters.test_check_environments import policy, quiet
from tests.adapters.test_prepared_environments import LIMITS, prepared_by

CONTENT = b"\x00of the large file\n" * 100
PROGRAM = b"#!/bin/sh\necho it runs\n"
SECRET = b"-----BEGIN RSA PRIVATE " + b"KEY-----\nMIIE\n"


@dataclass
class App:
    """A repository with pointers, and its mirror."""

    world: LfsWorld
    bare: Path
    mirror: Mirror
    base: str = ""

    def commit(self, **files: str) -> None:
        """Onto the base; names with ``__`` for a slash, and ``_`` for a dot before an ending."""
        work = self.bare.with_name("work")
        for name, text in files.items():
            place = work / name.replace("__", "/").replace("_bin", ".bin")
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text)
            place.chmod(0o755 if "tool" in name else 0o644)
        for argv in (["add", "-A"], ["commit", "-qm", "x"], ["push", "-q", str(self.bare), "HEAD:main"]):
            subprocess.run(["git", *argv], cwd=work, env=PERSON, check=True)
        self.base = self.mirror.fetch_base()

    def policy(self, *scripts: str, **more):
        more = {"lfs": True} | more
        chosen = prepared_by(*scripts, **more) if scripts else policy(build=False, **more)
        return chosen.model_copy(update={"target": chosen.target.model_copy(update={"remote": self.world.remote})})

    def files(self, tmp_path: Path, **more):
        """What the worker makes of it."""
        return LfsFiles(tmp_path / "root", lambda _target: {}).of(self.mirror, self.base, self.policy(**more), quiet)


@pytest.fixture
def app(tmp_path):
    with of_the_app(tmp_path) as made:
        yield made


@pytest.fixture(scope="module")
def lying_app(tmp_path_factory):
    with of_the_app(tmp_path_factory.mktemp("lying")) as made:
        yield made


@contextmanager
def of_the_app(tmp_path):
    bare = tmp_path / "app.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", bare], check=True)
    subprocess.run(["git", "init", "-q", "-b", "main", tmp_path / "work"], check=True)
    with serving_lfs() as world:
        made = App(world, bare, Mirror(tmp_path / "mirror.git", str(bare), "main"))
        made.commit(lock="1\n", data__big_bin=world.keep(CONTENT), data__tool=world.keep(PROGRAM))
        yield made


@pytest.fixture
def environments(tmp_path):
    return WheelEnvironments(tmp_path / "root", BubblewrapSandbox())


def test_prepare_and_checks_see_the_content_and_the_tree_keeps_its_pointer(app, environments, tmp_path):
    """Read-only, a program as one; what is read back and committed is the pointer, and nothing is fetched twice."""
    chosen = app.policy("cat data/big.bin > /env/seen")
    made = environments.prepare(app.mirror, app.base, chosen, quiet)
    assert CONTENT == (made.path / "seen").read_bytes()
    tree = tmp_path / "check"
    app.mirror.checkout(app.base, tree)
    script = """cmp data/big.bin /env/seen && data/tool
        echo x > data/big.bin; rm -f data/big.bin; mv data/tool data/y; ln -sf /etc/passwd data/big.bin; echo n > new"""
    said = BubblewrapSandbox().run(made.command(("sh", "-c", script), tree, LIMITS), quiet).output
    assert b"it runs\n" in said
    assert 4 == sum(any(word in line for word in (b"Read-only", b"busy")) for line in said.splitlines())
    assert pointer(CONTENT) == (tree / "data/big.bin").read_text()
    changed = app.mirror.changed_paths(app.base, app.mirror.commit_tree(app.base, tree, "x"))
    assert ["new"] == [each.path for each in changed]
    record = dict(made.records)["lfs.txt"].decode()
    assert f"data/big.bin {oid_of(CONTENT)} {len(CONTENT)}" in record
    asked = len(app.world.asked)
    assert made.digest == environments.prepare(app.mirror, app.base, chosen, quiet).digest
    assert asked == len(app.world.asked)


def test_a_moved_folder_moves_a_pointer_and_that_is_a_change_that_is_refused(app, environments, tmp_path):
    """The one thing that a program can do to it."""
    made = environments.prepare(app.mirror, app.base, app.policy("true"), quiet)
    tree = tmp_path / "check"
    app.mirror.checkout(app.base, tree)
    BubblewrapSandbox().run(made.command(("mv", "data", "moved"), tree, LIMITS), quiet)
    changed = app.mirror.changed_paths(app.base, app.mirror.commit_tree(app.base, tree, "x"))
    assert all(each.pointer for each in changed)
    assert {"moved/big.bin", "data/big.bin"} <= {each.path for each in changed}
    assert CONTENT not in (tree / "moved/big.bin").read_bytes()


def test_another_content_is_another_environment_and_only_it_is_fetched(app, environments):
    """The files that decide are the same; what `prepare` saw was not."""
    chosen = app.policy("true")
    first = environments.prepare(app.mirror, app.base, chosen, quiet)
    app.world.asked.clear()
    app.commit(data__big_bin=app.world.keep(b"newer"))
    later = environments.prepare(app.mirror, app.base, chosen, quiet)
    assert first.path != later.path
    assert [f"/content/{oid_of(b'newer')}?signed=1"] == app.world.downloads


def test_off_by_default_and_by_patterns(app, tmp_path):
    """Nobody is asked for what the policy does not want; a pattern that names nothing is said."""
    assert Beside() == app.files(tmp_path, lfs=False)
    assert [] == app.world.asked
    assert ["data/tool"] == [path for path, _, _ in app.files(tmp_path, lfs=("tool",)).instead.files]
    assert [f"/content/{oid_of(PROGRAM)}?signed=1"] == app.world.downloads
    with pytest.raises(EnvironmentUnavailable, match=r"no file in git LFS at \*\.npy"):
        app.files(tmp_path, lfs=("*.npy",))


def test_a_remote_on_this_machine_gives_what_git_lfs_keeps_there(app, tmp_path):
    """The whole digest is looked at here, too."""
    local = app.policy()
    local = local.model_copy(update={"target": local.target.model_copy(update={"remote": str(app.bare)})})
    for content in (CONTENT, PROGRAM):
        place = app.bare / "lfs/objects" / oid_of(content)[:2] / oid_of(content)[2:4] / oid_of(content)
        place.parent.mkdir(parents=True)
        place.write_bytes(content)
    files = LfsFiles(tmp_path / "root", lambda _target: {})
    folder = files.of(app.mirror, app.base, local, quiet).instead.folder
    assert {CONTENT, PROGRAM} == {(folder / name).read_bytes() for name in "01"}
    place.write_bytes(PROGRAM.replace(b"runs", b"lies"))
    with pytest.raises(EnvironmentUnavailable, match="holds other bytes than its name says"):
        LfsFiles(tmp_path / "other", lambda _target: {}).of(app.mirror, app.base, local, quiet)


def moved(answer, **action):
    for each in answer["objects"]:
        each["actions"]["download"] |= action
    return answer


def shrunk(answer):
    answer["objects"][0]["size"] -= 1
    return answer


@pytest.mark.parametrize(
    ("lie", "says", "unreachable"),
    [
        ({"sent": lambda content: content[:-1] + b"x"}, "other bytes came than its pointer says", False),
        ({"sent": lambda content: content[:-1]}, "other bytes came than its pointer says", False),
        ({"sent": lambda content: content * 1000}, r"it is larger than \d+ bytes", False),
        ({"change": shrunk}, r"has \d+ bytes for the LFS object", False),
        ({"change": lambda answer: {**answer, "transfer": "run-me"}}, "another transfer than `basic`", False),
        ({"change": lambda _answer: []}, "an answer that is none of its kind", False),
        ({"change": lambda _answer: {"objects": ["x"]}}, "an answer that is none of its kind", False),
        ({"change": lambda _answer: {"objects": []}}, "it does not say where", False),
        ({"change": lambda answer: moved(answer, header={"A": "b\r\nHost: x"})}, "header that no request", False),
        ({"change": lambda answer: moved(answer, header={"Host": "x"})}, "header that no request", False),
        ({"change": lambda answer: moved(answer, header=7)}, "an answer that is none of its kind", False),
        ({"change": lambda answer: moved(answer, href="http://localhost:9/x")}, "is said to be on localhost:9", False),
        ({"change": lambda answer: moved(answer, href="file:///etc/passwd")}, "which is no plain address", False),
        ({"change": lambda answer: moved(answer, href="http://127.0.0.1\\@evil/x")}, "no plain address", False),
        ({"change": lambda answer: moved(answer, href="http://a@127.0.0.1:1/x")}, "no plain address", False),
        ({"redirects": {"/content": "http://localhost:9/x"}}, "it sends on to localhost:9", False),
        ({"redirects": {"/team": "http://169.254.169.254/latest"}}, r"it sends on to 169\.254\.169\.254", False),
        ({"status": 401}, r"status 401: set \[forge_access.read\]", False),
        ({"status": 503}, "status 503", True),
        ({"status": 429}, "status 429", True),
    ],
)
def test_what_a_server_may_not_say(lying_app, tmp_path, lie, says, unreachable):
    """Each with its reason; no content is kept, and the next honest answer is taken."""
    app = lying_app
    for name, value in lie.items():
        setattr(app.world, name, value)
    with pytest.raises(EnvironmentUnavailable, match=says) as refused:
        app.files(tmp_path)
    assert unreachable == refused.value.unreachable
    assert not [path for path in (tmp_path / "root/lfs").glob("*") if path.is_dir()]
    honest = LfsWorld(app.world.port)
    for name in lie:
        setattr(app.world, name, getattr(honest, name))
    assert 2 == len(app.files(tmp_path).instead.files)


def test_one_object_that_is_not_there_is_named(app, tmp_path):
    """By its digest and its size; the others' being there is no environment."""
    del app.world.objects[oid_of(PROGRAM)]
    with pytest.raises(
        EnvironmentUnavailable, match=rf"{oid_of(PROGRAM)[:12]}… of 23 bytes: 404 Object does not exist"
    ):
        app.files(tmp_path)


def test_a_server_that_hangs_is_left_when_the_time_is_over(app, tmp_path):
    """Its child is killed, whatever it waits for; while it waits the step says that it lives."""
    app.world.waits, beats = 5, []
    until = time.monotonic() + 0.8
    server = LfsServer(
        f"{app.world.remote}/info/lfs", "", "", (), "main", until, lambda: beats.append(time.monotonic())
    )
    with pytest.raises(EnvironmentUnavailable, match="the server does not go on") as refused:
        server.fetch([Pointer(oid_of(CONTENT), len(CONTENT))], tmp_path)
    assert refused.value.unreachable
    assert time.monotonic() < until + 2
    assert len(beats) > 2


def test_a_host_is_asked_only_if_the_operator_named_it(app, tmp_path):
    """What the server says is its own text; `.lfsconfig` is text of the repository, and is not read."""
    app.commit(**{".lfsconfig": "[lfs]\n\turl = http://localhost:9/evil\n"})
    app.world.change = lambda answer: moved(answer, href=f"http://localhost:{app.world.port}/content/{oid_of(CONTENT)}")
    app.files_of = lambda **more: app.files(tmp_path, lfs=("*.bin",), **more)
    with pytest.raises(EnvironmentUnavailable, match=r"which `environment\.git_hosts` does not list"):
        app.files_of()
    # A name that leads to this machine is meant only where the policy says so.
    with pytest.raises(EnvironmentUnavailable, match=r"localhost is the private address"):
        app.files_of(git_hosts=(f"localhost:{app.world.port}",))
    assert [] == app.world.downloads
    assert app.files_of(git_hosts=(f"localhost:{app.world.port}=127.0.0.1",)).instead


def test_the_reading_token_meets_its_own_origin_alone(app, tmp_path):
    """Also where the server sends to another host, or gives what to send along."""
    origin, chosen = f"http://{app.world.host}", app.policy(lfs=("*.bin",))
    access = chosen.target.forge_access
    chosen = chosen.model_copy(update={"target": chosen.target.model_copy(update={"forge": "gitea"})})
    assert access is not None
    LfsFiles(tmp_path / "a", lambda _target: token_environment("t0ken", origin)).of(app.mirror, app.base, chosen, quiet)
    assert ["Basic eC1hY2Nlc3MtdG9rZW46dDBrZW4="] * 2 == [said["Authorization"] for _, said in app.world.asked]
    assert "along" == app.world.asked[1][1]["X-Given"]
    app.world.asked.clear()
    server = LfsServer(
        f"{app.world.remote}/info/lfs", "t0ken", "https://127.0.0.1", (), "main", time.monotonic() + 9, quiet
    )
    server.fetch([Pointer(oid_of(CONTENT), len(CONTENT))], tmp_path)
    assert not [said for _, said in app.world.asked if "Authorization" in said]


@pytest.mark.parametrize(
    "text",
    [
        pointer(CONTENT).replace("\n", "\r\n"),
        pointer(CONTENT) + "x 1\n",
        pointer(CONTENT).replace("size ", "size 0"),
        pointer(CONTENT).replace("sha256:", "sha256:../../"),
        pointer(CONTENT).replace("oid", "ext-0-foo sha256:" + "a" * 64 + "\noid"),
        pointer(CONTENT)
        .upper()
        .replace("VERSION HTTPS://GIT-LFS.GITHUB.COM/SPEC/V1", "version https://git-lfs.github.com/spec/v1"),
        "version https://git-lfs.github.com/spec/v1\n",
    ],
)
def test_a_pointer_with_odd_lines_is_not_obeyed(app, tmp_path, text):
    """Readers differ in what they take it for; it is named, and no server is asked."""
    app.commit(data__odd_bin=text)
    if text.startswith("version https://git-lfs.github.com/spec/v1\r"):
        # Not one at all.
        assert "data/odd.bin" not in app.mirror.pointers(app.base)
        return
    with pytest.raises(EnvironmentUnavailable, match=r"data/odd\.bin is not fetched: its pointer is not as git-lfs"):
        app.files(tmp_path)
    assert [] == app.world.asked


def test_what_is_too_large_or_too_many_is_refused_before_anybody_is_asked(app, tmp_path):
    """By what the pointers say; the target's own limit."""
    app.commit(data__huge_bin=pointer(b"x").replace("size 1", "size 9999999999999"))
    with pytest.raises(EnvironmentUnavailable, match=r"hold more than 8192 MiB \(limits.megabytes\)"):
        app.files(tmp_path)
    app.commit(data__huge_bin="", **{f"many__{number}_bin": pointer(b"x") for number in range(300)})
    with pytest.raises(EnvironmentUnavailable, match="302 files are in git LFS, and a check can be shown 300"):
        app.files(tmp_path)
    assert [] == app.world.asked


@pytest.mark.parametrize(
    "plant",
    [
        "ln -s /tmp data",
        "mkdir data; ln -s /etc/passwd data/a",
        "mkdir data; echo x > data/a",
        "mkdir other; cp ../pointer other/a; ln -s other data",
    ],
)
def test_nothing_is_shown_where_the_tree_holds_something_else(tmp_path, plant):
    """A link in place of the file or of a folder above it, or other text: what a program sees is the tree's own."""
    tree, folder = tmp_path / "tree", tmp_path / "kept"
    tree.mkdir()
    folder.mkdir()
    (folder / "0").write_bytes(CONTENT)
    (tmp_path / "pointer").write_text(pointer(CONTENT))
    subprocess.run(["sh", "-c", plant], cwd=tree, check=True)
    files = (("data/a", "0", pointer(CONTENT).encode()), ("../tree/data/a", "0", b"x\n"), ("data", "0", b""))
    command = Command(("ls", "-l", "/work", "/etc"), tree, LIMITS, instead=Instead(folder, files))
    before = subprocess.run(["ls", "-lR", tree], capture_output=True, check=True).stdout
    assert 0 == BubblewrapSandbox().run(command, quiet).exit_code
    assert before == subprocess.run(["ls", "-lR", tree], capture_output=True, check=True).stdout
    if "other" in plant or "echo" in plant:
        assert (tree / "data/a").read_bytes() == BubblewrapSandbox().run(
            replace(command, argv=("cat", "data/a")), quiet
        ).output


def test_a_build_sees_it_below_its_own_folder_and_an_agent_no_secret(tmp_path):
    """The same files elsewhere; what is a private key is left out of what an agent's program is shown."""
    (tmp_path / "0").write_bytes(CONTENT)
    (tmp_path / "1").write_bytes(SECRET)
    instead = Instead(tmp_path, (("a.bin", "0", b"p"), ("b.bin", "1", b"q")))
    assert ["src/a.bin", "src/b.bin"] == [path for path, _, _ in _below_src(instead).files]
    assert ["a.bin"] == [path for path, _, _ in _without_secrets(instead).files]
    assert _below_src(None) is _without_secrets(None) is None


@pytest.mark.parametrize(
    ("remote", "server"),
    [
        ("https://git.example.com/team/app", "https://git.example.com/team/app.git/info/lfs"),
        ("https://git.example.com:8443/team/app.git/", "https://git.example.com:8443/team/app.git/info/lfs"),
        ("ssh://git@git.example.com:2222/team/app.git", "https://git.example.com/team/app.git/info/lfs"),
        ("git@git.example.com:team/app.git", "https://git.example.com/team/app.git/info/lfs"),
    ],
)
def test_the_server_is_where_git_lfs_looks(remote, server):
    """Of the target's own remote."""
    assert server == server_of(remote)


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"lfs_url": "https://x"}, "`lfs_url` would not be read"),
        ({"lfs": True, "lfs_url": "https://a:b@x/y"}, "without a credential"),
        ({"lfs": True, "lfs_url": "file:///etc"}, "an http or https address"),
        ({"lfs": True, "lfs_url": "https://x/a/../b"}, "without a credential"),
        ({"lfs": True, "submodules": True}, "need each other"),
    ],
)
def test_a_policy_that_means_nothing_is_refused(said, says):
    """What is not said is what it was before there was any (P15)."""
    with pytest.raises(ValidationError, match=says):
        EnvironmentPolicy.model_validate(said)
    assert {"lfs", "lfs_url"}.isdisjoint(EnvironmentPolicy().model_dump())
    assert EnvironmentPolicy(lfs=True, git_hosts=("x:1",)).model_dump()["git_hosts"]


def test_an_agents_program_sees_contents_but_no_secret_among_them(tmp_path):
    """Its tree has pointers before, meanwhile and afterwards; what it can say of them is what is shown over them."""
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "0").write_bytes(CONTENT)
    (kept / "1").write_bytes(SECRET)
    texts = {"a.bin": pointer(CONTENT), "b.bin": pointer(SECRET)}
    instead = Instead(kept, tuple((path, str(at), text.encode()) for at, (path, text) in enumerate(texts.items())))
    environment = CheckEnvironment(digest="", path=kept, guest="/env", instead=instead)
    tree = made(tmp_path, texts | {"pkg/a.py": "x = 1\n"})
    script = "cat a.bin b.bin; cp a.bin copy.bin; echo y >> a.bin; echo z = 3 >> pkg/a.py"
    played = play(tree, script, environment=environment)
    assert played.stopped is None, played.stopped
    assert "of the large file" in played.output
    assert "PRIVATE KEY" not in played.output
    assert "git-lfs" in played.output
    assert texts == {path: (tree / path).read_text() for path in texts}
    assert ("copy.bin", "pkg/a.py") == played.record.changed
