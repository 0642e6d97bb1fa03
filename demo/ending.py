"""How every demo ends: a time, or one sentence and an exit status."""

import time
from collections.abc import Callable

from commands.exit_statuses import Exit
from commands.failures import explain
from commands.terminal import out, say
from demo.source_distribution import FetchFailed


def ended(demo: Callable[[], Exit]) -> Exit:
    """Do it; its exit status, or that of what went wrong."""
    began = time.monotonic()
    try:
        status = demo()
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except FetchFailed as problem:
        say(str(problem), "red")
        return Exit.TROUBLE
    except Exception as problem:
        failure = explain(problem)
        say(str(failure), "red")
        return failure.status
    out.print(f"done in {time.monotonic() - began:.0f} s", style="dim")
    return status
