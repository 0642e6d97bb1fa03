"""Beating while a step works: the only way a step learns that it is cancelled.

Every activity is defined with ``no_thread_cancel_exception``: an exception that strikes at any bytecode could hit the
very code that kills a process tree or settles a write. Steps ask ``alive`` where stopping is safe instead.
"""

import contextvars
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from temporalio import activity
from temporalio.exceptions import CancelledError

_EVERY_SECONDS = 1.0


class Beat:
    """Called, it raises once the activity is cancelled (``alive``)."""

    def __init__(self) -> None:
        self.details: dict[str, Any] = {}
        """What the next beat tells whoever looks at the pending step."""

    def __call__(self) -> None:
        """Still wanted?

        Raises:
            CancelledError: no.
        """
        if activity.is_cancelled() or activity.is_worker_shutdown():
            raise CancelledError("the step was cancelled")

    def tell(self, **progress: Any) -> None:
        """From now on each beat says this."""
        self.details = progress


@contextmanager
def heartbeating() -> Iterator[Beat]:
    """Beat in the background; yields ``alive``, which raises once the activity is cancelled.

    Long child processes call ``alive`` while they are polled, so that a cancel kills their whole process tree.
    """
    done, alive = threading.Event(), Beat()

    def beat() -> None:
        while not done.wait(_EVERY_SECONDS):
            activity.heartbeat(*([alive.details] if alive.details else []))

    # The activity's context lives in contextvars, which threads do not inherit.
    thread = threading.Thread(target=contextvars.copy_context().run, args=(beat,), daemon=True)
    thread.start()
    try:
        yield alive
    finally:
        done.set()
        thread.join()
