"""The closed environment of every git command, and the one place that starts git."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from git.cmd import Git

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
class Answer:
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
    ) -> Answer:
        """Run one command; an exit status outside ``accept`` is an error.

        Raises:
            RepositoryError: git failed or took longer than ``seconds``; the message holds what git said.
        """
        variables = {**closed_environment(), "GIT_DIR": str(self.git_dir), **(environment or {})}
        # GitPython adds to the caller's environment and cannot empty it; env(1) can, without a further process.
        emptied: tuple[str, ...] = ("env",) if self.inherit else ("env", "-i")
        if self.secret and not self.inherit:
            # By name instead of all: what GitPython hands over must survive.
            emptied = ("env", *(f"--unset={name}" for name in os.environ if name not in self.secret))
        flags = [part for flag in _FLAGS for part in ("-c", flag)]
        argv = [*emptied, *(f"{name}={value}" for name, value in variables.items()), "git", *flags, *arguments]
        started = Git(str(self.git_dir) if self.git_dir.is_dir() else "/").execute(
            argv,
            istream=None if stdin is None else subprocess.PIPE,
            as_process=True,
            env=dict(self.secret),
            start_new_session=True,
        )
        process = started.proc
        if process is None:  # pragma: no cover - GitPython's type allows it, its code does not
            raise RepositoryError("git did not start")
        answer = _wait(process, stdin, seconds, arguments[0])
        if answer.code not in accept:
            raise RepositoryError(f"git {arguments[0]} failed ({answer.code}): {answer.error or 'no message'}")
        return answer


def _wait(process: subprocess.Popen[bytes], stdin: bytes | None, seconds: float, name: str) -> Answer:
    deadline = time.monotonic() + seconds
    try:
        while True:
            try:
                # Short waits, so that a cancellation raised in this thread arrives.
                out, error = process.communicate(stdin, timeout=0.2)
            except subprocess.TimeoutExpired:
                stdin = None
                if time.monotonic() > deadline:
                    raise RepositoryError(f"git {name} did not end within {seconds:.0f} s") from None
            else:
                return Answer(process.returncode, out, error.decode(errors="replace").strip())
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        raise
