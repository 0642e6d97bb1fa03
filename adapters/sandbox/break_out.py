"""Runs inside the sandbox: tries to get out, prints what it got hold of. Standard library only."""

import ctypes
import json
import os
import socket
import sys
from collections.abc import Callable
from pathlib import Path

_CLONE_NEWUSER = 0x10000000
_EXPECTED = {"HOME", "PATH", "LANG", "TMPDIR", "PWD", "OLDPWD", "SHLVL", "_", "LC_CTYPE"}


def _reads(path: str) -> str:
    return f"read {len(Path(path).read_bytes())} bytes" if Path(path).read_bytes() else ""


def _writes(path: str) -> str:
    Path(path).write_text("out\n")
    return f"wrote {path}"


def _sees_host_processes(namespace: str) -> str:
    return "same process namespace" if str(Path("/proc/self/ns/pid").readlink()) == namespace else ""


def _reads_environment() -> str:
    names = set(os.environ)
    for process in Path("/proc").glob("[0-9]*"):
        try:
            names |= {entry.partition(b"=")[0].decode() for entry in (process / "environ").read_bytes().split(b"\0")}
        except OSError:
            continue
    return ", ".join(sorted(names - _EXPECTED - {""}))


def _connects(family: int, address: tuple[str, int] | str) -> str:
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(2)
        client.connect(address)
        return f"connected to {address!r}"


def _holds_descriptors() -> str:
    held = []
    for number in range(3, 1024):
        try:
            held.append(f"{number}: {Path(f'/proc/self/fd/{number}').readlink()}")
        except OSError:
            continue
    return ", ".join(held)


def _has_capabilities() -> str:
    status = dict(line.split(":\t", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":\t" in line)
    powers = [f"{name}={status[name]}" for name in ("CapEff", "CapPrm", "CapBnd") if int(status[name], 16)]
    return ", ".join(powers) or ("" if status["NoNewPrivs"] == "1" else "may gain new privileges")


def _makes_user_namespace() -> str:
    return "made one" if ctypes.CDLL(None).unshare(_CLONE_NEWUSER) == 0 else ""


def _holds_uncounted_memory() -> str:
    return f"a memfd: {os.memfd_create('break-out')}"


def _speaks_past_the_network() -> str:
    """By a family of sockets that no network namespace holds."""
    socket.socket(getattr(socket, "AF_VSOCK", 40), socket.SOCK_STREAM).close()
    return "a socket to the machine's host"


def _has_io_uring() -> str:
    return (
        "made a ring" if ctypes.CDLL(None).syscall(425, 1, ctypes.byref(ctypes.create_string_buffer(120))) >= 0 else ""
    )


def tries(facts: dict[str, str]) -> dict[str, Callable[[], str]]:
    """Each returns what it got; empty, or an OSError, when that is nothing."""
    return {
        "read the host's password hashes": lambda: _reads("/etc/shadow"),
        "read a file outside the tree": lambda: _reads(facts["secret"]),
        "write a file outside the tree": lambda: _writes(facts["target"]),
        "write to the system's folders": lambda: _writes("/usr/break-out"),
        "write to the root folder": lambda: _writes("/break-out"),
        "see the host's processes": lambda: _sees_host_processes(facts["pid_namespace"]),
        "read the worker's environment": _reads_environment,
        "connect to a port of the host": lambda: _connects(socket.AF_INET, ("127.0.0.1", int(facts["port"]))),
        "connect to a socket file of the host": lambda: _connects(socket.AF_UNIX, facts["socket"]),
        "connect to an abstract socket of the host": lambda: _connects(socket.AF_UNIX, "\0" + facts["abstract"]),
        "make a socket that no namespace holds": _speaks_past_the_network,
        "make calls that no filter sees": _has_io_uring,
        "use an inherited descriptor": _holds_descriptors,
        "hold a capability": _has_capabilities,
        "make a user namespace": _makes_user_namespace,
        "hold memory that nobody can count": _holds_uncounted_memory,
    }


def main(facts: dict[str, str]) -> dict[str, str]:
    """What each try got."""
    got = {}
    for name, attempt in tries(facts).items():
        try:
            got[name] = attempt()
        except OSError:
            got[name] = ""
    return got


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(json.loads(sys.argv[1]))))
