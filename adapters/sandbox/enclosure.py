"""What a sandboxed command sees: the arguments bubblewrap is started with."""

from __future__ import annotations

import functools
import re
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from adapters.sandbox.bwrap_program import BubblewrapMissing, find_bwrap
from ports.sandbox import Command, SandboxUnavailable

TREE = "/work"
HOME = "/home/sandbox"
INSIDE_ID = 1000
OPEN_FILES = 1024
MEMORY_FOLDERS = ("/dev/shm", "/tmp", HOME)  # noqa: S108
"""What is written there is kept in memory."""

FILES = {
    "/etc/passwd": f"root:x:0:0:root:/:/bin/false\nsandbox:x:{INSIDE_ID}:{INSIDE_ID}:sandbox:{HOME}:/bin/sh\n",
    "/etc/group": f"root:x:0:\nsandbox:x:{INSIDE_ID}:\n",
    "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "/etc/nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
}
"""Files of our own making that programs expect; the host's stay outside."""

_LINKER = ("/etc/ld.so.cache", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/alternatives")
_SYSTEM = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_NAMESPACES = ("--unshare-pid", "--unshare-ipc", "--unshare-uts")


@dataclass(frozen=True)
class Bubblewrap:
    """The program and what it can do."""

    program: Path
    version: str
    disables_userns: bool
    """Whether it can forbid new user namespaces inside; not before 0.8, nor when installed set-user-ID."""

    @classmethod
    def find(cls) -> Bubblewrap:
        """Ask the one on this machine, once for as long as it is the same file.

        Raises:
            SandboxUnavailable: there is none, or it does not answer.
        """
        try:
            program = find_bwrap()
            return cls._asked(program, program.stat().st_mtime_ns)
        except (BubblewrapMissing, OSError, subprocess.SubprocessError) as problem:
            raise SandboxUnavailable(str(problem)) from problem

    @classmethod
    @functools.cache
    def _asked(cls, program: Path, modified: int) -> Bubblewrap:
        del modified
        answer = subprocess.run([program, "--version"], capture_output=True, timeout=10, env={}, check=False)
        found = re.search(rb"(\d+)\.(\d+)\.\d+", answer.stdout)
        if answer.returncode or not found:
            raise SandboxUnavailable(f"{program} does not behave like bubblewrap: install the package `bubblewrap`")
        modern = (int(found[1]), int(found[2])) >= (0, 8)
        return cls(program, found[0].decode(), modern and not program.stat().st_mode & stat.S_ISUID)


@dataclass(frozen=True)
class Descriptors:
    """What bwrap inherits besides the standard streams."""

    outer_status: int
    """Where the outermost bwrap reports its child."""
    inner_status: int
    """Where the innermost one reports the command's exit; the same unless we are root."""
    files: dict[str, int]
    system_calls: int
    """Holds the filter of system calls."""
    begin: int | None = None
    """The command waits for a byte from it; None: it does not wait."""


def enclose(bwrap: Bubblewrap, command: Command, uid: int | None, descriptors: Descriptors) -> list[str]:
    """The whole argv. ``uid`` None: we are unprivileged already."""
    mounts = [(command.tree, TREE, "--ro-bind" if command.read_only_tree else "--bind")]
    mounts += [(source, guest, "--ro-bind") for source, guest in command.read_only]
    mounts += [(source, guest, "--bind") for source, guest in command.writable]
    for source, guest, _ in mounts:
        _refuse_dangerous(source, guest)
    # Last, so that they lie over the tree.
    instead = _in_place(command)
    if uid is None:
        shown = [(str(source), guest, how) for source, guest, how in mounts]
        shown += [(f"{source}/{name}", guest, "--ro-bind") for source, name, guest in instead]
        return [str(bwrap.program), *_inner(bwrap, command, shown, descriptors)]
    return _lowered(bwrap, command, uid, mounts, instead, descriptors)


def _in_place(command: Command) -> list[tuple[Path, str, str]]:
    """Folder, name and where inside of each file that is shown over one of the tree: onto a plain file alone.

    The tree may be hostile, but nothing of it runs now.
    """
    if (instead := command.instead) is None:
        return []
    found = [(name, inside) for inside, name, text in instead.files if _holds(command.tree, inside, text)]
    for name, _ in found:
        _refuse_dangerous(instead.folder / name, TREE)
    return [(instead.folder, name, f"{TREE}/{inside}") for name, inside in found]


def _holds(tree: Path, inside: str, text: bytes) -> bool:
    *above, name = PurePosixPath(inside).parts
    place = tree
    for part in above:
        place /= part
        if part == ".." or place.is_symlink():
            return False
    place /= name
    if name == ".." or not place.exists() or not stat.S_ISREG((status := place.lstat()).st_mode):
        return False
    return status.st_size == len(text) and place.read_bytes() == text


def _refuse_dangerous(source: Path, guest: str) -> None:
    """A link in place of a mount's source may have been planted by what ran before; bwrap would follow it."""
    if source.is_symlink() or not source.exists():
        raise SandboxUnavailable(f"{source} is missing or a symbolic link: not shown in the sandbox")
    if guest.startswith(f"{TREE}/"):
        raise SandboxUnavailable(f"{source} would appear at {guest}, inside the checked tree: move it elsewhere")


def _lowered(
    bwrap: Bubblewrap,
    command: Command,
    uid: int,
    mounts: list[tuple[Path, str, str]],
    instead: list[tuple[Path, str, str]],
    descriptors: Descriptors,
) -> list[str]:
    """As root: a first bwrap puts every source where the unprivileged user can reach it, then drops to that user.

    The folders above a source (``/root``, a 0700 temporary folder) may be closed to that user; the sources are not.
    """
    outer = [str(bwrap.program), *_NAMESPACES, "--die-with-parent"]
    outer += ["--json-status-fd", str(descriptors.outer_status)]
    outer += ["--cap-drop", "ALL", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
    outer += ["--dev-bind", "/", "/", "--tmpfs", "/tmp"]  # noqa: S108  # a private tmpfs, not the shared folder
    shown = []
    for number, (source, guest, how) in enumerate(mounts):
        staged = f"/tmp/{number}"  # noqa: S108
        outer += [how, str(source), staged]
        shown.append((staged, guest, how))
    for folder in {folder for folder, _, _ in instead}:
        outer += ["--ro-bind", str(folder), "/tmp/instead"]  # noqa: S108
    shown += [(f"/tmp/instead/{name}", guest, "--ro-bind") for _, name, guest in instead]  # noqa: S108
    program = str(bwrap.program)
    if not bwrap.program.is_relative_to("/usr"):
        # The wheel's program finds its libraries beside its package, so the folder of packages comes with it.
        packages = bwrap.program.parents[2]
        outer += ["--ro-bind", str(packages), "/tmp/bwrap"]  # noqa: S108
        program = f"/tmp/bwrap/{bwrap.program.relative_to(packages)}"  # noqa: S108
    drop = ["setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups", "--inh-caps=-all", "--no-new-privs", "--"]
    return [*outer, "--", *drop, program, *_inner(bwrap, command, shown, descriptors)]


def _inner(
    bwrap: Bubblewrap, command: Command, shown: list[tuple[str, str, str]], descriptors: Descriptors
) -> list[str]:
    limits = command.limits
    size = ["--size", str(limits.file_bytes), "--tmpfs"]
    argv = ["--unshare-all", "--unshare-user", "--die-with-parent", "--new-session", "--clearenv"]
    argv += ["--disable-userns"] if bwrap.disables_userns else []
    argv += ["--cap-drop", "ALL", "--uid", str(INSIDE_ID), "--gid", str(INSIDE_ID), "--hostname", "sandbox"]
    argv += ["--json-status-fd", str(descriptors.inner_status), "--seccomp", str(descriptors.system_calls)]
    argv += ["--block-fd", str(descriptors.begin)] if descriptors.begin is not None else []
    argv += [*_system_folders(), "--proc", "/proc", "--dev", "/dev", *size, "/dev/shm", "--remount-ro", "/dev"]  # noqa: S108
    for name, descriptor in descriptors.files.items():
        argv += ["--ro-bind-data", str(descriptor), name]
    argv += [*size, "/tmp", *size, HOME]  # noqa: S108
    for source, guest, how in shown:
        argv += [how, source, guest]
    argv += ["--chdir", TREE, "--remount-ro", "/"]
    environment = {"HOME": HOME, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TMPDIR": "/tmp"}  # noqa: S108
    for name, value in {**environment, **command.environment}.items():
        argv += ["--setenv", name, value]
    # The process limit counts per user namespace (Linux 5.14), so it is set inside ours.
    limit = ["/usr/bin/prlimit", f"--cpu={limits.cpu_seconds}:{limits.cpu_seconds + 1}"]
    limit += [] if command.reserves_memory else [f"--as={limits.memory_bytes}"]
    limit += [f"--fsize={limits.file_bytes}", f"--nproc={limits.processes}", f"--nofile={OPEN_FILES}", "--core=0"]
    return [*argv, "--", *limit, "--", *command.argv]


def _system_folders() -> list[str]:
    argv = ["--ro-bind", "/usr", "/usr"]
    for name in _SYSTEM:
        folder = Path("/") / name
        if folder.is_symlink():
            argv += ["--symlink", str(folder.readlink()), str(folder)]
        elif folder.is_dir():
            argv += ["--ro-bind", str(folder), str(folder)]
    for file in _LINKER:
        argv += ["--ro-bind-try", file, file]
    return argv
