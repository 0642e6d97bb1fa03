"""Tokens: from the worker's environment or a command, into the environment of one process, and nowhere else."""

from __future__ import annotations

import os
import subprocess

from adapters.forge_access.address import forge_address
from policies.forge_access import TokenSource
from policies.schema import Target
from ports.forge import ForgeError

TOKEN_VARIABLE = "AUTONOMY_FORGE_TOKEN"  # noqa: S105  # a name, not a token
_SECONDS = 30
# git runs this through sh for one origin only; printf is the shell's own, so no argv ever holds the token.
_HELPER = (
    '!f() { test "$1" = get && printf "username=autonomy\\npassword=%s\\n" "$' + TOKEN_VARIABLE + '"; }; f'
)  # fmt: skip


def read_token(source: TokenSource, setting: str) -> str:
    """The token, or an empty string when the policy names no source.

    Args:
        source: variable or command.
        setting: what to call it in errors.

    Raises:
        ForgeError: the source gives none; what a command printed is not in the message.
    """
    if source.variable:
        token = os.environ.get(source.variable, "")
        missing = f"the environment variable {source.variable} is not set in the worker ({setting}.variable)"
    elif source.command:
        token = _said_by(source.command, setting)
        missing = f"the command {source.command[0]} printed no token ({setting}.command)"
    else:
        return ""
    if not token:
        raise ForgeError(missing)
    if not token.isascii() or not token.isprintable() or " " in token:
        raise ForgeError(f"{setting} gives something that is no token: it holds spaces or characters nobody can type")
    return token


def _said_by(command: tuple[str, ...], setting: str) -> str:
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS, check=False, cwd="/"
        )
    except (OSError, subprocess.TimeoutExpired) as problem:
        raise ForgeError(f"the command {command[0]} ({setting}.command) failed: {type(problem).__name__}") from None
    if done.returncode:
        raise ForgeError(f"the command {command[0]} ({setting}.command) ended with {done.returncode}")
    lines = done.stdout.decode(errors="replace").splitlines()
    return lines[0].strip() if lines else ""


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


def reading_environment(target: Target) -> dict[str, str]:
    """Variables that let git, and the child of a mere look, read a target's forge.

    Raises:
        ForgeError: the source gives no token.
    """
    return _environment(target, target.forge_access.read, "forge_access.read")


def writing_environment(target: Target) -> dict[str, str]:
    """Variables that let git and our client write; for the child process of a write only.

    Raises:
        ForgeError: the policy names no token, or its source gives none.
    """
    found = _environment(target, target.forge_access.write, "forge_access.write")
    if not found and target.forge != "local":
        raise ForgeError(f"no token to write with: set [forge_access.write] in targets/{target.name}.toml")
    return found


def _environment(target: Target, source: TokenSource, setting: str) -> dict[str, str]:
    if target.forge == "local":
        return {}
    return token_environment(read_token(source, setting), forge_address(target).git_origin)
