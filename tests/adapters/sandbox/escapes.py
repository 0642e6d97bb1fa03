"""Run inside the sandbox by test_escapes.py: tries to get out, prints what each try got."""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x00020000
LIBC = ctypes.CDLL(None, use_errno=True)


def main(facts_json: str, harmless: bool = False) -> None:
    facts = json.loads(facts_json)
    tries = {**_looks(facts), **({} if harmless else _blows(facts))}
    print(json.dumps({name: _outcome(attempt) for name, attempt in tries.items()}))


def _outcome(attempt: Callable[[], object]) -> str:
    try:
        return str(attempt() or "")
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""


def _looks(facts: dict) -> dict[str, Callable[[], object]]:
    outside = Path(facts["outside"])
    return {
        "read a file outside": (outside / "secret").read_text,
        "list the folder outside": lambda: _names(outside),
        "read through a link": lambda: _linked(outside / "secret").read_text(),
        "read through /proc/1/root": lambda: Path(f"/proc/1/root{outside}/secret").read_text(),
        "read through /proc/1/cwd": lambda: Path("/proc/1/cwd/../outside/secret").read_text(),
        "read shadow": lambda: Path("/etc/shadow").read_text(),
        "read root's home": lambda: [name for name in _names("/root") if name != ".pyenv"],
        "read other homes": lambda: [name for name in _names("/home") if name != "sandbox"],
        "read /var": lambda: _names("/var"),
        "read /run": lambda: _names("/run"),
        "read /sys": lambda: _names("/sys"),
        "read the environment": _environment,
        "see a host process": lambda: str(Path("/proc/self/ns/pid").readlink()) == facts["pid_namespace"],
        "connect to a port": lambda: _connect(socket.AF_INET, ("127.0.0.1", facts["port"])),
        "connect to a socket file": lambda: _connect(socket.AF_UNIX, str(outside / "socket")),
        "connect to an abstract socket": lambda: _connect(socket.AF_UNIX, "\0" + facts["abstract"]),
        "connect to the outside": lambda: _connect(socket.AF_INET, ("192.0.2.1", 80)),
        "have another interface": lambda: [name for _, name in socket.if_nameindex() if name != "lo"],
        "resolve a name": lambda: socket.getaddrinfo("host.invalid", 80),
        "see a disk": lambda: [name for name in _names("/dev") if name.startswith(("sd", "vd", "nvme", "mem"))],
        "inherit a descriptor": _descriptors,
        "write a file outside": lambda: _write_and_remove(outside / "canary"),
    }


def _blows(facts: dict) -> dict[str, Callable[[], object]]:
    return {
        "send a datagram": lambda: _datagram(facts["udp"]),
        "write /usr": lambda: Path("/usr/canary").write_text("x"),
        "write /etc": lambda: Path("/etc/canary").write_text("x"),
        "write /": lambda: Path("/canary").write_text("x"),
        "write /dev": lambda: Path("/dev/canary").write_text("x"),
        "write the interpreter": lambda: Path(os.__file__).with_name("canary.py").write_text("x"),
        "write a kernel setting": lambda: Path("/proc/sys/kernel/core_pattern").write_text("x"),
        "write sysrq": lambda: Path("/proc/sysrq-trigger").write_text("x"),
        "kill the worker": lambda: os.kill(facts["pid"], signal.SIGKILL) or "sent",
        "become root": lambda: os.setuid(0) or "done",
        "mount": lambda: LIBC.mount(b"none", b"/tmp", b"tmpfs", 0, None) == 0,
        "unmount": lambda: LIBC.umount2(b"/work", 2) == 0,
        "make a user namespace": lambda: LIBC.unshare(CLONE_NEWUSER) == 0,
        "make a mount namespace": lambda: LIBC.unshare(CLONE_NEWNS) == 0,
        "change root": lambda: os.chroot("/tmp") or "done",
        "make a device": lambda: os.mknod("/tmp/disk", 0o660 | 0o060000, os.makedev(8, 0)) or "made",
        "hard-link out": lambda: os.link("/etc/passwd", "/work/passwd") or "linked",
        "set the clock": lambda: LIBC.settimeofday(ctypes.byref((ctypes.c_long * 2)(1, 1)), None) == 0,
        "push to a terminal": lambda: os.open("/dev/tty", os.O_RDWR),
        "raise its limits": _raise_limits,
        "use a set-user-ID program": _set_user_id,
    }


def _names(folder: Path | str) -> list[str]:
    return [path.name for path in Path(folder).iterdir()]


def _linked(target: Path) -> Path:
    link = Path("/tmp") / f"link-{os.getpid()}"
    link.symlink_to(target)
    try:
        target.stat()
        return link
    finally:
        if not target.exists():
            link.unlink()


def _environment() -> list[str]:
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            body = (process / "environ").read_bytes()
        except OSError:
            continue
        found += [process.name] if b"AUTONOMY_CANARY_TOKEN" in body else []
    return found


def _connect(family: int, address: object) -> str:
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(1)
        client.connect(address)
    return "connected"


def _datagram(port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"canary", ("127.0.0.1", port))  # The test looks whether it arrived.


def _descriptors() -> list[str]:
    held = []
    for number in range(3, 256):
        try:
            held.append(str(Path(f"/proc/self/fd/{number}").readlink()))
        except OSError:
            continue
    return held


def _write_and_remove(path: Path) -> str:
    path.write_text("x")
    path.unlink()
    return "written"


def _raise_limits() -> bool:
    import resource

    resource.setrlimit(resource.RLIMIT_NPROC, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    return True


def _set_user_id() -> str:
    program = shutil.which("su") or shutil.which("passwd") or "/bin/su"
    argv = [program, "root", "-c", "id -u"]
    done = subprocess.run(argv, check=False, capture_output=True, timeout=5, stdin=subprocess.DEVNULL)
    return "root" if done.returncode == 0 else ""
