"""Who a sandboxed command is on the host: never root."""

import os
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from policies.counted import shortened
from ports.sandbox import SandboxUnavailable

# Free of distribution and systemd ids, and below 65536, so that it also exists in rootless containers.
FIRST_UID = 60600
SLOTS = 500


@contextmanager
def lend(*trees: Path) -> Iterator[int | None]:
    """Lend trees to an unprivileged user while a command runs; None when we are one ourselves.

    A tree is lent to one command at a time. Afterwards it is ours again and can be read and removed.
    """
    if os.geteuid() != 0:
        try:
            yield None
        finally:
            for tree in trees:
                _open_folders(tree)
        return
    with _own_uid() as uid:
        try:
            for tree in trees:
                _give(tree, uid)
            yield uid
        finally:
            for tree in trees:
                _give(tree, 0)


@contextmanager
def _own_uid() -> Iterator[int]:
    """A user id no other sandbox of this machine uses now: the process limit counts per user."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as claim:
        for uid in range(FIRST_UID, FIRST_UID + SLOTS):
            try:
                # An abstract name is given back by the kernel however we die: no stale lock files.
                claim.bind(f"\0autonomy-sandbox-uid-{uid}")
            except OSError:
                continue
            yield uid
            return
    raise SandboxUnavailable(f"all {SLOTS} sandbox user ids from {FIRST_UID} on are in use: run fewer checks at a time")


def _give(tree: Path, uid: int) -> None:
    # coreutils walk by descriptor: hostile depth cannot exhaust a recursion here. Links are changed, never followed.
    done = subprocess.run(["chown", "-hR", "--", f"{uid}:{uid}", str(tree)], capture_output=True, check=False)
    if done.returncode:
        raise SandboxUnavailable(
            f"could not give {tree} to the sandbox user {uid}: {shortened(done.stderr.decode(errors='replace'), 500)}"
        )


def _open_folders(tree: Path) -> None:
    """Undo ``chmod 000`` on folders: what we cannot enter we cannot judge or delete."""
    closed = ["find", str(tree), "-type", "d", "!", "-perm", "-u=rwx", "-execdir", "chmod", "u+rwx", "--", "{}", ";"]
    subprocess.run(closed, capture_output=True, check=False, env={"PATH": "/usr/bin:/bin"})
