"""Environments that a target's own commands prepare: once, with named hosts alone, kept for checks without network."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from shutil import which

import pytest

from adapters.environments.wheels import WheelEnvironments
from adapters.sandbox.bubblewrap import BubblewrapSandbox
from policies.settings.schema import EnvironmentPolicy
from ports.environments import EnvironmentUnavailable
from ports.sandbox import Limits, SandboxUnavailable
from tests.adapters.test_check_environments import Committed, policy, quiet

PYTHON = Path(sys.executable).resolve()
TOOLCHAIN = str(PYTHON.parent.parent)
LIMITS = Limits(30, 30, 1 << 29, 64, 16 << 20, 1 << 16)
ASK = """
import socket, sys
def ask(line):
    with socket.create_connection(("127.0.0.1", 8118)) as near:
        near.sendall(line.encode() + b"\\r\\n\\r\\n")
        if line.startswith("CONNECT"):
            said = near.recv(4000)
            if b" 200 " not in said:
                return said.decode()
            near.sendall(b"hello\\n")
        return b"".join(iter(lambda: near.recv(4000), b"")).decode()
answer = ask(sys.argv[1])
print(answer)
sys.exit(" 403 " in answer or " 502 " in answer)
"""


class Repository(Committed):
    """Also with what the mirror has beside single files."""

    def paths(self, commit: str) -> tuple[str, ...]:
        return tuple(self._git("ls-tree", "-r", "--name-only", commit).split())

    def tree_of(self, commit: str) -> str:
        return self._git("rev-parse", f"{commit}^{{tree}}").strip()

    def checkout(self, commit: str, into: Path) -> None:
        self._git("--work-tree", str(into), "checkout", "-q", commit, "--", ".")


@pytest.fixture
def repository(tmp_path):
    path = tmp_path / "repository"
    subprocess.run(["git", "init", "-q", path], check=True)
    return Repository(path)


@pytest.fixture
def base(repository):
    return repository.commit({"lock": "1\n", "ask.py": ASK})


@pytest.fixture
def environments(tmp_path):
    return WheelEnvironments(tmp_path / "root", BubblewrapSandbox())


def prepared_by(*scripts: str, **more):
    """The policy of a target whose ``prepare`` are shell scripts."""
    commands = tuple(("sh", "-c", script) for script in scripts)
    return policy(**{"prepare": commands, "keyed_by": ("lock",), "toolchains": (TOOLCHAIN,)} | more)


def hurried(chosen, **more):
    """The same with a time that no file could state."""
    environment = chosen.target.environment.model_copy(update={"minutes": 0.02} | more)
    return chosen.model_copy(update={"target": chosen.target.model_copy(update={"environment": environment})})


def check(environment, repository, commit, tmp_path, script):
    tree = tmp_path / f"check-{time.monotonic_ns()}"
    tree.mkdir()
    repository.checkout(commit, tree)
    return BubblewrapSandbox().run(environment.command(("sh", "-c", script), tree, LIMITS), quiet)


@contextmanager
def served(answer=b"from outside\n", dripping=b""):
    """A server on loopback: its port, and what it was sent. It answers, and then a byte every tenth of a second."""
    heard: list[bytes] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def serve():
            while True:
                try:
                    near, _ = listener.accept()
                except OSError:
                    return
                with near, suppress(OSError):
                    heard.append(near.recv(4000))
                    near.sendall(answer)
                    for each in dripping:
                        time.sleep(0.1)
                        near.sendall(bytes([each]))

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield listener.getsockname()[1], heard
        finally:
            # Closing alone does not end an accept that waits.
            listener.shutdown(socket.SHUT_RDWR)


# What is made, and how it is used.


def test_prepared_once_used_offline_and_by_copies(environments, repository, base, tmp_path):
    """What is in /env is read-only, what is kept of the tree is each check's own; no check reaches the network."""
    make = "echo made > /env/made; mkdir -p web/parts; echo part > web/parts/one; echo $TOLD"
    chosen = prepared_by(make, keep=("web/parts",), variables={"TOLD": "so"})
    made = environments.prepare(repository, base, chosen, quiet)
    uses = "cat /env/made web/parts/one && echo $TOLD && echo mine > web/parts/one && ! touch /env/x 2>/dev/null"
    for _ in range(2):
        result = check(made, repository, base, tmp_path, uses)
        assert (0, b"made\npart\nso\n") == (result.exit_code, result.stdout)
    assert 1 == check(made, repository, base, tmp_path, "python3 ask.py 'CONNECT a:1 HTTP/1.1'").exit_code
    # Again without a sandbox: it is found, by whoever asks.
    again = WheelEnvironments(tmp_path / "root", sandbox=None).prepare(repository, base, chosen, quiet)
    assert again == made
    assert b"so\n" in dict(made.records)["prepare.txt"]


def test_what_decides_is_what_was_named(environments, repository, base):
    """Another lock file, command, variable or toolchain makes another; any other file the same."""
    places = [environments.prepare(repository, base, prepared_by("true"), quiet).digest]
    other = repository.commit({"source": "changed"})
    assert places == [environments.prepare(repository, other, prepared_by("true"), quiet).digest]
    others = (prepared_by(":"), prepared_by("true", variables={"A": "b"}), prepared_by("true", toolchains=()))
    places += [environments.prepare(repository, base, chosen, quiet).digest for chosen in others]
    locked = repository.commit({"lock": "2\n"})
    places.append(environments.prepare(repository, locked, prepared_by("true"), quiet).digest)
    assert len(places) == len(set(places))


def test_a_change_of_what_decides_is_prepared_from_the_merge_result(environments, repository, base):
    """And kept apart: no later base finds what a change's other files may have had a say in."""
    chosen = prepared_by("cp lock /env/lock")
    of_base = environments.prepare(repository, base, chosen, quiet)
    elsewhere = repository.commit({"source": "changed"})
    assert of_base == environments.prepare(repository, base, chosen, quiet, elsewhere)
    merged = repository.commit({"lock": "2\n"})
    again = environments.prepare(repository, base, chosen, quiet, merged)
    assert (("lock",), "2\n") == (again.prepared_again, (again.path / "lock").read_text())
    as_base = environments.prepare(repository, merged, chosen, quiet)
    assert len({of_base.digest, again.digest, as_base.digest}) == 3
    with pytest.raises(EnvironmentUnavailable) as refused:
        environments.prepare(repository, base, prepared_by("grep -q 1 lock"), quiet, merged)
    assert ("lock",) == refused.value.of_change


def test_a_tree_that_holds_what_is_kept_is_not_written_through(environments, repository, base, tmp_path):
    """A planted link in its way, or something of its own there: refused, and nothing outside is written."""
    made = environments.prepare(repository, base, prepared_by("mkdir parts; touch parts/x", keep=("parts",)), quiet)
    tree, outside = tmp_path / "tree", tmp_path / "outside"
    tree.mkdir()
    outside.mkdir()
    (tree / "parts").symlink_to(outside)
    with pytest.raises(SandboxUnavailable, match=r"parts is put into the tree"):
        BubblewrapSandbox().run(made.command(("true",), tree, LIMITS), quiet)
    assert [] == list(outside.iterdir())


def test_workspaces_that_are_links(environments, repository, tmp_path):
    """As npm, pnpm and yarn link them: into each check's own tree, also out of its copy of what is kept."""
    base = repository.commit({"lock": "1\n", "packages/a/x": "base\n"})
    linked = prepared_by("mkdir node_modules; ln -s ../packages/a node_modules/a", keep=("node_modules",))
    made = environments.prepare(repository, base, linked, quiet)
    changed = repository.commit({"packages/a/x": "changed\n"})
    result = check(made, repository, changed, tmp_path, "cat node_modules/a/x; echo mine > node_modules/a/x")
    assert (0, b"changed\n") == (result.exit_code, result.stdout)
    assert b"base\n" == check(made, repository, base, tmp_path, "cat node_modules/a/x").stdout


def test_more_files_than_a_command_may_leave(environments, repository, base):
    """A huge node_modules ends its preparing, and which setting bounds it is said."""
    chosen = prepared_by("mkdir n; cd n; seq 3000 | xargs touch", keep=("n",))
    bounded = chosen.autopilot.sandbox.model_copy(update={"files": 500})
    few = chosen.model_copy(update={"autopilot": chosen.autopilot.model_copy(update={"sandbox": bounded})})
    with pytest.raises(EnvironmentUnavailable, match=r"stopped \(files\).*`sandbox` in the policy"):
        environments.prepare(repository, base, few, quiet)
    assert environments.prepare(repository, base, chosen, quiet).copies


def test_memory_is_what_is_resident(environments, repository, base, tmp_path):
    """Reserving 64 GiB is nobody's business; using more than the limit ends it."""
    made = environments.prepare(repository, base, prepared_by("true"), quiet)
    reserve = "python3 -c 'import mmap; m = mmap.mmap(-1, 64 << 30, mmap.MAP_PRIVATE | 0x4000); {}'"
    assert 0 == check(made, repository, base, tmp_path, reserve.format("print(1)")).exit_code
    use = "python3 -c 'x = bytearray(b\"x\") * (900 << 20); import time; time.sleep(9)'"
    assert "memory" == check(made, repository, base, tmp_path, use).killed_for


GO = pytest.mark.skipif(which("go") is None, reason="left out: Go is missing")


def goroot():
    return subprocess.run(("go", "env", "GOROOT"), check=True, capture_output=True, text=True).stdout.strip()


@GO
def test_another_toolchain_than_the_repository_asks_for(environments, repository):
    """By its own words; a newer one is not fetched."""
    base = repository.commit({"go.mod": "module m\ngo 1.99\n"})
    chosen = prepared_by("go list ./...", keyed_by=("go.mod",), toolchains=(goroot(),))
    with pytest.raises(EnvironmentUnavailable, match=r"another version of a toolchain.*\n.*requires go >= 1\.99"):
        environments.prepare(repository, base, chosen, quiet)


@GO
def test_go_works_on_files_of_some_age(environments, repository, tmp_path):
    """It would write an index of folders that are more than two seconds old into its cache, which is read-only."""
    base = repository.commit({"go.mod": "module m\n", "m.go": "package m\n"})
    chosen = prepared_by("go list ./...", keyed_by=("go.mod",), toolchains=(goroot(),))
    made = environments.prepare(repository, base, chosen, quiet)
    result = check(made, repository, base, tmp_path, "touch -d '1 hour ago' *; go list ./...")
    assert (0, b"m\n") == (result.exit_code, result.stdout)


# What a hostile or broken one does.

FORKS = "python3 -c 'import os, time\nfor _ in range(999): os.fork() or time.sleep(9)'"


@pytest.mark.parametrize(
    ("script", "says", "more"),
    [
        ("sleep 99", r"stopped \(timeout\).*raise `environment.minutes`", {}),
        ("yes", r"stopped \(output\).*`sandbox` in the policy", {"minutes": 1}),
        (FORKS, r"failed|stopped", {}),
        ("python3 ask.py 'CONNECT evil.example:443 HTTP/1.1'", "evil.example:443.*hosts. does not list", {}),
        ("no-such-program", "could not start.*environment.toolchains", {}),
        ("echo 'EINTEGRITY'; echo 'extracting @a/b@1.0.0: no'; exit 1", r"lock file says \(@a/b@1.0.0\): find out", {}),
        ("echo 'package.json and package-lock.json are not in sync'; exit 1", "contradicts the manifest", {}),
        ("echo 'module x: 410 Gone'; exit 1", r"not there \(any more\)", {}),
        ("echo 'no idea why'; exit 1", "it said last: no idea why; try it", {}),
        ("echo '429 Too Many Requests'; exit 1", "limits the rate: try again later", {}),
        ("true", "`environment.keep` names parts.*not there", {"keep": ("parts",)}),
        ("ln -s /etc parts", "`environment.keep` names parts.*symbolic link", {"keep": ("parts",)}),
        ("head -c 2000000 /dev/zero > /env/big", "raise `environment.kept_gb`", {"kept_gb": 0.001}),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else "",
)
def test_a_prepare_that_fails_says_what_to_do(environments, repository, base, tmp_path, script, says, more):
    """Nothing is kept of it, and no process is left."""
    with pytest.raises(EnvironmentUnavailable, match=f"(?s){says}") as refused:
        environments.prepare(repository, base, hurried(prepared_by(script), **more), quiet)
    assert {"prepare.txt", "network.jsonl"} == set(dict(refused.value.records))
    assert [] == [each for each in (tmp_path / "root" / "prepared").iterdir() if each.is_dir()]
    assert ("429" in script) == refused.value.unreachable


def test_the_second_step_fails(environments, repository, base):
    """It is named, with its end; what the first printed is in the record."""
    with pytest.raises(EnvironmentUnavailable, match=r"`prepare` 2 of 3, .*failed \(exit 7\)") as refused:
        environments.prepare(repository, base, prepared_by("echo first", "exit 7", "echo third"), quiet)
    said = dict(refused.value.records)["prepare.txt"]
    assert b"first" in said
    assert b"third" not in said


def test_why_it_broke_is_told_by_what_changed_since_it_worked(environments, repository, base):
    """A new lock file is one thing; that nothing here changed is another."""
    with pytest.raises(EnvironmentUnavailable, match=r"never worked here before"):
        environments.prepare(repository, base, prepared_by("exit 1"), quiet)
    environments.prepare(repository, base, prepared_by("true"), quiet)
    with pytest.raises(EnvironmentUnavailable, match=rf"last worked, on {base[:12]}, no file that decides has changed"):
        environments.prepare(repository, base, prepared_by("exit 1"), quiet)
    later = repository.commit({"lock": "2\n"})
    with pytest.raises(EnvironmentUnavailable, match=rf"last worked, on {base[:12]}, lock changed"):
        environments.prepare(repository, later, prepared_by("exit 1"), quiet)


def test_daemons_do_not_outlive_it(environments, repository, base, tmp_path):
    """What it leaves running is gone when the command is."""
    marker = f"marker-{tmp_path.name}-{os.getpid()}"
    environments.prepare(repository, base, prepared_by(f"setsid sh -c 'sleep 60; : {marker}' & :"), quiet)
    running = [each for each in Path("/proc").glob("[0-9]*/cmdline") if marker.encode() in _read(each)]
    assert [] == running


def _read(path):
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_nothing_of_the_operator_is_seen_inside(environments, repository, base, monkeypatch):
    """It prints its whole environment: no credential of an index, no proxy's password, no variable of the worker."""
    monkeypatch.setenv("HTTPS_PROXY", "http://user:secret-of-proxy@127.0.0.1:9")
    monkeypatch.setenv("INDEX_SECRET", "secret-of-index")
    chosen = prepared_by(
        "env; cat /proc/*/environ", hosts=("a.example:443",), credentials={"a.example:443": "INDEX_SECRET"}
    )
    made = environments.prepare(repository, base, chosen, quiet)
    assert b"secret-of" not in dict(made.records)["prepare.txt"]
    monkeypatch.delenv("INDEX_SECRET")
    with pytest.raises(EnvironmentUnavailable, match=r"INDEX_SECRET.*environment.credentials"):
        environments.prepare(
            repository,
            base,
            prepared_by("id", hosts=chosen.target.environment.hosts, credentials=chosen.target.environment.credentials),
            quiet,
        )


# The way out.


def test_a_named_host_is_reached_and_everything_is_noted(environments, repository, base):
    """Only that host and port; what was asked is kept, refusals included."""
    with served() as (port, heard):
        asks = (f"python3 ask.py 'CONNECT registry.test:{each} HTTP/1.1' ||:" for each in (port, 1))
        chosen = prepared_by(*asks, hosts=(f"registry.test:{port}=127.0.0.1",))
        made = environments.prepare(repository, base, chosen, quiet)
    records = dict(made.records)
    assert b"from outside" in records["prepare.txt"]
    assert [b"hello\n"] == heard
    noted = [json.loads(line) for line in records["network.jsonl"].splitlines()]
    assert [f"registry.test:{port}", "registry.test:1"] == [each["target"] for each in noted]
    assert "not on the list" in noted[1]["refused"]


def test_a_registry_that_is_down_is_not_the_lock_files_fault(environments, repository, base):
    """The network's trouble is told from the repository's."""
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    ask = f"python3 ask.py 'CONNECT 127.0.0.1:{port} HTTP/1.1'"
    for then, says in (("", "registry could not be reached.*try again"), ("; sleep 99", "timeout.*not be reached")):
        chosen = hurried(prepared_by(f"{ask}{then}", hosts=(f"127.0.0.1:{port}",)), minutes=0.05)
        with pytest.raises(EnvironmentUnavailable, match=says) as refused:
            environments.prepare(repository, base, chosen, quiet)
        assert refused.value.unreachable


# What is kept.


def test_the_least_used_goes_but_never_one_in_use(environments, repository, base, tmp_path):
    """Over the limit those not used for longest are removed; whoever holds one keeps it."""

    def make(number, **more):
        fill = f"head -c 3000000 /dev/urandom > /env/{number}"
        return environments.prepare(repository, base, prepared_by(fill, kept_gb=0.007, **more), quiet)

    held, unused = make(1), make(2)
    gone = unused.path
    del unused
    make(3)
    assert held.path.exists()
    assert not gone.exists()
    assert (make(2).path / "2").exists()


def test_two_at_once_make_one(environments, repository, base, tmp_path):
    """And a cancelled one leaves nothing behind."""
    made = []
    chosen = prepared_by("sleep 0.3; echo once >> /env/log")
    together = [
        threading.Thread(target=lambda: made.append(environments.prepare(repository, base, chosen, quiet)))
        for _ in "ab"
    ]
    for each in together:
        each.start()
    for each in together:
        each.join()
    assert made[0] == made[1]

    def cancelled() -> None:
        raise InterruptedError("cancelled")

    with pytest.raises(InterruptedError):
        environments.prepare(repository, base, prepared_by("sleep 9"), cancelled)
    assert [] == list((tmp_path / "root" / "preparing").iterdir())


# The settings.


@pytest.mark.parametrize(
    ("chosen", "says"),
    [
        ({"prepare": [["a"]]}, "needs `keyed_by`"),
        ({"prepare": [["a"]], "keyed_by": ["x"], "packages": ["pytest"]}, "packages would not be read"),
        ({"hosts": ["a.example:443"]}, "without `prepare`, hosts would not be read"),
        ({"prepare": [[]], "keyed_by": ["x"]}, "at least 1"),
        ({"prepare": [["a"]], "keyed_by": ["x"], "hosts": ["a.example"]}, "hosts"),
        ({"prepare": [["a"]], "keyed_by": ["x"], "hosts": ["*.example:443"]}, "hosts"),
        ({"prepare": [["a"]], "keyed_by": ["x"], "keep": ["../x"]}, "plain path"),
        ({"prepare": [["a"]], "keyed_by": ["x"], "keep": ["a/./x"]}, "plain path"),
        ({"prepare": [["a"]], "keyed_by": ["x"], "toolchains": ["go"]}, "toolchains"),
        ({"prepare": [["a"]], "keyed_by": ["x"], "credentials": {"a:1": "V"}}, "`hosts` does not list"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(chosen, says):
    """At load, in words."""
    with pytest.raises(ValueError, match=says):
        EnvironmentPolicy.model_validate(chosen)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"toolchains": ("/no/such",)}, "/no/such is not on this machine"),
        ({"keyed_by": ("go.sum",)}, r"no file of the base matches `environment.keyed_by` \(go.sum\)"),
    ],
)
def test_what_the_machine_or_the_base_lacks_is_named(environments, repository, base, more, says):
    """Before anything runs."""
    with pytest.raises(EnvironmentUnavailable, match=says):
        environments.prepare(repository, base, prepared_by("true", **more), quiet)
