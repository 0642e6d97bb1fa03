"""A started sandbox: its first process, its streams, its end."""

import errno
import json
import os
import platform
import select
import signal
import socket
import struct
import subprocess
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Self

from adapters.sandbox.enclosure import FILES, Bubblewrap, Descriptors, enclose
from adapters.sandbox.outbound import Outbound
from ports.sandbox import Command, SandboxUnavailable

_START_SECONDS = 20
_DEATH_SECONDS = 20
_CHUNK = 1 << 16


class SandboxProcess:
    """A running sandbox. Leaving the block kills it and waits until the last of its processes is gone."""

    def __init__(self, bwrap: Bubblewrap, command: Command, uid: int | None) -> None:
        self._kept = ExitStack()
        with ExitStack() as inherited:
            reports = [os.pipe() for _ in range(1 if uid is None else 2)]
            for read, write in reports:
                self._kept.callback(os.close, read)
                inherited.callback(os.close, write)
            files = {name: _memory_file(name, text.encode()) for name, text in FILES.items()}
            system_calls = _memory_file("system-calls", seccomp_filter())
            for descriptor in (*files.values(), system_calls):
                inherited.callback(os.close, descriptor)
            self._outer_report, self._inner_report = reports[0][0], reports[-1][0]
            begin = []
            if command.outbound:
                read, self._begin = os.pipe()
                begin = [read]
                inherited.callback(os.close, read)
                self._kept.callback(os.close, self._begin)
            descriptors = Descriptors(reports[0][1], reports[-1][1], files, system_calls, *begin)
            try:
                argv = enclose(bwrap, command, uid, descriptors)
                self._process = subprocess.Popen(
                    argv,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    env={},  # bwrap's own environment is readable inside, whatever --clearenv says
                    umask=0o022,
                    pass_fds=[*(write for _, write in reports), *files.values(), system_calls, *begin],
                )
            except (OSError, ValueError, SandboxUnavailable) as problem:
                self._kept.close()
                raise SandboxUnavailable(f"the sandbox could not be started: {problem}") from problem
        self._kept.enter_context(self._process)
        self.pid = self._process.pid
        self._end = os.pidfd_open(self.pid)
        self._kept.callback(os.close, self._end)
        self._init: int | None = None
        self._told = command.outbound
        self._network: Outbound | None = None
        self._open = {stream.fileno() for stream in (self._process.stdout, self._process.stderr) if stream}
        self.stdout = self._process.stdout.fileno() if self._process.stdout else -1
        for descriptor in self._open:
            os.set_blocking(descriptor, False)

    def __enter__(self) -> Self:
        """Wait for the sandbox's first process: whoever holds it can kill all the others, and see them gone.

        Raises:
            SandboxUnavailable: the sandbox did not come up.
        """
        try:
            pid = self._first_process()
            with suppress(ProcessLookupError):
                self._init = os.pidfd_open(pid)
                self._kept.callback(os.close, self._init)
            if self._told:
                self._network = self._counted_network(pid)
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill, wait, close."""
        with self._kept:
            self.kill()
            if self._told and self._network:
                self._told(self._network.tries())

    def ended(self) -> bool:
        """Whether the command is over; processes it left behind may still be there."""
        return _readable(self._end, 0)

    def read(self, seconds: float) -> list[tuple[int, bytes]]:
        """What was written since, by stream; waits for something at most so long."""
        poll = select.poll()
        for descriptor in (*self._open, self._end):
            poll.register(descriptor, select.POLLIN)
        return [(stream, self._take(stream)) for stream, _ in poll.poll(seconds * 1000) if stream != self._end]

    def rest(self) -> list[tuple[int, bytes]]:
        """What is left in the pipes once every writer is gone."""
        chunks = []
        while self._open:
            chunks += [(stream, self._take(stream)) for stream in tuple(self._open)]
        return chunks

    def _take(self, stream: int) -> bytes:
        chunk = b""
        with suppress(BlockingIOError):
            chunk = os.read(stream, _CHUNK)
            if not chunk:
                self._open.discard(stream)
        return chunk

    def kill(self) -> None:
        """Kill everything inside and return once it is gone, whatever it ignores or however often it forked.

        Raises:
            SandboxUnavailable: something did not die.
        """
        if self._init is not None:
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._init, signal.SIGKILL)
        self._process.kill()
        self._process.wait(_DEATH_SECONDS)
        # The first process of a pid namespace ends last: the kernel kills and reaps all others before.
        if self._init is not None and not _readable(self._init, _DEATH_SECONDS):
            raise SandboxUnavailable(f"a process of the sandbox {self.pid} cannot be killed; it may wait for a disk")

    def exit_code(self) -> int | None:
        """The command's own exit status; None when the sandbox ended without running it."""
        for report in _reports(os.read(self._inner_report, _CHUNK) if _readable(self._inner_report, 0) else b""):
            if "exit-code" in report:
                return report["exit-code"]
        return None

    def _first_process(self) -> int:
        # Only the report's first line is read here: as the innermost report it goes on with the exit status.
        pid = self._child(self._outer_report)
        if pid is None:
            raise SandboxUnavailable("the sandbox did not name its first process: install the package `bubblewrap`")
        return pid

    def _child(self, report: int) -> int | None:
        """Whom the report's first line names; waits for it."""
        line = b""
        while not line.endswith(b"\n"):
            byte = os.read(report, 1) if _readable(report, _START_SECONDS) else b""
            if not byte:
                output = b"".join(chunk for _, chunk in self.read(0)).decode(errors="replace").strip()
                raise SandboxUnavailable(f"the sandbox did not come up: {output[-1000:] or 'no word from bubblewrap'}")
            line += byte
        return next((each["child-pid"] for each in _reports(line) if "child-pid" in each), None)

    def _counted_network(self, first: int) -> Outbound | None:
        """Begun to count before the command begins."""
        if self._inner_report != self._outer_report:
            # The number that it names is one of another room; that it names one says that its network is there.
            self._child(self._inner_report)
        network = Outbound.of(first)
        if network:
            self._kept.callback(network.close)
        os.write(self._begin, b"x")
        return network


def _memory_file(name: str, content: bytes) -> int:
    descriptor = os.memfd_create(name)
    os.write(descriptor, content)
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _readable(descriptor: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def _reports(lines: bytes) -> list[dict[str, int]]:
    reports = []
    for line in lines.splitlines():
        with suppress(ValueError):
            reports.append(json.loads(line))
    return reports


_LARGEST_SEGMENT = 64 << 10
_MOST_SEMAPHORES = 64
_X32 = 0x40000000
_LOAD, _EQUAL, _AT_LEAST, _ABOVE, _RETURN = 0x20, 0x15, 0x35, 0x25, 0x06
_ALLOW, _ERROR = 0x7FFF0000, 0x00050000
_NUMBER, _MACHINE, _FAMILY, _SIZE, _SIZE_HIGH = 0, 4, 16, 24, 28
"""Where ``struct seccomp_data`` holds them; the size is the second argument, its two halves as little-endian."""
_KNOWN = {
    # machine: audit name, memfd_create, memfd_secret, shmget, semget, socket
    "x86_64": (0xC000003E, 319, 447, 29, 64, 41),
    "aarch64": (0xC00000B7, 279, 447, 194, 190, 198),
}
_IO_URING_SETUP = 425
"""It makes sockets past any filter."""
_FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK)
"""Those that a network namespace holds; of others (AF_VSOCK) there is one for the whole machine, and beyond."""


def seccomp_filter(machine: str = "") -> bytes:
    """The filter as ``bwrap --seccomp`` reads it: an array of ``struct sock_filter``.

    Raises:
        SandboxUnavailable: nobody wrote down this machine's system calls yet.
    """
    machine = machine or platform.machine()
    if machine not in _KNOWN:
        known = ", ".join(_KNOWN)
        raise SandboxUnavailable(f"the sandbox does not know the system calls of {machine}: use one of {known}")
    audit, memfd_create, memfd_secret, shmget, semget, make_socket = _KNOWN[machine]
    missing, full, no_family = (_ERROR | each for each in (errno.ENOSYS, errno.ENOSPC, errno.EAFNOSUPPORT))
    # Code, value, and how many steps are skipped when it holds and when not. Calls of other machines (32-bit, x32) have
    # other numbers, so there are none.
    steps = [(_LOAD, _MACHINE, 0, 0), (_EQUAL, audit, 1, 0), (_RETURN, missing, 0, 0)]
    steps += [(_LOAD, _NUMBER, 0, 0), (_AT_LEAST, _X32, 0, 1), (_RETURN, missing, 0, 0)]
    for number in (memfd_create, memfd_secret, _IO_URING_SETUP):
        steps += [(_EQUAL, number, 0, 1), (_RETURN, missing, 0, 0)]
    steps += [(_EQUAL, make_socket, 0, len(_FAMILIES) + 3), (_LOAD, _FAMILY, 0, 0)]
    steps += [(_EQUAL, family, len(_FAMILIES) - at, 0) for at, family in enumerate(_FAMILIES)]
    steps += [(_RETURN, no_family, 0, 0), (_RETURN, _ALLOW, 0, 0)]
    for number, most in ((shmget, _LARGEST_SEGMENT), (semget, _MOST_SEMAPHORES)):
        steps += [(_EQUAL, number, 0, 6), (_LOAD, _SIZE_HIGH, 0, 0), (_EQUAL, 0, 0, 2)]
        steps += [(_LOAD, _SIZE, 0, 0), (_ABOVE, most, 0, 1), (_RETURN, full, 0, 0), (_RETURN, _ALLOW, 0, 0)]
    steps.append((_RETURN, _ALLOW, 0, 0))
    return b"".join(struct.pack("=HBBI", code, when, otherwise, value) for code, value, when, otherwise in steps)
