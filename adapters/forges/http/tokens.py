"""Tokens: from the worker's environment or a command, into the environment of one process, and nowhere else."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

from adapters.forges.http.address import forge_address
from adapters.forges.kinds import FORGES, part
from ports.forge import ForgeError

if TYPE_CHECKING:  # a child that writes starts at every effect: what it does not read, it does not import
    from policies.settings.forge_access import TokenSource
    from policies.settings.schema import Target

TOKEN_VARIABLE = "AUTONOMY_FORGE_TOKEN"  # noqa: S105  # a name, not a token
_SECONDS = 30
# git runs this through sh for one origin only; printf is the shell's own, so no argv ever holds the token.
_HELPER = (
    '!f() { test "$1" = get && printf "username=x-access-token\\npassword=%s\\n" "$' + TOKEN_VARIABLE + '"; }; f'
)  # fmt: skip


def read_token(source: TokenSource, setting: str) -> str:
    """The token, or an empty string when the policy names no source.

    Args:
        source: variable or command.
        setting: what to call it in errors.

    Raises:
        ForgeError: the source gives none; what a command printed is not in the message.
    """
    if not source.variable and not source.command:
        return ""
    lines = read_secret(source, setting).splitlines()
    token = lines[0].strip() if lines else ""
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ForgeError(f"{setting} gives something that is no token: it holds spaces or characters nobody can type")
    return token


def read_secret(source: TokenSource, setting: str) -> str:
    """Everything that the source gives.

    Raises:
        ForgeError: it gives nothing; what a command printed is not in the message.
    """
    if source.variable:
        secret = os.environ.get(source.variable, "")
        missing = f"the environment variable {source.variable} is not set in the worker ({setting}.variable)"
    else:
        secret = _said_by(source.command, setting)
        missing = f"the command {source.command[0]} printed nothing ({setting}.command)"
    if not secret.strip():
        raise ForgeError(missing)
    return secret


def _said_by(command: tuple[str, ...], setting: str) -> str:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False, cwd="/"
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise ForgeError(f"the command {command[0]} ({setting}.command) failed: {type(problem).__name__}") from None
    if done.returncode:
        raise ForgeError(f"the command {command[0]} ({setting}.command) ended with {done.returncode}")
    return done.stdout.decode(errors="replace")


def token_environment(token: str, git_origin: str) -> dict[str, str]:
    """Variables that let git, and our own client, use the token on one origin; none when there is no token.

    git asks the helper for this origin only, and follows no redirect: the token meets no other host.
    """
    if not token:
        return {}
    settings = [("http.followRedirects", "false"), ("credential.interactive", "false"), ("credential.helper", "")]
    if git_origin:
        settings.append((f"credential.{git_origin}.helper", _HELPER))
    numbered = {"GIT_CONFIG_COUNT": str(len(settings)), TOKEN_VARIABLE: token}
    for number, (key, value) in enumerate(settings):
        numbered |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return numbered


def reading_token(target: Target) -> str:
    """The token that may only read; empty where the policy names none.

    Raises:
        ForgeError: the source gives no token.
    """
    if target.forge_access.app.id:
        return _installation_token(target, "read")
    return read_token(target.forge_access.read, "forge_access.read")


def _writing_token(target: Target) -> str:
    if target.forge_access.app.id:
        return _installation_token(target, "write")
    return read_token(target.forge_access.write, "forge_access.write")


def _installation_token(target: Target, right: Literal["read", "write"]) -> str:
    kind = FORGES[target.forge]
    if not kind.app_token:
        raise ForgeError(f"forge_access.app is nothing for a forge of kind {target.forge}")
    token: str = part(kind.app_token)(target, right)
    return token


def reading_environment(target: Target) -> dict[str, str]:
    """Variables that let git, and the child of a mere look, read a target's forge.

    Raises:
        ForgeError: the source gives no token.
    """
    return _environment(target, reading_token)


def writing_environment(target: Target) -> dict[str, str]:
    """Variables that let git and our client write; for the child process of a write only.

    Raises:
        ForgeError: the policy names no token, or its source gives none.
    """
    found = _environment(target, _writing_token)
    if not found and target.forge != "local":
        raise ForgeError(f"no token to write with: set [forge_access.write] in targets/{target.name}.toml")
    return found


def _environment(target: Target, token_of: Callable[[Target], str]) -> dict[str, str]:
    if target.forge == "local":
        return {}
    return token_environment(token_of(target), forge_address(target).git_origin)
