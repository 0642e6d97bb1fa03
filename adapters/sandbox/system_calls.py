"""The system calls a command does not get: those that hold memory where no look could find it.

A memfd or a System V segment belongs to no process and no mount: written, unmapped and handed over a socket it shows
nowhere. Programs that ask for a memfd know kernels without it and take /dev/shm, which is counted; small segments and
few semaphores, as databases use them, are allowed.
"""

import errno
import platform
import struct

from ports.sandbox import SandboxUnavailable

_LARGEST_SEGMENT = 64 << 10
_MOST_SEMAPHORES = 64
_X32 = 0x40000000
_LOAD, _EQUAL, _AT_LEAST, _ABOVE, _RETURN = 0x20, 0x15, 0x35, 0x25, 0x06
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_NUMBER, _MACHINE, _SIZE, _SIZE_HIGH = 0, 4, 24, 28
"""Where ``struct seccomp_data`` holds them; the size is the second argument, its two halves as little-endian."""
_KNOWN = {
    # machine: audit name, memfd_create, memfd_secret, shmget, semget
    "x86_64": (0xC000003E, 319, 447, 29, 64),
    "aarch64": (0xC00000B7, 279, 447, 194, 190),
}


def seccomp_filter(machine: str = "") -> bytes:
    """The filter as ``bwrap --seccomp`` reads it: an array of ``struct sock_filter``.

    Raises:
        SandboxUnavailable: nobody wrote down this machine's system calls yet.
    """
    machine = machine or platform.machine()
    if machine not in _KNOWN:
        known = ", ".join(_KNOWN)
        raise SandboxUnavailable(f"the sandbox does not know the system calls of {machine}: use one of {known}")
    audit, memfd_create, memfd_secret, shmget, semget = _KNOWN[machine]
    missing, full = _ERROR | errno.ENOSYS, _ERROR | errno.ENOSPC
    # Code, value, and how many steps are skipped when it holds and when not. Calls of other machines (32-bit, x32) have
    # other numbers, so there are none.
    steps = [(_LOAD, _MACHINE, 0, 0), (_EQUAL, audit, 1, 0), (_RETURN, missing, 0, 0)]
    steps += [(_LOAD, _NUMBER, 0, 0), (_AT_LEAST, _X32, 0, 1), (_RETURN, missing, 0, 0)]
    for number in (memfd_create, memfd_secret):
        steps += [(_EQUAL, number, 0, 1), (_RETURN, missing, 0, 0)]
    for number, most in ((shmget, _LARGEST_SEGMENT), (semget, _MOST_SEMAPHORES)):
        steps += [(_EQUAL, number, 0, 6), (_LOAD, _SIZE_HIGH, 0, 0), (_EQUAL, 0, 0, 2)]
        steps += [(_LOAD, _SIZE, 0, 0), (_ABOVE, most, 0, 1), (_RETURN, full, 0, 0), (_RETURN, _ALLOW, 0, 0)]
    steps.append((_RETURN, _ALLOW, 0, 0))
    return b"".join(struct.pack("=HBBI", code, when, otherwise, value) for code, value, when, otherwise in steps)
