"""The closed environment of every git command, and the one place that starts git."""

import contextlib
import os
import re
import selectors
import signal
import subprocess
import time
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from adapters.git.private import locked
from ports.full_disk import named
from ports.repository import RepositoryError

_CONFIG = Path(__file__).with_name("closed.gitconfig")
_PASSED_ON = ("PATH", "GIT_SSL_CAINFO", "SSL_CERT_FILE")
_FLAGS = (
    "core.hooksPath=/dev/null",
    # Also against the mirror's own configuration: a certificate nobody vouches for ends every conversation.
    "http.sslVerify=true",
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",
    "core.excludesFile=/dev/null",
    "core.autocrlf=false",
    "core.fileMode=true",
    "core.symlinks=true",
    "core.ignoreCase=false",
    "core.filesRefLockTimeout=10000",
    "commit.gpgSign=false",
    "protocol.ext.allow=never",
    "protocol.file.allow=always",
)
LARGEST_OUTPUT = 512 << 20
"""Of one command, in bytes: what is held in memory at once."""
_ERROR_BYTES = 1 << 20
_CHUNK = 1 << 16
_LOCKED = re.compile(r"Unable to create '([^']+\.lock)': File exists")
_LOCK_HELD_AT_MOST = 120
_ID = re.compile(r"[0-9a-f]{40}")
_BRANCH = re.compile(r"\w[\w.@+/#=,-]*")


def closed_environment() -> dict[str, str]:
    """All variables git gets: none of the caller's but PATH and certificate authorities."""
    return {
        "PATH": os.defpath,
        **{name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        "HOME": "/nonexistent",
        "LC_ALL": "C.UTF-8",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": str(_CONFIG),
        "GIT_ATTR_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_ALLOW_PROTOCOL": "file:http:https:ssh",
        "GIT_SSH_COMMAND": "ssh -o BatchMode=yes",
    }


def commit_id(text: str) -> str:
    """``text`` if it is a full hex id: anything else could be read as an option or a moving name.

    Raises:
        RepositoryError: it is not.
    """
    if not _ID.fullmatch(text):
        raise RepositoryError(f"{text!r} is not a full commit id of 40 hex digits")
    return text


def branch_name(text: str) -> str:
    """``text`` if it is a plain branch name under git's rules and a safe argument.

    Raises:
        RepositoryError: it is not.
    """
    parts = text.split("/")
    if (
        not _BRANCH.fullmatch(text)
        or any(not part or part.startswith(".") or part.endswith((".", ".lock")) for part in parts)
        or ".." in text
        or "@{" in text
    ):
        raise RepositoryError(f"{text!r} is not a usable branch name: letters, digits and . _ - / + # = , @ only")
    return text


@dataclass(frozen=True)
class GitOutput:
    """How a git command ended."""

    code: int
    out: bytes
    error: str

    @property
    def text(self) -> str:
        """The output as one stripped line."""
        return self.out.decode(errors="surrogateescape").strip()


@dataclass(frozen=True)
class ClosedGit:
    """Runs git on our own bare repository."""

    git_dir: Path
    inherit: bool = False
    """The calling process was itself started with a closed environment, and git needs what it added (a credential)."""
    secret: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Variables that no argument list may show."""

    def run(
        self,
        *arguments: str,
        stdin: bytes | None = None,
        environment: Mapping[str, str] | None = None,
        accept: tuple[int, ...] = (0,),
        seconds: float = 600,
        most: int = LARGEST_OUTPUT,
    ) -> GitOutput:
        """Run one command; an exit status outside ``accept`` is an error.

        Raises:
            RepositoryError: git failed, took longer than ``seconds``, or answered more than ``most`` bytes; the
                message holds what git said.
        """
        answer = self._once(arguments, stdin, environment, seconds, most)
        if answer.code and _broke_stale_lock(self.git_dir, answer.error):
            answer = self._once(arguments, stdin, environment, seconds, most)
        if answer.code not in accept:
            raise _failed(arguments[0], answer.code, answer.error)
        return answer

    def entries(self, *arguments: str, seconds: float = 600) -> Generator[bytes, None, None]:
        """The entries of a listing made with ``-z``, as git finds them; who has seen enough just stops.

        Raises:
            RepositoryError: as for ``run``.
        """
        rest, errors = b"", bytearray()
        with self._started(arguments, None, None) as process:
            for is_error, chunk in _chunks(process, seconds, arguments[0]):
                if is_error:
                    errors += chunk[: _ERROR_BYTES - len(errors)]
                    continue
                *whole, rest = (rest + chunk).split(b"\0")
                yield from whole
            code = process.wait()
        if code:
            raise _failed(arguments[0], code, errors.decode(errors="replace").strip())

    def _once(
        self,
        arguments: tuple[str, ...],
        stdin: bytes | None,
        environment: Mapping[str, str] | None,
        seconds: float,
        most: int,
    ) -> GitOutput:
        out, errors = bytearray(), bytearray()
        with self._started(arguments, stdin, environment) as process:
            for is_error, chunk in _chunks(process, seconds, arguments[0]):
                if is_error:
                    errors += chunk[: _ERROR_BYTES - len(errors)]
                    continue
                out += chunk
                if len(out) > most:
                    raise RepositoryError(f"git {arguments[0]} answered more than {most >> 20} MiB: too much to read")
            return GitOutput(process.wait(), bytes(out), errors.decode(errors="replace").strip())

    @contextmanager
    def _started(
        self, arguments: tuple[str, ...], stdin: bytes | None, environment: Mapping[str, str] | None
    ) -> Iterator[subprocess.Popen[bytes]]:
        """The running command; killed with its children when the block is left early."""
        # All of GitPython comes with it: 60 ms for each command of a person and each effect that starts no git.
        from git.cmd import Git  # noqa: PLC0415

        variables = {**closed_environment(), "GIT_DIR": str(self.git_dir), **(environment or {})}
        # GitPython adds to the caller's environment and cannot empty it; env(1) can, without a further process.
        emptied: tuple[str, ...] = ("env",) if self.inherit else ("env", "-i")
        if self.secret and not self.inherit:
            # By name instead of all: what GitPython hands over must survive.
            emptied = ("env", *(f"--unset={name}" for name in os.environ if name not in self.secret))
        flags = [part for flag in _FLAGS for part in ("-c", flag)]
        argv = [*emptied, *(f"{name}={value}" for name, value in variables.items()), "git", *flags, *arguments]
        # In memory: inside the jail of a write no folder can be written to.
        with open(os.memfd_create("given"), "w+b") as stdin_file:  # noqa: PTH123  # a descriptor
            stdin_file.write(stdin or b"")
            stdin_file.seek(0)
            started = Git(str(self.git_dir) if self.git_dir.is_dir() else "/").execute(
                argv,
                istream=None if stdin is None else stdin_file,
                as_process=True,
                env=dict(self.secret),
                start_new_session=True,
            )
        process = started.proc
        if process is None:  # pragma: no cover - GitPython's type allows it, its code does not
            raise RepositoryError("git did not start")
        try:
            yield process
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            for pipe in filter(None, (process.stdout, process.stderr)):
                pipe.close()


def _chunks(process: subprocess.Popen[bytes], seconds: float, name: str) -> Iterator[tuple[bool, bytes]]:
    """What it writes, as it comes, each with whether it is of the error stream."""
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as open_pipes:
        for is_error, pipe in enumerate((process.stdout, process.stderr)):
            if pipe is not None:
                open_pipes.register(pipe, selectors.EVENT_READ, bool(is_error))
        while open_pipes.get_map():
            # Short waits, so that a cancellation raised in this thread arrives.
            for key, _ in open_pipes.select(0.2):
                if chunk := os.read(key.fd, _CHUNK):
                    yield key.data, chunk
                else:
                    open_pipes.unregister(key.fileobj)
            if time.monotonic() > deadline:
                raise RepositoryError(f"git {name} did not end within {seconds:.0f} s")


def _failed(name: str, code: int, message: str) -> RepositoryError:
    return RepositoryError(named(f"git {name} failed ({code}): {message or 'no message'}"))


def _broke_stale_lock(git_dir: Path, message: str) -> bool:
    """Whether what stopped git was a lock file that a killed git left in ``git_dir``, which is removed now.

    Git holds these for moments: one that is minutes old has no holder any more, and nothing else would remove it.
    """
    named = _LOCKED.search(message)
    place = git_dir / named[1] if named else None
    if place is None or not place.resolve().is_relative_to(git_dir.resolve()):
        return False
    # One at a time: what another just removed, and git made anew, is not stale.
    with locked(git_dir / "stale.lock"), contextlib.suppress(FileNotFoundError):
        stale = time.time() - place.lstat().st_mtime > _LOCK_HELD_AT_MOST
        if stale:
            place.unlink()
        return stale
    return True
