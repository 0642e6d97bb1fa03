"""What an operator types: the very commands, in processes of their own, shown with what they answer."""

import asyncio
import json
import os
import shlex
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from commands.exit_statuses import Exit
from commands.failures import CommandFailed
from commands.terminal import say, show
from settings import ROOT, Settings


class Operator:
    """Types ``starter.py`` commands on one home."""

    def __init__(self, settings: Settings) -> None:
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("TEMPORAL_", "AUTONOMY_"))},
            "AUTONOMY_HOME": str(settings.home),
            "AUTONOMY_POLICIES": str(settings.policies),
        }

    async def types(self, *words: str, wanted: Exit = Exit.OK) -> str:
        """Run a command and show it with its output.

        Raises:
            CommandFailed: it ended with another status than ``wanted``.
        """
        say(f"$ starter.py {shlex.join(words)}", "bold")
        status, output = await self._run(*words)
        for line in output.splitlines():
            show(f"  {line}")
        if status != wanted:
            raise CommandFailed(Exit.FAILED, f"`starter.py {words[0]}` ended with status {status}, not {wanted.value}")
        return output

    async def asks(self, *words: str) -> Mapping[str, Any]:
        """Run a command with ``--json`` and read its answer; nothing is shown."""
        status, output = await self._run(*words, "--json", with_errors=False)
        if status != Exit.OK:
            raise CommandFailed(Exit.FAILED, f"`starter.py {shlex.join(words)}` ended with status {status}")
        answer: Mapping[str, Any] = json.loads(output)
        return answer

    async def until(
        self, words: tuple[str, ...], holds: Callable[[Mapping[str, Any]], bool], patience: float
    ) -> Mapping[str, Any]:
        """Ask again, ``patience`` seconds at most, until the answer holds what is wanted.

        Raises:
            CommandFailed: it never did.
        """
        end = time.monotonic() + patience
        while time.monotonic() < end:
            try:
                answer = await self.asks(*words)
            except CommandFailed:
                answer = {}
            if holds(answer):
                return answer
            await asyncio.sleep(1)
        raise CommandFailed(
            Exit.FAILED, f"`starter.py {' '.join(words)}` did not show what was expected in {patience} s"
        )

    async def _run(self, *words: str, with_errors: bool = True) -> tuple[int, str]:
        errors = asyncio.subprocess.STDOUT if with_errors else asyncio.subprocess.DEVNULL
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(ROOT / "starter.py"),
            *words,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode(errors="replace")
